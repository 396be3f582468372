"""Precision and what lies within it: `precision()`, `lowBoundary()`, `highBoundary()`.

https://build.fhir.org/ig/HL7/FHIRPath/#lowboundaryprecision-integer-decimal--date--datetime--time

For trial use since 2.1. A precision counts decimal places of numbers, and digits of dates and
times as written without signs: 4 is a year, 8 a day, 17 a dateTime with milliseconds.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from fhir_server.fhirpath import quantity
from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.functions.rules import Function, Kind, Result, value
from fhir_server.fhirpath.items import Item, type_name
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.temporal import (
    Date,
    DateTime,
    Fields,
    Time,
    earliest,
    latest,
    milliseconds,
)

_PLACES: Final = 8
_MOST_PLACES: Final = 28
_DATE_DIGITS: Final = (4, 6, 8)
_DATE_TIME_DIGITS: Final = (4, 6, 8, 10, 12, 14, 17)
_TIME_DIGITS: Final = (2, 4, 6, 9)
_EXACT: Final = Context(prec=200, traps=[])


def low_boundary(item: Item, precision: int | None = None) -> Item | None:
    return _boundary(item, precision, high=False)


def high_boundary(item: Item, precision: int | None = None) -> Item | None:
    return _boundary(item, precision, high=True)


def precision(item: Item) -> int | None:
    match item:
        case bool():
            raise Unfit("a Boolean has no precision")
        case int():
            return 0
        case Decimal():
            return _places(item)
        case Date():
            return _DATE_DIGITS[len(item.fields) - 1]
        case DateTime():
            return _DATE_TIME_DIGITS[len(item.fields) - 1] + _fraction(item.fields, 6)
        case Time():
            return _TIME_DIGITS[len(item.fields) - 1] + _fraction(item.fields, 3)
    raise Unfit(f"a {type_name(item)} has no precision")


def comparable(item: Item, other: Item) -> bool:
    """Whether two quantities are of one dimension."""
    if not isinstance(item, Quantity) or not isinstance(other, Quantity):
        raise Unfit("comparable() is about quantities")
    return quantity.compare(item, other) is not None


def _boundary(item: Item, asked: int | None, *, high: bool) -> Item | None:
    match item:
        case Quantity():
            bound = _decimal(item.value, asked, high=high)
            return None if bound is None else Quantity(bound, item.unit, item.calendar)
        case Date():
            return _date(item, 8 if asked is None else asked, high=high)
        case DateTime():
            return _date_time(item, 17 if asked is None else asked, high=high)
        case Time():
            return _time(item, 9 if asked is None else asked, high=high)
        case int() | Decimal() if not isinstance(item, bool):
            return _decimal(Decimal(item), asked, high=high)
    raise Unfit(f"a {type_name(item)} has no boundaries")


def _decimal(number: Decimal, asked: int | None, *, high: bool) -> Decimal | None:
    """Half a unit of the last digit away, rounded outwards."""
    places = _PLACES if asked is None else asked
    if not 0 <= places <= _MOST_PLACES:
        return None
    half = Decimal(5).scaleb(-_places(number) - 1)
    bound = _EXACT.add(number, half) if high else _EXACT.subtract(number, half)
    rounding = ROUND_CEILING if high else ROUND_FLOOR
    found = bound.quantize(Decimal(1).scaleb(-places), rounding, context=_EXACT)
    return found if found.is_finite() else None


def _date(item: Date, digits: int, *, high: bool) -> Date | None:
    if digits not in _DATE_DIGITS:
        return None
    bound = latest(item) if high else earliest(item)
    return Date(bound.fields[: _DATE_DIGITS.index(digits) + 1])


def _date_time(item: DateTime, digits: int, *, high: bool) -> DateTime | None:
    if digits not in _DATE_TIME_DIGITS:
        return None
    bound = latest(item) if high else earliest(item)
    fields = _cut(bound.fields, _DATE_TIME_DIGITS.index(digits) + 1)
    return DateTime(fields, bound.offset if len(fields) > 3 else None)


def _time(item: Time, digits: int, *, high: bool) -> Time | None:
    if digits not in _TIME_DIGITS:
        return None
    rest = (23, 59, 59) if high else (0, 0, 0)
    fields = (*item.fields, *rest[len(item.fields) :])
    second = milliseconds(fields[2], "9" if high else "0")
    return Time(_cut((*fields[:2], second), _TIME_DIGITS.index(digits) + 1))


def _cut(fields: Fields, count: int) -> Fields:
    """So many fields; one more than there are keeps the milliseconds of the second."""
    kept = fields[:count]
    if count == len(fields):
        return (*kept[:-1], int(kept[-1]))
    return kept


def _fraction(fields: Fields, full: int) -> int:
    last = fields[-1]
    return _places(last) if len(fields) == full and isinstance(last, Decimal) else 0


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


BOUNDARIES: dict[str, Function] = {
    "lowBoundary": value(Kind.VALUE, low_boundary, Kind.INTEGER, optional=1),
    "highBoundary": value(Kind.VALUE, high_boundary, Kind.INTEGER, optional=1),
    "precision": value(Kind.VALUE, precision),
    "comparable": value(Kind.VALUE, comparable, Kind.VALUE, result=Result.BOOLEAN),
}
