"""Number values: integer, decimal, Range.

https://hl7.org/fhir/R4/search.html#number

A stored number is a point, whatever digits it was written with, since searching is "performed on
the numeric value". A number searched for with `eq` or `ne` stands for all that round to it: 5.4 is
[5.35, 5.45). With any other prefix it is exact. (R4 gives 1e2 as [95, 105), which is not what its
own rule of digits says; here it is [50, 150).)

Beside the point, what a stored number may stand for by its digits is kept as a range of its own,
for the `co` of `_filter`.
"""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Context as Arithmetic
from decimal import Decimal
from functools import partial
from typing import Any, TypeGuard

from fhir_server.search import keys
from fhir_server.search.entries import Entries, Index, Indexed, Indexer
from fhir_server.search.keys import UNBOUNDED
from fhir_server.search.values.escapes import unescape, wrong
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.search.values.prefixes import AMOUNT, compare, take_prefix
from fhir_server.storage.query import IntervalIs, Test

Bounds = tuple[float, float]
"""From the least to the greatest value, both included."""
BoundsOf = Callable[[Any], Bounds | None]

_WRITTEN = re.compile(r"[+-]?(?:\d{1,50}(?:\.\d{0,50})?|\.\d{1,50})(?:[eE][+-]?\d{1,3})?", re.ASCII)

ARITHMETIC = Arithmetic(prec=200, Emin=-999_999, Emax=999_999, traps=[])
"""Exact for every number that can be searched for; never raises."""

_IMPLIED = keys.group_number("\0implied")
"""The group of what numbers stand for by their digits."""
_TENTH, _HALF = Decimal("0.1"), Decimal("0.5")


def test(parameter: Parameter, value: str, _: Context) -> Test:
    """The test for one number with its prefix."""
    return test_under(keys.interval_key(parameter.indexed), parameter, value)


def test_under(key: int, parameter: Parameter, value: str) -> Test:
    """The same for numbers that are stored under another key, as those of composites are."""
    prefix, number = read_number(parameter, value)
    return compare(prefix, *range_as_floats(prefix, number), key, AMOUNT)


def test_implied(parameter: Parameter, value: str) -> Test:
    """The test that the number is among those that round to a stored one, or within a Range."""
    _, number = read_number(parameter, value)
    key, point = keys.interval_key(parameter.indexed, _IMPLIED), as_float(number)
    return IntervalIs((key, key), (-UNBOUNDED, point), (point, UNBOUNDED))


def present(parameter: Parameter) -> Test:
    """The test that the parameter has any value."""
    return keys.intervals_of_parameter(parameter.indexed)


def read_number(parameter: Parameter, value: str) -> tuple[str, Decimal]:
    """Prefix and number as written."""
    prefix, text = take_prefix(unescape(value))
    if not _WRITTEN.fullmatch(text):
        advice = "write a number such as 5.4 or 1e-3, after eq, ne, gt, lt, ge, le, sa, eb or ap"
        raise wrong(parameter, value, advice)
    return prefix, Decimal(text)


def range_searched(prefix: str, number: Decimal) -> tuple[Decimal, Decimal]:
    """What a number stands for under a prefix; for `eq` and `ne` the end is not included."""
    if prefix not in {"eq", "ne", "ap"}:
        return number, number
    exponent = number.as_tuple().exponent
    margin = ARITHMETIC.scaleb(_HALF, int(exponent))
    if prefix == "ap":
        margin = max(margin, ARITHMETIC.multiply(number.copy_abs(), _TENTH))
    return ARITHMETIC.subtract(number, margin), ARITHMETIC.add(number, margin)


def range_as_floats(prefix: str, number: Decimal) -> Bounds:
    """The same with both ends included."""
    first, last = range_searched(prefix, number)
    return closed(prefix, as_float(first), as_float(last))


def closed(prefix: str, first: float, last: float) -> Bounds:
    """The range without its end, where the prefix says so, as one with both ends included."""
    if prefix in {"eq", "ne"} and last > first:
        return first, AMOUNT.before(last)
    return first, last


def as_float(number: Decimal | int) -> float:
    """The nearest number a store can keep. Nothing changes sides: order is kept by rounding."""
    try:
        nearest = float(number)
    except OverflowError:
        nearest = math.inf if number > 0 else -math.inf
    if -UNBOUNDED <= nearest <= UNBOUNDED:
        return nearest
    return UNBOUNDED if nearest > 0 else -UNBOUNDED


def is_number(value: object) -> TypeGuard[Decimal | int]:
    """Whether a JSON value is one; true and false are none."""
    return type(value) is Decimal or type(value) is int


def _number(number: Any) -> Bounds | None:
    if not is_number(number):
        return None
    point = as_float(number)
    return point, point


def _range(range_: Any) -> Bounds | None:
    low, high = (_end(range_, name) for name in ("low", "high"))
    if low is None and high is None:
        return None
    return -UNBOUNDED if low is None else low, UNBOUNDED if high is None else high


def _end(range_: Any, name: str) -> float | None:
    quantity = range_.get(name) if type(range_) is dict else None
    value = quantity.get("value") if type(quantity) is dict else None
    return as_float(value) if is_number(value) else None


BOUNDS: Mapping[str, BoundsOf] = {
    **dict.fromkeys(("decimal", "integer", "positiveInt", "unsignedInt"), _number),
    "Range": _range,
}


def _index(bounds: BoundsOf, parameter: Indexed) -> Index:
    key, implied = keys.interval_key(parameter), keys.interval_key(parameter, _IMPLIED)

    def index(element: Any, entries: Entries) -> None:
        found = bounds(element)
        if found is not None:
            entries.intervals.append((key, *found))
            meant = range_as_floats("eq", Decimal(element)) if is_number(element) else found
            entries.intervals.append((implied, *meant))

    return index


INDEXERS: Mapping[str, Indexer] = {
    type_: partial(_index, bounds) for type_, bounds in BOUNDS.items()
}
