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
    circle               near=x,y                          →  IntervalIs(the box around them)

A driver that says exactly what a criterion says replaces it; otherwise the criterion stays a
test behind it. So the answer never depends on the choice.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from functools import partial
from operator import attrgetter
from typing import Final

import msgspec
from msgspec.structs import replace

from fhir_server.search.drivers import long
from fhir_server.search.schemes import Scheme
from fhir_server.storage.query import (
    LONG,
    AllOf,
    AnyOf,
    By,
    Driver,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyHas,
    KeyIn,
    KeyIs,
    Not,
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
MANY: Final = 1000
"""What `estimate` says at most: this many or more."""
MOST_TERMS: Final = 200
"""Most driver terms in one driver; stores merge that many ordered scans."""


_DRIVERS: Final[frozenset[type]] = frozenset(
    {KeyIs, KeyIn, KeyHas, DriverIs, IntervalIs, IdIs, UpdatedIn}
)


class Rank(IntEnum):
    """How selective a criterion usually is: the lower, the better to begin with."""

    ID = 0
    PAIR = 1
    IDENTIFIER = 2
    REFERENCE = 3
    TERM_AND_DATE = 4
    URI = 5
    TOKEN = 6
    DATE_ALONE = 7
    INTERVAL = 8
    STRING = 9
    UPDATED = 10
    CATEGORY = 11
    ANYWHERE = 12


class Criterion(msgspec.Struct, frozen=True):
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

    @property
    def driver(self) -> Driver | None:
        """The test, if an index can begin with it."""
        return self.test if type(self.test) in _DRIVERS else None  # type: ignore[return-value]  # these are the drivers

    @property
    def around(self) -> Driver | None:
        """What every match meets and others may, where the test itself is no driver."""
        return around(self.test) if isinstance(self.test, AllOf | AnyOf) else None


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


def any_of(tests: Sequence[Test]) -> Test:
    """Alternatives as one test that an index can begin with, where there is such a test."""
    if len(tests) == 1:
        return tests[0]
    flat = [each for test in tests for each in (test.tests if isinstance(test, AnyOf) else (test,))]
    keys = [key for test in flat if isinstance(test, KeyIs) for key in test.keys]
    ids = frozenset(id_ for test in flat if isinstance(test, IdIs) for id_ in test.ids)
    others = [test for test in flat if not isinstance(test, KeyIs | IdIs)]
    merged: list[Test] = [KeyIs(tuple(dict.fromkeys(keys)))] if keys else []
    merged += [IdIs(ids)] if ids else []
    merged += dict.fromkeys(others)
    if len(merged) == 1:
        return merged[0]
    return AnyOf(tuple(merged)) if merged else NOTHING


def around(test: Test) -> Driver | None:
    """A driver that whatever meets the test meets too; None where none is to be seen.

    all of them     any one; a box around the rest comes first
    any of them     the keys of all, or one interval from the least to the greatest
    """
    match test:
        case AllOf(tests):
            return next((driver for each in tests if (driver := around(each))), None)
        case AnyOf(tests):
            drivers = [around(each) for each in tests]
            return _spanning(drivers)
        case Not():
            return None
        case _:
            return test


def _spanning(drivers: Sequence[Driver | None]) -> Driver | None:
    keys = [key for driver in drivers if isinstance(driver, KeyIs) for key in driver.keys]
    spans = [driver for driver in drivers if isinstance(driver, IntervalIs)]
    if drivers and all(isinstance(driver, KeyIs) for driver in drivers):
        return KeyIs(tuple(dict.fromkeys(keys)))
    if len(spans) == len(drivers) and len({span.key for span in spans}) == 1:
        lows, highs = [span.low for span in spans], [span.high for span in spans]
        return IntervalIs(spans[0].key, _hull(lows), _hull(highs))
    return None


def _hull(ranges: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return min(low for low, _ in ranges), max(high for _, high in ranges)


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
    """Candidates for whoever asks, each made once, when it is first asked for."""

    def __init__(self, made: Iterator[Candidate]) -> None:
        self._made = made
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


def decided(scheme: Scheme, criteria: Sequence[Criterion], order: Order, ways: Ways) -> Plan | None:
    """The plan of `make_plan` where there is no choice to ask for; None where there is one."""
    first = next(iter(ways), None)
    if first is not None and not first.decisive:
        return None
    return _plan(scheme.terms.type, first, criteria, order)


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
    openings = [*_as_they_are(criteria), *_pairs(scheme, criteria)]
    if scheme.main_date is not None and (window is not None or order.by is By.START):
        openings += _dated(scheme, criteria)
    if order.by is By.UPDATED:
        openings.append(_Opening(Rank.UPDATED, UpdatedIn, ()))
    openings.sort(key=_by_rank)
    single = len(openings) == 1
    for opening in openings:
        driver, says = opening.make(), opening.says
        if window is not None and isinstance(driver, DriverIs):
            driver = _within(driver, window)
            says += window.says
        rest = _tests(criteria, says)
        yield Candidate(driver, rest, opening.rank, _keeps_order(driver, order), single)


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


class _Opening(msgspec.Struct, frozen=True):
    """A driver to be made, and which criteria it says exactly."""

    rank: Rank
    make: Callable[[], Driver]
    says: tuple[int, ...]


_by_rank = attrgetter("rank")


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


def _as_they_are(criteria: Sequence[Criterion]) -> Iterator[_Opening]:
    """Criteria that an index can begin with; the main date has drivers that are ordered by it."""
    for index, criterion in enumerate(criteria):
        driver = criterion.driver
        if criterion.main_date:
            continue
        if driver is not None:
            yield _Opening(criterion.rank, partial(_itself, driver), (index,))
        elif (wider := criterion.around) is not None:
            yield _Opening(criterion.rank, partial(_itself, wider), ())


def _itself(driver: Driver) -> Driver:
    return driver


def _pairs(scheme: Scheme, criteria: Sequence[Criterion]) -> Iterator[_Opening]:
    """A member's versions that also have a key, found under one term each."""
    paired = [(index, each) for index, each in enumerate(criteria) if each.pairs]
    for index, member in enumerate(criteria) if paired else ():
        for other, pair in paired:
            if 0 < len(member.members) * len(pair.pairs) <= MOST_TERMS:
                says = (index, other) if member.members_exact else (other,)
                yield _Opening(Rank.PAIR, partial(_pair_driver, scheme, member, pair), says)


def _pair_driver(scheme: Scheme, member: Criterion, paired: Criterion) -> Driver:
    pair = scheme.terms.pair
    return DriverIs(tuple(pair(term, key) for term in member.members for key in paired.pairs))


def _dated(scheme: Scheme, criteria: Sequence[Criterion]) -> Iterator[_Opening]:
    """Drivers ordered by date: worth it for a window, or when that is the order wanted."""
    for index, criterion in enumerate(criteria):
        if criterion.members:
            says = (index,) if criterion.members_exact else ()
            yield _Opening(Rank.REFERENCE, partial(DriverIs, criterion.members), says)
        elif criterion.pairs and criterion.alone:
            yield _Opening(Rank.TERM_AND_DATE, partial(_single_driver, scheme, criterion), (index,))
    yield _Opening(Rank.DATE_ALONE, partial(DriverIs, (scheme.terms.all,)), ())


def _single_driver(scheme: Scheme, criterion: Criterion) -> Driver:
    return DriverIs(tuple(map(scheme.terms.single, criterion.pairs)))


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
