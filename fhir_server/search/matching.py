"""Matching: whether one resource meets a plan, decided here and not by a store.

A transaction asks it of what it is about to write. The meaning of each test is that of
`storage/query.py`, to which a test holds it.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fhir_server.storage.query import (
    AllOf,
    AnyOf,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyHas,
    KeyIn,
    KeyIs,
    Not,
    Plan,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import Key, Terms


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live resource as far as tests look at it."""

    id: str
    updated: int
    terms: Terms


_Placed = tuple[Any, float, str]
"""A driver or an interval's key, where on its axis something begins, and the id of what does."""


class Candidates:
    """Candidates of one type under their terms, so that a plan needs to look at few of them."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._all = {candidate.id: candidate for candidate in candidates}
        self._by_term: dict[Key, list[str]] = defaultdict(list)
        drivers: list[_Placed] = []
        intervals: list[_Placed] = []
        for candidate in self._all.values():
            id_, terms = candidate.id, candidate.terms
            for key in terms.keys:
                self._by_term[key].append(id_)
            drivers += [(driver, terms.start, id_) for driver in terms.drivers]
            intervals += [(key, low, id_) for key, low, _ in terms.intervals]
        self._drivers, self._intervals = sorted(drivers), sorted(intervals)
        self._sorted: Mapping[type, Sequence[Any]] = {
            kind: sorted(key for key in self._by_term if type(key) is kind) for kind in (bytes, str)
        }

    def among(self, plan: Plan) -> Collection[Candidate]:
        """Every candidate that meets the plan, and as few others as its tests can tell."""
        tests = plan.tests if plan.drive is None else (plan.drive, *plan.tests)
        ids = self._narrowest(tests)
        return self._all.values() if ids is None else [self._all[id_] for id_ in ids]

    def _narrowest(self, tests: Iterable[Test]) -> Collection[str] | None:
        told = (self._ids(test) for test in tests)
        return min((ids for ids in told if ids is not None), key=len, default=None)

    def _ids(self, test: Test) -> Collection[str] | None:
        """Ids of all that the test may hold for, each once; None when that is anybody."""
        match test:
            case KeyIs(keys):
                return _union(self._by_term.get(key, ()) for key in keys)
            case KeyIn(low, high):
                return self._between(low, high)
            case KeyHas():
                return self._between(*test.range)
            case DriverIs(drivers, start):
                return _union(_within_ends(self._drivers, driver, start) for driver in drivers)
            case IntervalIs((key, last), ends) if key == last:
                return _union([_within_ends(self._intervals, key, ends)])
            case IdIs(ids):
                return [id_ for id_ in ids if id_ in self._all]
            case AllOf(tests):
                return self._narrowest(tests)
            case AnyOf(tests):
                told = [self._ids(each) for each in tests]
                known = [ids for ids in told if ids is not None]
                return _union(known) if len(known) == len(told) else None
        return None

    def _between(self, low: Any, high: Any) -> Collection[str]:
        keys = self._sorted[type(low)]
        within = keys[bisect_left(keys, low) : bisect_left(keys, high)]
        return _union(self._by_term[key] for key in within)


def _within_ends(
    placed: Sequence[_Placed], term: bytes | int, ends: tuple[float, float]
) -> Iterable[str]:
    """Ids that lie under the term, and between the ends, which are included."""
    start = bisect_left(placed, (term, ends[0]), key=_place)
    stop = bisect_right(placed, (term, ends[1]), key=_place)
    return (id_ for _, _, id_ in placed[start:stop])


def _place(placed: _Placed) -> tuple[Any, float]:
    return placed[0], placed[1]


def _union(parts: Iterable[Iterable[str]]) -> Collection[str]:
    return dict.fromkeys(id_ for part in parts for id_ in part)


def meets(plan: Plan, candidate: Candidate) -> bool:
    """Whether a resource of the plan's type meets its driver and every test."""
    driven = plan.drive is None or holds(plan.drive, candidate)
    return driven and all(holds(test, candidate) for test in plan.tests)


def holds(test: Test, candidate: Candidate) -> bool:
    return _MEANINGS[type(test)](test, candidate)


def _key_in(test: KeyIn, candidate: Candidate) -> bool:
    low: Any = test.low
    high: Any = test.high
    kind = type(low)
    return any(type(key) is kind and low <= key < high for key in candidate.terms.keys)


def _key_has(test: KeyHas, candidate: Candidate) -> bool:
    behind = len(test.beginning)
    return any(
        type(key) is str and key.startswith(test.beginning) and test.part in key[behind:]
        for key in candidate.terms.keys
    )


def _driver_is(test: DriverIs, candidate: Candidate) -> bool:
    terms = candidate.terms
    return (
        _within(terms.start, test.start)
        and _within(terms.end, test.end)
        and _share(terms.drivers, test.drivers)
    )


def _interval_is(test: IntervalIs, candidate: Candidate) -> bool:
    return any(
        _within(key, test.key) and _within(low, test.low) and _within(high, test.high)
        for key, low, high in candidate.terms.intervals
    )


def _within(value: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= value <= ends[1]


def _share(some: Iterable[Any], others: Iterable[Any]) -> bool:
    return not frozenset(some).isdisjoint(others)


_MEANINGS: Final[Mapping[type, Callable[[Any, Candidate], bool]]] = {
    KeyIs: lambda test, candidate: _share(test.keys, candidate.terms.keys),
    KeyIn: _key_in,
    KeyHas: _key_has,
    DriverIs: _driver_is,
    IntervalIs: _interval_is,
    IdIs: lambda test, candidate: candidate.id in test.ids,
    UpdatedIn: lambda test, candidate: test.low <= candidate.updated < test.high,
    Not: lambda test, candidate: not holds(test.test, candidate),
    AnyOf: lambda test, candidate: any(holds(part, candidate) for part in test.tests),
    AllOf: lambda test, candidate: all(holds(part, candidate) for part in test.tests),
}
