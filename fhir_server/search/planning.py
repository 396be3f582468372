"""Planning: bound criteria become a plan, which begins at the index that has least to look at.

Each criterion can be tested; some can also drive, that is, an index can begin with them. What
drives is decided by a fixed rank, corrected by the store's estimates. Rewrites on the way:

    what nothing meets   AnyOf()                           →  IdIs() alone
    member and pair      patient=1 and code=x              →  DriverIs(patient 1 with code x)
    term and date        code=x and date≥d                 →  DriverIs(code x, end ≥ d)
    date alone           date≥d                            →  DriverIs(all, end ≥ d)
    circle               near=x,y                          →  IntervalIs(the box around them)

A driver that says exactly what a criterion says replaces it; otherwise the criterion stays a
test behind it. So the answer never depends on the choice.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from fhir_server.search.criterion import NOTHING, Criterion, Rank
from fhir_server.search.drivers import long
from fhir_server.search.openings import openings
from fhir_server.search.schemes import Scheme
from fhir_server.storage.query import (
    LONG,
    AllOf,
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
from fhir_server.storage.versions import EARLIEST, LATEST

Estimate = Callable[[str, Driver | None], Awaitable[int]]
"""`Store.estimate`: about how many live versions a driver yields, at most 1,000."""

OLDEST_FIRST: Final = Order()
"""By creation: the order when none is asked for."""
FEW: Final = 100
"""A driver that yields no more than this is taken without looking at others."""
MANY: Final = 1000
"""What `estimate` says at most: this many or more."""


class Candidate(msgspec.Struct, frozen=True):
    """One way to begin, and what remains to be tested."""

    driver: Driver | None
    rest: tuple[Test, ...]
    rank: Rank
    ordered: bool
    """Whether matches come out in the order wanted, so that a page need not see them all."""
    only: bool = False
    """Whether there is no other way."""

    @property
    def decisive(self) -> bool:
        """Whether nothing can be better: a few ids, or just what is wanted in its order."""
        return self.only or self.rank is Rank.ID or (self.ordered and not self.rest)


async def make_plan(
    scheme: Scheme,
    criteria: Sequence[Criterion],
    estimate: Estimate,
    *,
    order: Order = OLDEST_FIRST,
    ways: Iterable[Candidate] | None = None,
) -> Plan:
    """The plan of all criteria together; asks for estimates only when the choice is open.

    `ways` are the candidates, if they are known.
    """
    type_ = scheme.terms.type
    best, least = None, None
    for candidate in candidates(scheme, criteria, order) if ways is None else ways:
        if candidate.decisive:
            best = candidate
            break
        cost = _cost(await estimate(type_, candidate.driver), candidate)
        if least is None or cost < least:
            best, least = candidate, cost
        if cost <= (False, FEW):
            break
    return _plan(type_, best, criteria, order)


class Ways:
    """The candidates of one search, each made once, when it is first asked for."""

    def __init__(self, scheme: Scheme, criteria: Sequence[Criterion], order: Order) -> None:
        self._type = scheme.terms.type
        self._criteria = criteria
        self._order = order
        self._made = candidates(scheme, criteria, order)
        self._kept: list[Candidate] = []

    def __iter__(self) -> Iterator[Candidate]:
        at = 0
        while True:
            if at == len(self._kept):
                another = next(self._made, None)
                if another is None:
                    return
                self._kept.append(another)
            yield self._kept[at]
            at += 1

    def decided(self) -> Plan | None:
        """The plan of `make_plan` where there is no choice to ask for; None where there is one."""
        first = next(iter(self), None)
        if first is not None and not first.decisive:
            return None
        return _plan(self._type, first, self._criteria, self._order)


def _plan(
    type_: str, chosen: Candidate | None, criteria: Sequence[Criterion], order: Order
) -> Plan:
    if chosen is None:
        return Plan(type_, None, _tests(criteria, ()), order)
    return Plan(type_, chosen.driver, chosen.rest, order)


def dated_first(scheme: Scheme, criteria: Sequence[object], plan: Plan) -> Sequence[Plan]:
    """A plan in order of the main date as two: what has such a date, then what has none.

    Stores have it in front. One plan is enough where a criterion asks for the date.
    """
    if any(isinstance(each, Criterion) and each.main_date for each in criteria):
        return [plan]
    return [_dates_within(scheme, plan, window) for window in (_DATED, _UNDATED)]


def _dates_within(scheme: Scheme, plan: Plan, window: tuple[int, int]) -> Plan:
    drive = plan.drive
    if isinstance(drive, DriverIs):
        return replace(plan, drive=DriverIs(drive.drivers, window))
    return replace(plan, tests=(*plan.tests, DriverIs((scheme.terms.all,), window)))


_DATED: Final = (EARLIEST + 1, LATEST)
_UNDATED: Final = (EARLIEST, EARLIEST)


def _cost(count: int, candidate: Candidate) -> tuple[bool, int]:
    """Many matches out of order must all be seen and sorted before the first is known."""
    return count >= MANY and not candidate.ordered, count


def candidates(scheme: Scheme, criteria: Sequence[Criterion], order: Order) -> Iterator[Candidate]:
    """Ways to begin at an index, best rank first, each made when it is asked for."""
    if NOTHING in [criterion.test for criterion in criteria]:
        yield Candidate(IdIs(frozenset()), (), Rank.ID, ordered=True)
        return
    only = _only(criteria[0], order) if len(criteria) == 1 and order.by is By.ORDINAL else None
    if only is not None:
        yield only
        return
    window = _window(criteria)
    dated = scheme.main_date is not None and (window is not None or order.by is By.START)
    known = openings(criteria, dated=dated, updated=order.by is By.UPDATED)
    for opening in known:
        driver, says = opening.make(scheme, criteria), opening.says
        if window is not None and isinstance(driver, DriverIs):
            driver = _within(driver, window)
            says += window.says
        rest = _tests(criteria, says)
        yield Candidate(driver, rest, opening.rank, _keeps_order(driver, order), len(known) == 1)


def _only(criterion: Criterion, order: Order) -> Candidate | None:
    """The only way of a single criterion that an index answers, as most searches are."""
    driver = criterion.driver
    if driver is None or criterion.main_date or (criterion.members and criterion.pairs):
        return None
    return Candidate(driver, (), criterion.rank, _keeps_order(driver, order), only=True)


def _within(driver: DriverIs, window: "_Window") -> DriverIs:
    """The driver within a window. Long copies help where only the end has a lower bound."""
    helped = window.end[0] - LONG > window.start[0]
    copies = tuple(map(long, driver.drivers)) if helped else ()
    return DriverIs(driver.drivers, window.start, window.end, copies)


class _Window(msgspec.Struct, frozen=True):
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


def _tests(criteria: Sequence[Criterion], said: tuple[int, ...]) -> tuple[Test, ...]:
    """What remains to be tested; one test that says several things becomes several tests."""
    tests: list[Test] = []
    for index, criterion in enumerate(criteria):
        if index not in said:
            test = criterion.test
            tests.extend(test.tests if isinstance(test, AllOf) else (test,))
    return tuple(tests)


def _keeps_order(driver: Driver, order: Order) -> bool:
    match driver:
        case KeyIs(keys):
            return order.by is By.ORDINAL and len(keys) == 1
        case DriverIs():
            return order.by is By.START
        case UpdatedIn():
            return order.by is By.UPDATED
        case _:
            return False
