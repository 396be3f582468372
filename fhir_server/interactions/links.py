"""Links: the places in a resource that may name another one.

https://hl7.org/fhir/R4/http.html#trules, https://hl7.org/fhir/R4/bundle.html#references

A Reference always is one. A uri, oid or uuid is one when it is a `urn:` by which an entry of
the transaction is known, and a url when it is any entry's fullUrl. Canonicals and a definition's
own url are none: they are names, by which others know it too.
"""

from collections.abc import Container, Iterator
from typing import Any

import msgspec

from fhir_server.definitions.elements import ElementTable
from fhir_server.interactions.request import Resource
from fhir_server.interactions.uri_elements import URI_ELEMENTS

TEMPORARY = ("urn:uuid:", "urn:oid:")
"""How a fullUrl begins that means something within its bundle only."""
_ANYWHERE = ("uri", "url", "oid", "uuid")


Trail = tuple["Trail | None", dict[str, Any], str, int | None]
"""How the walk came to a node: from where, the node, under which name, at which place of a list.

Path and type of a node are told from it when they are needed, which is seldom.
"""


class Link(msgspec.Struct, frozen=True):
    """One place in a resource that holds a reference or a uri, as it was sent.

    A struct, which is made in a quarter of a microsecond: a claim has dozens.
    """

    holder: dict[str, Any] | list[Any]
    key: Any
    value: str
    is_reference: bool
    trail: Trail
    """To the node that has it."""
    name: str

    @property
    def place(self) -> str:
        """FHIRPath within its resource, such as `Observation.performer[0].reference`."""
        path = f"{_path(self.trail)}.{self.name}"
        return path if self.holder is self.trail[1] else f"{path}[{self.key}]"


def references_in(resource: Resource) -> list[Link]:
    """Every reference in the resource, contained resources and extensions included.

    A Bundle is not entered: what stands in it speaks of its own entries.
    """
    return [link for link in _candidates(resource, ()) if link.is_reference]


def links_in(resource: Resource, full_urls: Container[str], elements: ElementTable) -> list[Link]:
    """Every reference in the resource, and every uri that is a link to one of the full URLs."""
    return [
        link
        for link in _candidates(resource, full_urls)
        if link.is_reference or _is_followed(link, elements)
    ]


def _candidates(resource: Resource, full_urls: Container[str]) -> Iterator[Link]:
    """References, and uris by the names of their elements: quick, and a few too many."""
    trails: list[Trail] = [(None, resource, "", None)]
    while trails:
        trail = trails.pop()
        node = trail[1]
        if node.get("resourceType") == "Bundle":
            continue
        for name, value in node.items():
            kind = type(value)
            if kind is str:
                # An Expression, which always has a language, has a uri of the same name.
                is_reference = name == "reference" and "language" not in node
                # Names are asked first: to look up a value, all of it must be read.
                if is_reference or (name in URI_ELEMENTS and value in full_urls):
                    yield Link(node, name, value, is_reference, trail, name)
            elif kind is dict:
                trails.append((trail, value, name, None))
            elif kind is list:
                trails += [(trail, e, name, i) for i, e in enumerate(value) if type(e) is dict]
                if name in URI_ELEMENTS:
                    yield from _listed(value, full_urls, trail, name)


def _listed(
    values: list[Any], full_urls: Container[str], trail: Trail, name: str
) -> Iterator[Link]:
    for index, value in enumerate(values):
        if type(value) is str and value in full_urls:
            yield Link(values, index, value, is_reference=False, trail=trail, name=name)


def _is_followed(link: Link, elements: ElementTable) -> bool:
    node = link.trail[1]
    type_ = _member_type(_type(link.trail, elements), link.name, elements)
    if not link.value.startswith(TEMPORARY):
        return type_ == "url"
    return type_ in _ANYWHERE and not (link.name == "url" and "resourceType" in node)


def _type(trail: Trail, elements: ElementTable) -> str | None:
    """The type of a node; None where the resource leaves what the definitions know."""
    parent, node, name, _ = trail
    own = node.get("resourceType")
    if isinstance(own, str) and own in elements.types:
        return own
    return None if parent is None else _member_type(_type(parent, elements), name, elements)


def _member_type(type_: str | None, name: str, elements: ElementTable) -> str | None:
    if type_ is None or not (type_ in elements.types or "." in type_):
        return None
    element = elements.by_key(type_).get(name.removeprefix("_"))
    return element.type_of(name.removeprefix("_")) if element else None


def _path(trail: Trail) -> str:
    parent, node, name, index = trail
    if parent is None:
        return str(node.get("resourceType", ""))
    path = f"{_path(parent)}.{name}"
    return path if index is None else f"{path}[{index}]"
