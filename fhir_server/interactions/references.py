"""References in resources on their way in: conditional ones and those to entries of a bundle.

https://hl7.org/fhir/R4/http.html#trules

`Type?criteria` becomes the one resource that matches. In a transaction what names another
entry by its fullUrl becomes that entry's `Type/id`.
"""

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from fhir_server.errors import FhirError, InvalidReference, MultipleMatches, NoMatch
from fhir_server.interactions.context import Context
from fhir_server.interactions.links import TEMPORARY, Link, place_of, references_in
from fhir_server.interactions.matching import matching_ids
from fhir_server.interactions.request import Resource

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]{1,63})\?(.+)", re.DOTALL)

Criteria = tuple[str, Sequence[tuple[str, str]]]
"""A type, and the pairs that one resource of it must meet."""


async def resolve_conditional(resource: Resource, context: Context) -> list[str]:
    """Replace conditional references in place; returns warnings about those nobody can follow.

    NoMatch or MultipleMatches, with the place, when criteria do not select one resource.
    """
    warnings = []
    for link in references_in(resource):
        if link.value.startswith(TEMPORARY):
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
        self._found: dict[str, str] = {}

    def add(self, full_url: str, target: str) -> None:
        if full_url:
            self._entries[full_url] = target

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
        if link.value.startswith(TEMPORARY):
            raise InvalidReference(
                f"No entry of the transaction has the fullUrl {link.value}.",
                expression=[place_of(link, resource)],
            )
        criteria = _criteria(link.value, self._context)
        if criteria is None:
            return None
        if link.value not in self._found:
            self._found[link.value] = await _target(criteria, link, resource, self._context)
        return self._found[link.value]


def _criteria(value: str, context: Context) -> Criteria | None:
    if "?" not in value:
        return None
    match = _CONDITIONAL.fullmatch(value.removeprefix(context.base_url + "/"))
    return (match[1], parse_qsl(match[2], keep_blank_values=True)) if match else None


async def _target(criteria: Criteria, link: Link, resource: Resource, context: Context) -> str:
    try:
        return await _only_match(criteria, link.value, context)
    except FhirError as error:
        error.expression = (place_of(link, resource),)
        raise


async def _only_match(criteria: Criteria, reference: str, context: Context) -> str:
    type_, pairs = criteria
    if type_ not in context.definitions.resource_types:
        raise InvalidReference(
            f"The reference {reference} is to {type_!r}, which is not a resource type of FHIR R4."
        )
    ids = await matching_ids(type_, pairs, context)
    if len(ids) > 1:
        raise MultipleMatches(f"The reference {reference} matches several resources.")
    if not ids:
        raise NoMatch(f"The reference {reference} matches nothing.")
    return f"{type_}/{ids[0]}"
