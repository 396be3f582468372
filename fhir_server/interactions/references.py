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
from fhir_server.interactions.links import TEMPORARY, Link
from fhir_server.interactions.matching import matching_ids

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]{1,63})\?(.+)", re.DOTALL)

Criteria = tuple[str, Sequence[tuple[str, str]]]
"""A type, and the pairs that one resource of it must meet."""


async def resolve_conditional(links: Sequence[Link], context: Context) -> list[str]:
    """Replace conditional references in place; returns a warning of those nobody can follow.

    Always starts from the links as they were sent, so it can be done again. NoMatch or
    MultipleMatches, with the place, when criteria do not select one resource.
    """
    found: dict[str, str] = {}
    temporary = [link for link in links if link.value.startswith(TEMPORARY)]
    for link in links:
        criteria = _criteria(link.value, context)
        if criteria is not None:
            if link.value not in found:
                found[link.value] = await _target(criteria, link, context)
            link.holder[link.key] = found[link.value]
    return [_unresolved(temporary)] if temporary else []


def _unresolved(links: Sequence[Link]) -> str:
    first, others = links[-1], len(links) - 1  # the walk goes from the end
    more = f" (and {others} more)" if others else ""
    return (
        f"{first.place}{more}: {first.value} names an entry of a bundle, which only a transaction "
        "resolves; it was stored as it is."
    )


class Directory:
    """Where the entries of one transaction will be: fullUrl to `Type/id`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._entries: dict[str, str] = {}
        self._found: dict[str, str] = {}

    def add(self, full_url: str, target: str) -> None:
        if full_url:
            self._entries[full_url] = target

    async def resolve(self, links: Sequence[Link], base: str) -> None:
        """Point the links of one entry at their targets; `base` is the root of its fullUrl.

        Always starts from the links as they were sent, so it can be done again.
        """
        for link in links:
            value = link.value
            target = self._entries.get(value) or self._entries.get(base + value)
            if target is None and link.is_reference:
                target = await self._follow(link)
            link.holder[link.key] = target or value

    async def _follow(self, link: Link) -> str | None:
        if link.value.startswith(TEMPORARY):
            raise InvalidReference(
                f"No entry of the transaction has the fullUrl {link.value}.",
                expression=[link.place],
            )
        criteria = _criteria(link.value, self._context)
        if criteria is None:
            return None
        if link.value not in self._found:
            self._found[link.value] = await _target(criteria, link, self._context)
        return self._found[link.value]


def _criteria(value: str, context: Context) -> Criteria | None:
    if "?" not in value:
        return None
    match = _CONDITIONAL.fullmatch(value.removeprefix(context.base_url + "/"))
    return (match[1], parse_qsl(match[2], keep_blank_values=True)) if match else None


async def _target(criteria: Criteria, link: Link, context: Context) -> str:
    try:
        return await _only_match(criteria, link.value, context)
    except FhirError as error:
        error.expression = (link.place,)
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
