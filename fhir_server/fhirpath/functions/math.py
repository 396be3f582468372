"""Math: http://hl7.org/fhirpath/N1/#math.

What is no number (the root of a negative one, a logarithm of zero) is empty.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import Final

from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.functions.rules import Function, Kind, value
from fhir_server.fhirpath.items import Item, type_name
from fhir_server.fhirpath.operators.math import finite, whole
from fhir_server.fhirpath.quantity import DIGITS, Quantity
from fhir_server.fhirpath.singletons import Number

_MOST_PLACES: Final = 28
_FAR: Final = 10**10
"""Beyond what an Integer can be; what lies further is not written out."""
_MORE_DIGITS: Final = Context(prec=60, Emin=-6143, Emax=6144, traps=[])


def absolute(item: Item) -> Item | None:
    match item:
        case bool():
            pass
        case int():
            return whole(abs(item))
        case Decimal():
            return abs(item)
        case Quantity():
            return Quantity(abs(item.value), item.unit, item.calendar)
    raise Unfit(f"a {type_name(item)} has no absolute value")


def ceiling(number: Number) -> int | None:
    return _whole(number, ROUND_CEILING)


def floor(number: Number) -> int | None:
    return _whole(number, ROUND_FLOOR)


def truncate(number: Number) -> int | None:
    return whole(int(number)) if -_FAR < number < _FAR else None


def exp(number: Number) -> Decimal | None:
    return finite(DIGITS.exp(Decimal(number)))


def ln(number: Number) -> Decimal | None:
    return finite(DIGITS.ln(Decimal(number)))


def log(number: Number, base: Number) -> Decimal | None:
    """Worked out to more digits than are told, so that the log of 16 to 2 is 4."""
    above, below = _MORE_DIGITS.ln(Decimal(number)), _MORE_DIGITS.ln(Decimal(base))
    return finite(DIGITS.plus(_MORE_DIGITS.divide(above, below))) if below else None


def power(number: Number, exponent: Number) -> Number | None:
    found = finite(DIGITS.power(Decimal(number), Decimal(exponent)))
    if found is None or type(number) is not int or type(exponent) is not int or exponent < 0:
        return found
    return whole(int(found)) if -_FAR < found < _FAR else None


def round_(number: Number, places: int = 0) -> Decimal | None:
    """Half is rounded away from zero."""
    if not 0 <= places <= _MOST_PLACES:
        raise Unfit(f"round() gives 0 to {_MOST_PLACES} places")
    unit = Decimal(1).scaleb(-places)
    return finite(Decimal(number).quantize(unit, ROUND_HALF_UP, context=_MORE_DIGITS))


def sqrt(number: Number) -> Decimal | None:
    return finite(DIGITS.sqrt(Decimal(number)))


def _whole(number: Number, rounding: str) -> int | None:
    if not -_FAR < number < _FAR:
        return None
    return whole(int(Decimal(number).to_integral_value(rounding)))


MATH: dict[str, Function] = {
    "abs": value(Kind.VALUE, absolute),
    "ceiling": value(Kind.NUMBER, ceiling),
    "exp": value(Kind.NUMBER, exp),
    "floor": value(Kind.NUMBER, floor),
    "ln": value(Kind.NUMBER, ln),
    "log": value(Kind.NUMBER, log, Kind.NUMBER),
    "power": value(Kind.NUMBER, power, Kind.NUMBER),
    "round": value(Kind.NUMBER, round_, Kind.INTEGER, optional=1),
    "sqrt": value(Kind.NUMBER, sqrt),
    "truncate": value(Kind.NUMBER, truncate),
}
