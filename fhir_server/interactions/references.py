"""References in resources on their way in: conditional ones and those to entries of a bundle.

https://hl7.org/fhir/R4/http.html#trules, https://hl7.org/fhir/R4/bundle.html#references

`Type?criteria` becomes the one resource that matches. In a transaction what names another
entry by its fullUrl becomes that entry's `Type/id`, wherever a Reference or a uri, url, oid
or uuid stands, extensions included. Narrative and canonicals are left alone.
"""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fhir_server.errors import FhirError, InvalidReference, MultipleMatches, NoMatch
from fhir_server.interactions.context import Context
from fhir_server.interactions.matching import match_one
from fhir_server.interactions.request import Resource
from fhir_server.interactions.uri_elements import URI_ELEMENTS

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]{1,63})\?(.+)", re.DOTALL)
_TEMPORARY = ("urn:uuid:", "urn:oid:")


@dataclass(frozen=True, slots=True)
class Link:
    """One place in a resource that holds a reference or a uri, as it was sent."""

    holder: dict[str, Any] | list[Any]
    key: Any
    value: str

    @property
    def is_reference(self) -> bool:
        return bool(self.key == "reference")


def links_in(resource: Resource, full_urls: Container[str] = ()) -> list[Link]:
    """Every reference in the resource, and every uri that is one of the full URLs.

    Contained resources and extensions are included; a Bundle is not entered, as what stands in
    it speaks of its own entries.
    """
    links = []
    nodes: list[dict[str, Any]] = [resource]
    while nodes:
        node = nodes.pop()
        if node.get("resourceType") == "Bundle":
            continue
        for name, value in node.items():
            kind = type(value)
            if kind is str:
                if name == "reference" or (value in full_urls and name in URI_ELEMENTS):
                    links.append(Link(node, name, value))
            elif kind is dict:
                nodes.append(value)
            elif kind is list:
                nodes.extend(item for item in value if type(item) is dict)
                if name in URI_ELEMENTS:
                    links += [
                        Link(value, i, item)
                        for i, item in enumerate(value)
                        if type(item) is str and item in full_urls
                    ]
    return links


async def resolve_conditional(resource: Resource, context: Context) -> list[str]:
    """Replace conditional references in place; returns warnings about those nobody can follow.

    NoMatch or MultipleMatches, with the place, when criteria do not select one resource.
    """
    warnings = []
    for link in links_in(resource):
        if link.value.startswith(_TEMPORARY):
            warnings.append(
                f"{place_of(link, resource)}: {link.value} names an entry of a bundle, which only "
                "a transaction resolves; it was stored as it is."
            )
        elif criteria := _criteria(link.value, context):
            link.holder[link.key] = await _target(criteria, link, resource, context)
    return warnings


class Directory:
    """Where the entries of one transaction will be: fullUrl to `Type/id`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._entries: dict[str, str] = {}
        self._found: dict[tuple[str, str], str] = {}

    def add(self, full_url: str, target: str) -> None:
        if full_url:
            self._entries[full_url] = target

    def add_criteria(self, criteria: tuple[str, str], target: str) -> None:
        """What an entry created under If-None-Exist can be found by, before it is stored."""
        self._found[criteria] = target

    async def resolve(self, links: Sequence[Link], resource: Resource, base: str) -> None:
        """Point the links of one entry at their targets; `base` is the root of its fullUrl.

        Always starts from the links as they were sent, so it can be done again.
        """
        for link in links:
            value = link.value
            target = self._entries.get(value) or self._entries.get(base + value)
            if target is None and link.is_reference:
                target = await self._follow(link, resource)
            link.holder[link.key] = target or value

    async def _follow(self, link: Link, resource: Resource) -> str | None:
        if link.value.startswith(_TEMPORARY):
            raise InvalidReference(
                f"No entry of the transaction has the fullUrl {link.value}.",
                expression=[place_of(link, resource)],
            )
        criteria = _criteria(link.value, self._context)
        if criteria is None:
            return None
        key = criteria[0], canonical(criteria[1])
        if key not in self._found:
            self._found[key] = await _target(criteria, link, resource, self._context)
        return self._found[key]


def canonical(criteria: Sequence[tuple[str, str]]) -> str:
    """Criteria so that the same ones compare equal, whatever their order."""
    return repr(sorted(criteria))


def place_of(link: Link, resource: Resource) -> str:
    """FHIRPath of a link within its resource, such as `Observation.performer[0].reference`."""
    path = _path_to(link.holder, resource, str(resource.get("resourceType", "")))
    return f"{path}[{link.key}]" if isinstance(link.key, int) else f"{path}.{link.key}"


def _path_to(wanted: Any, node: Any, path: str) -> str | None:
    if node is wanted:
        return path
    steps: Sequence[tuple[str, Any]] = ()
    if isinstance(node, Mapping):
        steps = [(f"{path}.{name}", value) for name, value in node.items()]
    elif isinstance(node, list):
        steps = [(f"{path}[{index}]", value) for index, value in enumerate(node)]
    for step, value in steps:
        found = _path_to(wanted, value, step)
        if found is not None:
            return found
    return None


def _criteria(value: str, context: Context) -> tuple[str, Sequence[tuple[str, str]]] | None:
    if "?" not in value:
        return None
    match = _CONDITIONAL.fullmatch(value.removeprefix(context.base_url + "/"))
    return (match[1], parse_qsl(match[2], keep_blank_values=True)) if match else None


async def _target(
    criteria: tuple[str, Sequence[tuple[str, str]]],
    link: Link,
    resource: Resource,
    context: Context,
) -> str:
    type_, pairs = criteria
    place = [place_of(link, resource)]
    if type_ not in context.definitions.resource_types:
        raise InvalidReference(
            f"The reference {link.value} is to {type_!r}, which is not a resource type of FHIR R4.",
            expression=place,
        )
    try:
        match = await match_one(type_, pairs, context)
    except MultipleMatches:
        raise MultipleMatches(
            f"The reference {link.value} matches several resources.", expression=place
        ) from None
    except FhirError as error:
        error.expression = tuple(place)
        raise
    if match.version is None:
        raise NoMatch(f"The reference {link.value} matches nothing.", expression=place)
    return f"{type_}/{match.version.id}"
