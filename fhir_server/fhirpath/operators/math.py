"""`+`, `-`, `*`, `/`, `div`, `mod`, `&`, and the signs before a value.

http://hl7.org/fhirpath/N1/#math-2

Decimals are exact to 34 digits. A result that is no number, or out of range, is empty.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from fhir_server.fhirpath import quantity
from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.items import Item, type_name
from fhir_server.fhirpath.operators.date_time_arithmetic import shift
from fhir_server.fhirpath.operators.equality import as_quantities
from fhir_server.fhirpath.quantity import DIGITS, Quantity
from fhir_server.fhirpath.singletons import Number
from fhir_server.fhirpath.temporal import Date, DateTime, Time

LARGEST_INTEGER: Final = 2**31 - 1
LONGEST_STRING: Final = 4 * 1024 * 1024
"""Characters a result may have."""


def whole(value: int) -> int | None:
    """An Integer; None beyond its range."""
    return value if -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER else None


def finite(value: Decimal) -> Decimal | None:
    return value if value.is_finite() else None


def text(value: str) -> str:
    """A String, of bounded length: doubling one 40 times is a short expression."""
    if len(value) > LONGEST_STRING:
        raise Unfit(f"the text would be longer than {LONGEST_STRING} characters")
    return value


def add(left: Item, right: Item) -> Item | None:
    if isinstance(left, str) and isinstance(right, str):
        return text(left + right)
    if isinstance(left, Date | DateTime | Time) and isinstance(right, Quantity):
        return shift(left, right, 1)
    return _sum("+", left, right, 1)


def subtract(left: Item, right: Item) -> Item | None:
    if isinstance(left, Date | DateTime | Time) and isinstance(right, Quantity):
        return shift(left, right, -1)
    return _sum("-", left, right, -1)


def multiply(left: Item, right: Item) -> Item | None:
    if type(left) is int and type(right) is int:
        return whole(left * right)
    if _is_number(left) and _is_number(right):
        return finite(DIGITS.multiply(_decimal(left), _decimal(right)))
    one, other = as_quantities(left, right)
    if one is None or other is None:
        raise _no_operation("*", left, right)
    return quantity.product(one, other)


def divide(left: Item, right: Item) -> Item | None:
    if _is_number(left) and _is_number(right):
        return finite(DIGITS.divide(_decimal(left), _decimal(right))) if right else None
    one, other = as_quantities(left, right)
    if one is None or other is None:
        raise _no_operation("/", left, right)
    return quantity.quotient(one, other)


def div(left: Number, right: Number) -> int | None:
    """Truncated towards zero."""
    if not right:
        return None
    found = DIGITS.divide_int(_decimal(left), _decimal(right))
    return whole(int(found)) if found.is_finite() else None


def mod(left: Number, right: Number) -> Number | None:
    """What truncated division leaves: it has the sign of the left operand."""
    if not right:
        return None
    found = finite(DIGITS.remainder(_decimal(left), _decimal(right)))
    return int(found) if found is not None and type(left) is int is type(right) else found


def concatenate(left: str | None, right: str | None) -> str:
    return text((left or "") + (right or ""))


def negative(value: Item) -> Item | None:
    match value:
        case bool():
            pass
        case int():
            return whole(-value)
        case Decimal():
            return -value
        case Quantity():
            return Quantity(-value.value, value.unit, value.calendar)
    raise Unfit(f"a {type_name(value)} has no sign")


def positive(value: Item) -> Item | None:
    return None if negative(value) is None else value


def _sum(operator: str, left: Item, right: Item, sign: int) -> Item | None:
    if type(left) is int and type(right) is int:
        return whole(left + sign * right)
    if _is_number(left) and _is_number(right):
        one, other = _decimal(left), _decimal(right)
        return finite(DIGITS.add(one, other) if sign > 0 else DIGITS.subtract(one, other))
    first, second = as_quantities(left, right)
    if first is None or second is None:
        raise _no_operation(operator, left, right)
    return quantity.total(first, second, sign)


def _is_number(value: Item) -> bool:
    return type(value) is int or type(value) is Decimal


def _decimal(value: Any) -> Decimal:
    return Decimal(value)


def _no_operation(operator: str, left: Item, right: Item) -> Unfit:
    return Unfit(f"there is no {type_name(left)} {operator} {type_name(right)}")


MATH: Final[Mapping[str, Callable[[Any, Any], Item | None]]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
}
"""Operators on whatever two values they are given."""
