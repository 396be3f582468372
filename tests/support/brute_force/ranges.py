"""Ranges, and how prefixes compare them; and numbers as the ranges they stand for.

https://hl7.org/fhir/R4/search.html#prefix and https://hl7.org/fhir/R4/search.html#number

An end is a pair of a value and -1, 0 or 1: just below it, it, just above it. So an end that is
not included is the last one before.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.support.brute_force.query import Refused, unescape

End = tuple[Fraction | int | float, int]

LOWEST: End = (float("-inf"), 0)
HIGHEST: End = (float("inf"), 0)


@dataclass(frozen=True)
class Range:
    first: End
    last: End


PREFIXES: Mapping[str, Callable[[Range, Range], bool]] = {
    "eq": lambda asked, has: asked.first <= has.first and has.last <= asked.last,
    "ne": lambda asked, has: has.first < asked.first or asked.last < has.last,
    "gt": lambda asked, has: has.last > asked.last,
    "ge": lambda asked, has: has.last >= asked.first,
    "lt": lambda asked, has: has.first < asked.first,
    "le": lambda asked, has: has.first <= asked.last,
    "sa": lambda asked, has: has.first > asked.last,
    "eb": lambda asked, has: has.last < asked.first,
    "ap": lambda asked, has: has.first <= asked.last and asked.first <= has.last,
}
"""Of a range asked for and one that a resource has. `ap` is asked with a wider range."""


def prefix_of(value: str) -> tuple[str, str]:
    text = unescape(value)
    return (text[:2], text[2:]) if text[:2] in PREFIXES else ("eq", text)


def number_asked(value: str) -> tuple[str, Range]:
    """5.4 with `eq` and `ne` is all that rounds to it; with `ap` a tenth more; else itself."""
    prefix, text = prefix_of(value)
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        raise Refused(f"{value} is no number")
    exact = Fraction(text)
    half = Fraction(10) ** int(Decimal(text).as_tuple().exponent) / 2
    if prefix in {"eq", "ne"}:
        return prefix, Range((exact - half, 0), (exact + half, -1))
    margin = max(half, abs(exact) / 10) if prefix == "ap" else Fraction(0)
    return prefix, Range((exact - margin, 0), (exact + margin, 0))


def number_held(value: Any, comparator: object = None) -> Range | None:
    """The range of a JSON number, which a comparator opens to one side."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    exact = Fraction(str(value))
    ranges = {
        "<": Range(LOWEST, (exact, -1)),
        "<=": Range(LOWEST, (exact, 0)),
        ">=": Range((exact, 0), HIGHEST),
        ">": Range((exact, 1), HIGHEST),
    }
    point = Range((exact, 0), (exact, 0))
    return ranges.get(comparator, point) if isinstance(comparator, str) else point


def scaled(range_: Range, factor: Fraction, zero: Fraction) -> Range:
    """The range in another unit."""

    def move(end: End) -> End:
        if not isinstance(end[0], Fraction):
            return end
        return (end[0] + zero) * factor, end[1]

    return Range(move(range_.first), move(range_.last))
