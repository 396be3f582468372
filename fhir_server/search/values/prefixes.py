"""Prefixes: how a value searched for is compared with a value stored, both being ranges.

https://hl7.org/fhir/R4/search.html#prefix

    eq  the search range contains the stored one      ne  it does not
    gt  the stored range reaches beyond it             lt  the stored range begins before it
    ge  the stored range reaches into or beyond it     le  the stored range begins before its end
    sa  the stored range lies wholly beyond it         eb  the stored range lies wholly before it
    ap  the ranges overlap, the search range widened

Each is one test of one stored range, ends included, so every comparison can be read off an
index. `ge` and `le` include a range that overlaps the value from outside, which the sentence in
R4 leaves open: a stay from Monday to Wednesday is one that is `ge` Tuesday.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from fhir_server.search.keys import UNBOUNDED
from fhir_server.storage.query import AnyOf, IntervalIs, Test
from fhir_server.storage.versions import EARLIEST, LATEST


@dataclass(frozen=True, slots=True)
class Scale:
    """The numbers that ranges are made of."""

    lowest: float
    highest: float
    before: Callable[[float], float]
    """The number just below."""
    after: Callable[[float], float]
    """The number just above."""


TIME = Scale(EARLIEST, LATEST, lambda ms: ms - 1, lambda ms: ms + 1)
"""Whole milliseconds."""
AMOUNT = Scale(
    -UNBOUNDED,
    UNBOUNDED,
    lambda number: math.nextafter(number, -math.inf),
    lambda number: math.nextafter(number, math.inf),
)
"""Floating-point numbers."""


def take_prefix(text: str) -> tuple[str, str]:
    """The prefix, `eq` when there is none, and what follows it."""
    return (text[:2], text[2:]) if text[:2] in _TESTS else ("eq", text)


def compare(prefix: str, first: float, last: float, key: int, scale: Scale) -> Test:
    """The test that some stored range under `key` compares so with [first, last]."""
    return _TESTS[prefix](_Ranges(key, scale), first, last)


class _Ranges(msgspec.Struct, frozen=True):
    """Stored ranges of one key, to be bounded."""

    key: int
    scale: Scale

    def low(self, first: float | None = None, last: float | None = None) -> IntervalIs:
        return IntervalIs((self.key, self.key), self._ends(first, last), self._ends(None, None))

    def high(self, first: float | None = None, last: float | None = None) -> IntervalIs:
        return IntervalIs((self.key, self.key), self._ends(None, None), self._ends(first, last))

    def both(self, low: tuple[float, float], high: tuple[float, float]) -> IntervalIs:
        return IntervalIs((self.key, self.key), low, high)

    def _ends(self, first: float | None, last: float | None) -> tuple[float, float]:
        return (
            self.scale.lowest if first is None else first,
            self.scale.highest if last is None else last,
        )


def _eq(stored: _Ranges, first: float, last: float) -> Test:
    return stored.both((first, last), (first, last))


def _ne(stored: _Ranges, first: float, last: float) -> Test:
    return AnyOf((_lt(stored, first, last), _gt(stored, first, last)))


def _gt(stored: _Ranges, _: float, last: float) -> Test:
    return stored.high(first=stored.scale.after(last))


def _lt(stored: _Ranges, first: float, _: float) -> Test:
    return stored.low(last=stored.scale.before(first))


def _ge(stored: _Ranges, first: float, _: float) -> Test:
    return stored.high(first=first)


def _le(stored: _Ranges, _: float, last: float) -> Test:
    return stored.low(last=last)


def _sa(stored: _Ranges, _: float, last: float) -> Test:
    return stored.low(first=stored.scale.after(last))


def _eb(stored: _Ranges, first: float, _: float) -> Test:
    return stored.high(last=stored.scale.before(first))


def _ap(stored: _Ranges, first: float, last: float) -> Test:
    lowest, highest = stored.scale.lowest, stored.scale.highest
    return stored.both((lowest, last), (first, highest))


_TESTS: Mapping[str, Callable[[_Ranges, float, float], Test]] = {
    "eq": _eq, "ne": _ne, "gt": _gt, "lt": _lt, "ge": _ge, "le": _le, "sa": _sa, "eb": _eb,
    "ap": _ap,
}  # fmt: skip
