"""Planning: bound criteria become a plan, which begins at the index that has least to look at.

Each criterion can be tested; some can also drive, that is, an index can begin with them. What
drives is decided by a fixed rank, corrected by the store's estimates. Rewrites on the way:

    one alternative      AnyOf(t)                          →  t
    alternative keys     AnyOf(KeyIs(a), KeyIs(b))         →  KeyIs(a, b)
    alternative ids      AnyOf(IdIs(a), IdIs(b))           →  IdIs(a, b)
    what nothing meets   AnyOf()                           →  IdIs() alone
    member and pair      patient=1 and code=x              →  DriverIs(patient 1 with code x)
    term and date        code=x and date≥d                 →  DriverIs(code x, end ≥ d)
    date alone           date≥d                            →  DriverIs(all, end ≥ d)

A driver that says exactly what a criterion says replaces it; otherwise the criterion stays a
test behind it. So the answer never depends on the choice.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import product
from typing import Final

from fhir_server.search.schemes import Scheme
from fhir_server.storage.query import (
    AllOf,
    AnyOf,
    By,
    Driver,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyIs,
    Order,
    Plan,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import EARLIEST, LATEST, Key

Estimate = Callable[[str, Driver | None], Awaitable[int]]
"""`Store.estimate`: about how many live versions a driver yields, at most 1,000."""

OLDEST_FIRST: Final = Order()
"""By creation: the order when none is asked for."""
NOTHING: Final = AnyOf(())
"""The test that nothing meets."""
FEW: Final = 100
"""A driver that yields no more than this is taken without looking at others."""
MOST_TERMS: Final = 200
"""Most driver terms in one driver; stores merge that many ordered scans."""


class Rank(IntEnum):
    """How selective a criterion usually is: the lower, the better to begin with."""

    ID = 0
    PAIR = 1
    IDENTIFIER = 2
    REFERENCE = 3
    TERM_AND_DATE = 4
    URI = 5
    TOKEN = 6
    INTERVAL = 7
    STRING = 8
    UPDATED = 9
    CATEGORY = 10
    DATE_ALONE = 11
    EVERYTHING = 12


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion as a test, and what an index can make of it."""

    code: str
    """The parameter's name, for explanations."""
    test: Test
    rank: Rank
    members: tuple[bytes, ...] = ()
    """Membership terms of which every match carries one, such as a patient's."""
    members_exact: bool = False
    """Whether carrying one of `members` also means to match."""
    pairs: tuple[Key, ...] = ()
    """Keys that are drivers with a member; every match carries one, and who does matches."""
    alone: bool = False
    """Whether these keys are drivers without a member as well."""
    main_date: bool = False
    """Whether the test is about the date by which drivers are ordered."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to begin, and what remains to be tested."""

    driver: Driver | None
    rest: tuple[Test, ...]
    rank: Rank
    ordered: bool
    """Whether matches come out in the order wanted, so that a page need not see them all."""

    @property
    def decisive(self) -> bool:
        return self.rank is Rank.ID or (self.ordered and not self.rest and self.driver is not None)


def any_of(tests: Sequence[Test]) -> Test:
    """Alternatives as one test that an index can begin with, where there is such a test."""
    flat = [each for test in tests for each in (test.tests if isinstance(test, AnyOf) else (test,))]
    keys = [key for test in flat if isinstance(test, KeyIs) for key in test.keys]
    ids = frozenset(id_ for test in flat if isinstance(test, IdIs) for id_ in test.ids)
    others = [test for test in flat if not isinstance(test, KeyIs | IdIs)]
    merged: list[Test] = [KeyIs(tuple(dict.fromkeys(keys)))] if keys else []
    merged += [IdIs(ids)] if ids else []
    merged += dict.fromkeys(others)
    return merged[0] if len(merged) == 1 else AnyOf(tuple(merged))


async def make_plan(
    scheme: Scheme,
    criteria: Sequence[Criterion],
    estimate: Estimate,
    *,
    order: Order = OLDEST_FIRST,
) -> Plan:
    """The plan of all criteria together; asks for estimates only when the choice is open."""
    choices = candidates(scheme, criteria, order)
    best = choices[0] if choices[0].decisive or len(choices) == 1 else None
    if best is None:
        best = await _cheapest(scheme.terms.type, choices, estimate)
    return Plan(scheme.terms.type, best.driver, best.rest, order)


async def _cheapest(type_: str, choices: Sequence[Candidate], estimate: Estimate) -> Candidate:
    best, least = choices[0], None
    for choice in choices:
        if choice.driver is None:
            continue
        count = await estimate(type_, choice.driver)
        if least is None or count < least:
            best, least = choice, count
        if count <= FEW:
            break
    return best


def candidates(scheme: Scheme, criteria: Sequence[Criterion], order: Order) -> Sequence[Candidate]:
    """Every way to begin, best rank first; the last resort is to look at every version."""
    if any(criterion.test == NOTHING for criterion in criteria):
        return [Candidate(IdIs(frozenset()), (), Rank.ID, ordered=True)]
    window = _window(criteria)
    found = [*_pairs(scheme, criteria, window, order), *_dated(scheme, criteria, window, order)]
    for index, criterion in enumerate(criteria):
        if isinstance(criterion.test, Driver):
            rest = _tests(criteria, (index,))
            ordered = _keeps_order(criterion.test, order)
            found.append(Candidate(criterion.test, rest, criterion.rank, ordered))
    everything = Candidate(None, _tests(criteria, ()), Rank.EVERYTHING, ordered=True)
    found.sort(key=lambda candidate: (not candidate.decisive, candidate.rank))
    return [*found, everything]


@dataclass(frozen=True, slots=True)
class _Window:
    """Bounds on the main date, and which criteria they say exactly."""

    start: tuple[int, int]
    end: tuple[int, int]
    says: tuple[int, ...]


def _window(criteria: Sequence[Criterion]) -> _Window | None:
    start, end, says = (EARLIEST + 1, LATEST), (EARLIEST + 1, LATEST), []
    for index, criterion in enumerate(criteria):
        test = criterion.test
        if criterion.main_date and isinstance(test, IntervalIs):
            start = _both(start, test.low)
            end = _both(end, test.high)
            says.append(index)
    return _Window(start, end, tuple(says)) if says else None


def _both(window: tuple[int, int], other: tuple[float, float]) -> tuple[int, int]:
    return max(window[0], int(other[0])), min(window[1], int(other[1]))


def _pairs(
    scheme: Scheme, criteria: Sequence[Criterion], window: _Window | None, order: Order
) -> Iterable[Candidate]:
    for (one, member), (two, paired) in product(enumerate(criteria), repeat=2):
        if not 0 < len(member.members) * len(paired.pairs) <= MOST_TERMS:
            continue
        drivers = [scheme.terms.pair(m, k) for m, k in product(member.members, paired.pairs)]
        says = (one, two) if member.members_exact else (two,)
        yield _driven(drivers, window, criteria, says, Rank.PAIR, order)


def _dated(
    scheme: Scheme, criteria: Sequence[Criterion], window: _Window | None, order: Order
) -> Iterable[Candidate]:
    """Drivers ordered by date: worth it for a window, or when that is the order wanted."""
    if scheme.main_date is None or (window is None and order.by is not By.START):
        return
    for index, criterion in enumerate(criteria):
        if criterion.members:
            says = (index,) if criterion.members_exact else ()
            drivers: Sequence[bytes] = criterion.members
            yield _driven(drivers, window, criteria, says, Rank.REFERENCE, order)
        elif criterion.pairs and criterion.alone:
            drivers = [scheme.terms.single(key) for key in criterion.pairs]
            yield _driven(drivers, window, criteria, (index,), Rank.TERM_AND_DATE, order)
    yield _driven([scheme.terms.all], window, criteria, (), Rank.DATE_ALONE, order)


def _driven(
    drivers: Sequence[bytes],
    window: _Window | None,
    criteria: Sequence[Criterion],
    says: tuple[int, ...],
    rank: Rank,
    order: Order,
) -> Candidate:
    driver = DriverIs(tuple(dict.fromkeys(drivers)))
    if window is not None:
        driver = replace(driver, start=window.start, end=window.end)
        says += window.says
    return Candidate(driver, _tests(criteria, says), rank, _keeps_order(driver, order))


def _tests(criteria: Sequence[Criterion], said: tuple[int, ...]) -> tuple[Test, ...]:
    tests: list[Test] = []
    for index, criterion in enumerate(criteria):
        if index not in said:
            test = criterion.test
            tests.extend(test.tests if isinstance(test, AllOf) else (test,))
    return tuple(dict.fromkeys(tests))


def _keeps_order(driver: Driver, order: Order) -> bool:
    match driver:
        case KeyIs(keys):
            return order.by is By.ORDINAL and len(keys) == 1
        case DriverIs():
            return order.by is By.START
        case UpdatedIn():
            return order.by is By.UPDATED
        case _:
            return isinstance(driver, IdIs)
