"""Conditional interactions: criteria in place of an id.

https://hl7.org/fhir/R4/http.html#ccreate

What was found is guarded: if the criteria match something else at the moment of the commit,
the interaction decides anew. So of racing conditional creates exactly one wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fhir_server.errors import MultipleMatches
from fhir_server.interactions.context import Context
from fhir_server.storage.query import Guard
from fhir_server.storage.versions import Version


@dataclass(frozen=True, slots=True)
class Match:
    """The one resource that meets the criteria, or None, and the promise that it stays so."""

    version: Version | None
    guard: Guard


async def match_one(type_: str, criteria: Sequence[tuple[str, str]], context: Context) -> Match:
    """The only match of the criteria; MultipleMatches if there are several."""
    plan = await context.searching.criteria_plan(type_, criteria, context.repository.estimate)
    page = await context.repository.find(replace(plan, limit=2))
    if len(page.versions) > 1:
        written = "&".join(f"{name}={value}" for name, value in criteria)
        raise MultipleMatches(
            f"Several {type_} resources match {written}; criteria must select at most one."
        )
    version = page.versions[0] if page.versions else None
    expected = frozenset([version.id] if version else [])
    return Match(version, Guard(plan, expected))
