"""References in resources on their way in: conditional ones and those to entries of a bundle.

https://hl7.org/fhir/R4/http.html#trules

`Type?criteria` becomes the one resource that matches. In a transaction what names another
entry by its fullUrl becomes that entry's `Type/id`.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl

from fhir_server.errors import FhirError, InvalidReference, MultipleMatches, NoMatch
from fhir_server.interactions.context import Context
from fhir_server.interactions.links import TEMPORARY, Link, references_in
from fhir_server.interactions.matching import match_ids
from fhir_server.interactions.request import Resource
from fhir_server.storage.query import Guard

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]{1,63})\?(.+)", re.DOTALL)

NO_ENTRIES: Final[Mapping[str, str]] = MappingProxyType({})
"""Outside a transaction."""

Criteria = tuple[str, Sequence[tuple[str, str]]]
"""A type, and the pairs that one resource of it must meet."""


class Directory:
    """Where references lead, in one attempt to write: to entries of a bundle, or by criteria.

    Always starts from links as they were sent, so that each attempt can do it again.
    """

    def __init__(self, context: Context, entries: Mapping[str, str] = NO_ENTRIES) -> None:
        """`entries`: fullUrl to the `Type/id` where the entry will be."""
        self._context = context
        self._entries = entries
        self._found: dict[str, str] = {}
        self.guards: list[Guard] = []
        """That what criteria found stays the one they find."""

    def point(self, links: Sequence[Link], root: str) -> None:
        """Point links at entries, others back at what was sent; `root` is of their own fullUrl."""
        for link in links:
            link.holder[link.key] = self._entry(link, root) or link.value

    async def follow(self, links: Sequence[Link], root: str = "") -> None:
        """Replace references with criteria by what meets them.

        NoMatch or MultipleMatches, with the place, when that is not one resource.
        """
        for link in links:
            if "?" in link.value and link.is_reference and not self._entry(link, root):
                criteria = criteria_of(link.value, self._context)
                if criteria is not None:
                    link.holder[link.key] = await self._target(criteria, link)

    def require_entries(self, links: Sequence[Link], root: str) -> None:
        """InvalidReference, with the place, for a reference to an entry that is not there."""
        for link in temporary(links):
            if link.is_reference and not self._entry(link, root):
                raise InvalidReference(
                    f"No entry of the transaction has the fullUrl {link.value}.",
                    expression=[link.place],
                )

    def _entry(self, link: Link, root: str) -> str | None:
        return self._entries.get(link.value) or self._entries.get(root + link.value)

    async def _target(self, criteria: Criteria, link: Link) -> str:
        if link.value not in self._found:
            try:
                id_, guard = await _only_match(criteria, link.value, self._context)
            except FhirError as error:
                error.expression = (link.place,)
                raise
            self._found[link.value] = f"{criteria[0]}/{id_}"
            self.guards.append(guard)
        return self._found[link.value]


def criteria_of(value: str, context: Context) -> Criteria | None:
    """What a conditional reference looks for; None when it is another reference."""
    if "?" not in value:
        return None
    match = _CONDITIONAL.fullmatch(value.removeprefix(context.base_url + "/"))
    return (match[1], parse_qsl(match[2], keep_blank_values=True)) if match else None


def unsettled(resource: Resource) -> list[Link]:
    """The references of a resource that cannot stay as they are, or should not."""
    if _is_settled(resource):
        return []
    return [
        link
        for link in references_in(resource)
        if "?" in link.value or link.value.startswith(TEMPORARY)
    ]


def _is_settled(resource: Resource) -> bool:
    """Whether there surely is none, as in most resources: a walk that notes nothing is quick."""
    nodes = [resource]
    for node in nodes:
        for name, value in node.items():
            kind = type(value)
            if kind is str:
                if name == "reference" and ("?" in value or value.startswith(TEMPORARY)):
                    return False
            elif kind is dict:
                nodes.append(value)
            elif kind is list:
                nodes += [each for each in value if type(each) is dict]
    return True


def temporary(links: Sequence[Link]) -> list[Link]:
    """Those that name an entry of a bundle."""
    return [link for link in links if link.value.startswith(TEMPORARY)]


def warnings_of(links: Sequence[Link]) -> list[str]:
    """A warning of the references that name an entry of a bundle, outside a transaction."""
    unresolved = temporary(links)
    if not unresolved:
        return []
    first, others = unresolved[-1], len(unresolved) - 1  # the walk goes from the end
    more = f" (and {others} more)" if others else ""
    warning = (
        f"{first.place}{more}: {first.value} names an entry of a bundle, which only a transaction "
        "resolves; it was stored as it is."
    )
    return [warning]


async def _only_match(criteria: Criteria, reference: str, context: Context) -> tuple[str, Guard]:
    type_, pairs = criteria
    if type_ not in context.definitions.resource_types:
        raise InvalidReference(
            f"The reference {reference} is to {type_!r}, which is not a resource type of FHIR R4."
        )
    ids = await match_ids(type_, pairs, context)
    if len(ids.found) > 1:
        raise MultipleMatches(f"The reference {reference} matches several resources.")
    if not ids.found:
        raise NoMatch(f"The reference {reference} matches nothing.")
    return ids.found[0], ids.guard
