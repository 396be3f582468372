"""Links: the places in a resource that may name another one.

https://hl7.org/fhir/R4/http.html#trules, https://hl7.org/fhir/R4/bundle.html#references

A Reference always is one. A uri, oid or uuid is one when it is a `urn:` by which an entry of
the transaction is known, and a url when it is any entry's fullUrl. Canonicals and a definition's
own url are none: they are names, by which others know it too.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_server.definitions.elements import ElementTable
from fhir_server.interactions.request import Resource
from fhir_server.interactions.uri_elements import URI_ELEMENTS

TEMPORARY = ("urn:uuid:", "urn:oid:")
"""How a fullUrl begins that means something within its bundle only."""
_ANYWHERE = ("uri", "url", "oid", "uuid")


@dataclass(frozen=True, slots=True)
class Link:
    """One place in a resource that holds a reference or a uri, as it was sent."""

    holder: dict[str, Any] | list[Any]
    key: Any
    value: str
    is_reference: bool


def references_in(resource: Resource) -> Iterator[Link]:
    """Every reference in the resource, contained resources and extensions included.

    A Bundle is not entered: what stands in it speaks of its own entries.
    """
    return (link for link in _candidates(resource, ()) if link.is_reference)


def links_in(resource: Resource, full_urls: Container[str], elements: ElementTable) -> list[Link]:
    """Every reference in the resource, and every uri that is a link to one of the full URLs."""
    return [
        link
        for link in _candidates(resource, full_urls)
        if link.is_reference or _is_followed(link, resource, elements)
    ]


def place_of(link: Link, resource: Resource) -> str:
    """FHIRPath of a link within its resource, such as `Observation.performer[0].reference`."""
    path = _path_to(link.holder, resource, str(resource.get("resourceType", "")))
    return f"{path}[{link.key}]" if isinstance(link.key, int) else f"{path}.{link.key}"


def _candidates(resource: Resource, full_urls: Container[str]) -> Iterator[Link]:
    """References, and uris by the names of their elements: quick, and a few too many."""
    nodes: list[dict[str, Any]] = [resource]
    while nodes:
        node = nodes.pop()
        if node.get("resourceType") == "Bundle":
            continue
        for name, value in node.items():
            kind = type(value)
            if kind is str:
                # An Expression, which always has a language, has a uri of the same name.
                is_reference = name == "reference" and "language" not in node
                if is_reference or (value in full_urls and name in URI_ELEMENTS):
                    yield Link(node, name, value, is_reference)
            elif kind is dict:
                nodes.append(value)
            elif kind is list:
                nodes.extend(item for item in value if type(item) is dict)
                if name in URI_ELEMENTS:
                    yield from _listed(value, full_urls)


def _listed(values: list[Any], full_urls: Container[str]) -> Iterator[Link]:
    for index, value in enumerate(values):
        if type(value) is str and value in full_urls:
            yield Link(values, index, value, is_reference=False)


def _is_followed(link: Link, resource: Resource, elements: ElementTable) -> bool:
    type_ = _type_of(link, resource, resource["resourceType"], elements)
    if not link.value.startswith(TEMPORARY):
        return type_ == "url"
    own_url = link.key == "url" and "resourceType" in link.holder
    return type_ in _ANYWHERE and not own_url


def _type_of(link: Link, node: Any, type_: str, elements: ElementTable) -> str | None:
    """The type of the link's element, looked for below a node of a type; None if not there."""
    if isinstance(node, list):
        if node is link.holder:
            return type_
        found = (_type_of(link, item, type_, elements) for item in node)
        return next(filter(None, found), None)
    if not isinstance(node, dict):
        return None
    known = node.get("resourceType", type_)
    members = elements.by_key(known) if known in elements.types or "." in known else {}
    for name, value in node.items():
        element = members.get(name.removeprefix("_"))
        below = element.type_of(name.removeprefix("_")) if element else None
        if node is link.holder and name == link.key:
            return below
        found_below = _type_of(link, value, below, elements) if below else None
        if found_below:
            return found_below
    return None


def _path_to(wanted: Any, node: Any, path: str) -> str | None:
    if node is wanted:
        return path
    steps: list[tuple[str, Any]] = []
    if isinstance(node, Mapping):
        steps = [(f"{path}.{name}", value) for name, value in node.items()]
    elif isinstance(node, list):
        steps = [(f"{path}[{index}]", value) for index, value in enumerate(node)]
    for step, value in steps:
        found = _path_to(wanted, value, step)
        if found is not None:
            return found
    return None
