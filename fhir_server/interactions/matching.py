"""Conditional interactions: criteria in place of an id.

https://hl7.org/fhir/R4/http.html#ccreate

What was found is guarded: if the criteria match something else at the moment of the commit,
the interaction decides anew. So of racing conditional creates exactly one wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from fhir_server.errors import MultipleMatches
from fhir_server.interactions.context import Context
from fhir_server.storage.query import Guard, IdIs, Not
from fhir_server.storage.versions import Version

_GUARDED = 2
"""Most matches that a guard can tell apart from more."""


@dataclass(frozen=True, slots=True)
class Match:
    """The one resource that meets the criteria, or None, and the promise that it stays so."""

    version: Version | None
    guard: Guard


@dataclass(frozen=True, slots=True)
class Ids:
    """Who meets the criteria, and the promise that it stays so."""

    found: Sequence[str]
    guard: Guard


async def match_one(type_: str, criteria: Sequence[tuple[str, str]], context: Context) -> Match:
    """The only match of the criteria; MultipleMatches if there are several.

    In a transaction what it deletes is no match any more, though a guard still expects it.
    """
    context.vocabulary().require_built(type_, criteria)
    plan = await context.searching.criteria_plan(type_, criteria, context.repository)
    page = await context.repository.find(replace(plan, limit=_GUARDED + 1))
    found = page.versions
    left = [version for version in found if not context.drafted.deletes(type_, version.id)]
    if len(left) > 1 or len(found) > _GUARDED:
        written = "&".join(f"{name}={value}" for name, value in criteria)
        raise MultipleMatches(
            f"Several {type_} resources match {written}; criteria must select at most one."
        )
    expected = frozenset(version.id for version in found)
    return Match(left[0] if left else None, Guard(plan, expected))


async def match_ids(type_: str, criteria: Sequence[tuple[str, str]], context: Context) -> Ids:
    """What meets the criteria, a transaction's own writes included; two of them if there are more.

    What the transaction writes itself needs no guard, so the guard is of what others may change.
    """
    context.vocabulary().require_built(type_, criteria)
    plan = await context.searching.criteria_plan(type_, criteria, context.repository)
    written = context.drafted.ids(type_)
    stored = await context.repository.find_ids(replace(plan, limit=2 + len(written)))
    kept = [id_ for id_ in stored if id_ not in written]
    drafted = await context.drafted.matches(plan)
    own = IdIs(frozenset(stored).difference(kept))
    guarded = replace(plan, tests=(*plan.tests, Not(own))) if own.ids else plan
    return Ids([*drafted, *kept][:2], Guard(guarded, frozenset(kept)))
