"""The written-out list of uri elements against the definitions it was taken from."""

from fhir_server.definitions.registry import load_definitions
from fhir_server.interactions.uri_elements import URI_ELEMENTS

_URI_TYPES = {"uri", "url", "oid", "uuid"}


def test_every_element_of_a_uri_type_is_listed_and_no_other() -> None:
    elements = load_definitions().elements
    paths = [*elements.types]
    expected = {
        key
        for path in paths
        for element in elements.children(path).values()
        for key, type_ in element.keys.items()
        if type_ in _URI_TYPES
    }

    assert expected == set(URI_ELEMENTS)
