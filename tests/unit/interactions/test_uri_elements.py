"""The written-out list of uri elements is the one of the definitions."""

from collections.abc import Iterator

from fhir_server.definitions.registry import load_definitions
from fhir_server.interactions.uri_elements import URI_ELEMENTS

URIS = {"uri", "url", "oid", "uuid"}


def uri_members() -> Iterator[str]:
    """Every JSON member of that type in what a resource can hold, found by walking from each."""
    definitions = load_definitions()
    waiting, seen = set(definitions.resource_types) | {"Extension"}, set()
    while waiting:
        type_ = waiting.pop()
        seen.add(type_)
        for member, element in definitions.elements.by_key(type_).items():
            target = element.keys[member]
            if target in URIS:
                yield member
            if target not in seen and (target in definitions.elements.types or "." in target):
                waiting.add(target)
        waiting -= seen


def test_the_list_of_uri_elements_is_complete_and_has_no_other() -> None:
    assert set(uri_members()) == set(URI_ELEMENTS)
