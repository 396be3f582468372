"""Explaining: which way a search takes through the indexes, and which others it could take.

`_explain=true` asks for it. What is told is read off the very plan that would be carried out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fhir_server.errors import FhirError
from fhir_server.search.criterion import Criterion, Rank
from fhir_server.search.planning import Candidate, candidates, make_plan
from fhir_server.search.resolving import Deferred, Finder
from fhir_server.search.schemes import PATIENT, Scheme
from fhir_server.search.usage import usage_of
from fhir_server.storage.query import AllOf, Driver, Order, Plan
from fhir_server.storage.versions import Page

INDEXES: Final[Mapping[Rank, str]] = {
    Rank.ID: "ids",
    Rank.PAIR: "what a patient has of a code",
    Rank.IDENTIFIER: "identifiers",
    Rank.REFERENCE: "references",
    Rank.TERM_AND_DATE: "codes in order of date",
    Rank.URI: "uris",
    Rank.TOKEN: "tokens",
    Rank.DATE_ALONE: "all of the type in order of date",
    Rank.INTERVAL: "dates, numbers, quantities and places",
    Rank.STRING: "strings by their beginning",
    Rank.UPDATED: "times of change",
    Rank.CATEGORY: "tokens of few values",
    Rank.ANYWHERE: "strings, each of which is looked through",
}
"""What each rank begins with, in words."""


_MEMBER: Final = "patient"
"""The parameter that most types have for the patient they belong to."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to begin."""

    rank: Rank
    driver: Driver | None
    begins: tuple[str, ...]
    """Parameters that the index answers."""
    tests: tuple[str, ...]
    """Parameters that are tested afterwards, on each resource the index yields."""
    estimate: int
    """About how many resources it yields; 1,000 stands for that many or more."""
    ordered: bool
    """Whether matches come out in the order wanted."""


@dataclass(frozen=True, slots=True)
class Step:
    """A search that had to be answered before."""

    code: str
    """The parameter that needs it, as it was sent."""
    type: str
    found: int


@dataclass(slots=True)
class Explanation:
    """How one resource type is searched."""

    type: str
    criteria: tuple[str, ...]
    steps: list[Step] = field(default_factory=list)
    plan: Plan | None = None
    """What would be asked of the store; None when it was refused before."""
    ways: tuple[Way, ...] = ()
    refused: FhirError | None = None
    """Why there is no plan."""

    @property
    def chosen(self) -> Way | None:
        """The way of the plan; None when it begins at no index."""
        drive = self.plan.drive if self.plan is not None else None
        return next((way for way in self.ways if way.driver == drive), None)


async def explain(
    scheme: Scheme, criteria: Sequence[Criterion | Deferred], finder: Finder, order: Order
) -> Explanation:
    """The explanation of one type; what refuses the search is part of it."""
    told = Explanation(scheme.terms.type, tuple(each.code for each in criteria))
    try:
        known = [await _resolve(each, finder, told.steps) for each in criteria]
        told.plan = await make_plan(scheme, known, finder.estimate, order=order)
        ways = candidates(scheme, known, order)
        told.ways = tuple([await _way(scheme, known, each, finder) for each in ways])
    except FhirError as refusal:
        told.refused = refusal
    return told


def narrowing(
    scheme: Scheme, criteria: Sequence[str], knows: Callable[[str], bool]
) -> Sequence[str]:
    """Parameters that narrow a search of a type most, best first, without those it has.

    `knows` tells whether the type has a parameter.
    """
    date = usage_of(scheme.terms.type).date if scheme.main_date is not None else None
    members = sorted(scheme.memberships, key=lambda code: (code != _MEMBER, code))
    one = members[:1] if scheme.terms.type != PATIENT else []
    best = [*one, *filter(knows, ("identifier",)), *sorted(scheme.codes), date, "_lastUpdated"]
    names = {code.partition(":")[0].partition(".")[0] for code in criteria}
    return [code for code in best if code and code not in names]


async def _resolve(each: Criterion | Deferred, finder: Finder, steps: list[Step]) -> Criterion:
    if isinstance(each, Criterion):
        return each
    return await each.resolve(_Watching(finder, each.code, steps))


async def _way(
    scheme: Scheme, criteria: Sequence[Criterion], candidate: Candidate, finder: Finder
) -> Way:
    tested = [each for each in criteria if _is_tested(each, candidate)]
    return Way(
        candidate.rank,
        candidate.driver,
        tuple(each.code for each in criteria if each not in tested),
        tuple(each.code for each in tested),
        await finder.estimate(scheme.terms.type, candidate.driver),
        candidate.ordered,
    )


def _is_tested(criterion: Criterion, candidate: Candidate) -> bool:
    test = criterion.test
    parts = test.tests if isinstance(test, AllOf) else (test,)
    return all(any(part is left for left in candidate.rest) for part in parts)


class _Watching:
    """A finder that notes what was asked of it for one criterion."""

    def __init__(self, finder: Finder, code: str, steps: list[Step]) -> None:
        self._finder = finder
        self._code = code
        self._steps = steps

    async def estimate(self, type_: str, driver: Driver | None) -> int:
        return await self._finder.estimate(type_, driver)

    async def find(self, plan: Plan) -> Page:
        found = await self._finder.find(plan)
        self._steps.append(Step(self._code, plan.type, len(found.versions)))
        return found

    async def find_ids(self, plan: Plan) -> Sequence[str]:
        found = await self._finder.find_ids(plan)
        self._steps.append(Step(self._code, plan.type, len(found)))
        return found

    async def find_keys(self, plan: Plan, low: bytes, high: bytes) -> Sequence[bytes]:
        found = await self._finder.find_keys(plan, low, high)
        self._steps.append(Step(self._code, plan.type, len(found)))
        return found

    async def count(self, plan: Plan, cap: int | None = None) -> tuple[int, bool]:
        return await self._finder.count(plan, cap)
