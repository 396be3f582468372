"""Conversion: http://hl7.org/fhirpath/N1/#conversion."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.functions.rules import Function, Kind, Result, collection, value
from fhir_server.fhirpath.items import SYSTEM_TYPES, Item
from fhir_server.fhirpath.navigation import Many
from fhir_server.fhirpath.operators.math import whole
from fhir_server.fhirpath.quantity import Quantity, converted, is_valid_unit
from fhir_server.fhirpath.singletons import boolean
from fhir_server.fhirpath.temporal import (
    Date,
    DateTime,
    Time,
    read_date,
    read_date_time,
    read_time,
)
from fhir_server.fhirpath.tree import CALENDAR_UNITS

_TRUE: Final = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0", "0.0"})
_is_integer = re.compile(r"[+-]?[0-9]{1,40}").fullmatch
_is_decimal = re.compile(r"[+-]?[0-9]{1,200}(?:\.[0-9]{1,200})?").fullmatch
_is_quantity = re.compile(
    r"([+-]?[0-9]{1,200}(?:\.[0-9]{1,200})?)(?:\s*'([^']{1,100})'|\s+([a-z]+))?"
).fullmatch


def iif(
    evaluation: Evaluation, items: list[Item], criterion: Many, yes: Many, no: Many | None = None
) -> list[Item]:
    """Only the branch that is taken is evaluated."""
    if len(items) > 1:
        raise Unfit(f"iif() is asked of one item, not {len(items)}")
    if boolean(criterion(evaluation, items)):
        return yes(evaluation, items)
    return no(evaluation, items) if no is not None else []


def to_boolean(item: Item) -> bool | None:
    if isinstance(item, bool):
        return item
    if isinstance(item, str):
        folded = item.lower()
        return True if folded in _TRUE else False if folded in _FALSE else None
    if isinstance(item, int | Decimal) and item in {0, 1}:
        return item == 1
    return None


def to_integer(item: Item) -> int | None:
    if isinstance(item, int):
        return int(item)
    return whole(int(item)) if isinstance(item, str) and _is_integer(item) else None


def to_decimal(item: Item) -> Decimal | None:
    if isinstance(item, bool):
        return Decimal("1.0" if item else "0.0")
    if isinstance(item, int | Decimal):
        return Decimal(item)
    return Decimal(item) if isinstance(item, str) and _is_decimal(item) else None


def to_quantity(item: Item, unit: str | None = None) -> Quantity | None:
    """In the unit, if one is asked for."""
    found = _quantity(item)
    if found is None or unit is None:
        return found
    return converted(found, unit)


def to_string(item: Item) -> str | None:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, Decimal):
        return f"{item:f}"
    return str(item) if type(item) in SYSTEM_TYPES else None


def to_date(item: Item) -> Date | None:
    if isinstance(item, DateTime):
        return Date(item.fields[:3])
    return item if isinstance(item, Date) else read_date(item) if isinstance(item, str) else None


def to_date_time(item: Item) -> DateTime | None:
    if isinstance(item, Date):
        return DateTime(item.fields)
    if isinstance(item, DateTime):
        return item
    return read_date_time(item) if isinstance(item, str) else None


def to_time(item: Item) -> Time | None:
    if isinstance(item, Time):
        return item
    return read_time(item.removeprefix("T")) if isinstance(item, str) else None


def _quantity(item: Item) -> Quantity | None:
    if isinstance(item, Quantity):
        return item
    if not isinstance(item, str):
        number = to_decimal(item)
        return None if number is None else Quantity(number)
    found = _is_quantity(item)
    if found is None:
        return None
    number_text, code, word = found.groups()
    if word is not None and word not in CALENDAR_UNITS:
        return None
    if code is not None and not is_valid_unit(code):
        return None
    return Quantity(Decimal(number_text), word or code or "1", word is not None)


_CONVERSIONS: Final[Mapping[str, Callable[..., Item | None]]] = {
    "Boolean": to_boolean,
    "Integer": to_integer,
    "Decimal": to_decimal,
    "Quantity": to_quantity,
    "String": to_string,
    "Date": to_date,
    "DateTime": to_date_time,
    "Time": to_time,
}


def _to(name: str) -> Function:
    unit = (Kind.STRING,) if name == "Quantity" else ()
    return value(Kind.VALUE, _CONVERSIONS[name], *unit, optional=len(unit))


def _converts_to(name: str) -> Function:
    convert = _CONVERSIONS[name]

    def converts(item: Item, *unit: str) -> bool:
        return convert(item, *unit) is not None

    unit = (Kind.STRING,) if name == "Quantity" else ()
    return value(Kind.VALUE, converts, *unit, optional=len(unit), result=Result.BOOLEAN)


CONVERSION: dict[str, Function] = {
    "iif": collection(
        iif, Kind.PROJECTION, Kind.PROJECTION, Kind.PROJECTION, optional=1, evaluation=True
    ),
    **{f"to{name}": _to(name) for name in _CONVERSIONS},
    **{f"convertsTo{name}": _converts_to(name) for name in _CONVERSIONS},
}
