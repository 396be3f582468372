"""Quantities: a decimal in a unit of UCUM, or in a word of the calendar.

http://hl7.org/fhirpath/N1/#quantity

`1 week` and `1 'wk'` are the same; `1 year` and `1 'a'` are not comparable, as the years of the
calendar differ in length and UCUM's do not. Only equivalence takes them for each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

from fhir_server.fhir import ucum
from fhir_server.fhir.quantity import canonical, conversion

DIMENSIONLESS: Final = "1"

CALENDAR: Final[Mapping[str, str]] = {
    "year": "a",
    "month": "mo",
    "week": "wk",
    "day": "d",
    "hour": "h",
    "minute": "min",
    "second": "s",
    "millisecond": "ms",
}
"""Words of the calendar, in the singular, and UCUM's nearest unit."""
_VARIABLE: Final[Mapping[str, tuple[int, int]]] = {"year": (12, 365), "month": (1, 30)}
"""Months and days of the words whose length varies; the days are the specification's."""

DIGITS: Final = Context(prec=34, Emin=-6143, Emax=6144, traps=[])
"""Enough to be exact for what people measure; what overflows becomes infinite or no number."""


@dataclass(frozen=True, slots=True)
class Quantity:
    value: Decimal
    unit: str = DIMENSIONLESS
    """A UCUM code, or a calendar word as written."""
    calendar: bool = False
    """Whether the unit is a word of the calendar."""

    def __str__(self) -> str:
        unit = self.unit if self.calendar else f"'{self.unit}'"
        return f"{self.value:f} {unit}"

    @property
    def word(self) -> str | None:
        """The calendar's word in the singular."""
        return self.unit.removesuffix("s") if self.calendar else None

    @property
    def code(self) -> str:
        """The unit in UCUM; years and months of the calendar are only nearly those of UCUM."""
        return CALENDAR[self.unit.removesuffix("s")] if self.calendar else self.unit


def compare(left: Quantity, right: Quantity) -> int | None:
    """-1, 0 or 1; None when their units cannot be compared."""
    ours, theirs = left.word, right.word
    if ours in _VARIABLE or theirs in _VARIABLE:
        if ours is None or theirs is None:
            return None
        return _order(*_durations(left, right))
    if left.code == right.code:
        return _order(left.value, right.value)
    one, other = canonical(left.value, left.code), canonical(right.value, right.code)
    if one is None or other is None or one[1] != other[1]:
        return None
    return _order(one[0], other[0])


def equivalent(left: Quantity, right: Quantity) -> bool:
    """Whether they are the same when rounded as the less precise one is."""
    if left.code == right.code:
        return rounded_equal(left.value, right.value)
    factor = _ratio(right.code, left.code)
    if factor is None:
        return False
    # The right value in the left unit; moving the point does not change what is precise about it.
    moved = DIGITS.multiply(right.value, factor)
    back = DIGITS.divide(left.value, factor)
    return rounded_equal(left.value, moved) or rounded_equal(back, right.value)


def rounded_equal(left: Decimal, right: Decimal) -> bool:
    """Decimals that are equal to the precision of the less precise; trailing zeros say nothing."""
    places = min(_places(left), _places(right))
    unit = Decimal(1).scaleb(-places)
    return left.quantize(unit, context=_WIDE) == right.quantize(unit, context=_WIDE)


def total(left: Quantity, right: Quantity, sign: int) -> Quantity | None:
    """The sum or difference, in the finer unit; None when their units do not fit."""
    signed = right.value if sign > 0 else -right.value
    if left.unit == right.unit:
        return _finite(DIGITS.add(left.value, signed), left)
    if left.calendar and right.calendar and left.word == right.word:
        return _finite(DIGITS.add(left.value, signed), left)
    if left.word in _VARIABLE or right.word in _VARIABLE:
        return None
    factor = _ratio(right.code, left.code)
    if factor is None:
        return None
    if factor <= 1:
        return _finite(DIGITS.add(DIGITS.divide(left.value, factor), signed), right)
    return _finite(DIGITS.add(left.value, DIGITS.multiply(signed, factor)), left)


def product(left: Quantity, right: Quantity) -> Quantity | None:
    """The product, in base units where both have a unit; None when one is not UCUM."""
    if DIMENSIONLESS in {left.code, right.code}:
        kept = right if left.code == DIMENSIONLESS else left
        return _finite(DIGITS.multiply(left.value, right.value), kept)
    return _combined(left, right, DIGITS.multiply(left.value, right.value), ".")


def quotient(left: Quantity, right: Quantity) -> Quantity | None:
    """The quotient, in base units where both have a unit; None also for a division by zero."""
    if not right.value:
        return None
    value = DIGITS.divide(left.value, right.value)
    if right.code == DIMENSIONLESS:
        return _finite(value, left)
    if left.code == right.code:
        return _finite(value, Quantity(value))
    return _combined(left, right, value, "/")


def converted(quantity: Quantity, unit: str) -> Quantity | None:
    """The same amount in another unit, a code or a word; None when it cannot be."""
    target = Quantity(Decimal(1), unit, unit.removesuffix("s") in CALENDAR)
    if quantity.word in _VARIABLE or target.word in _VARIABLE:
        return quantity if quantity.word == target.word else None
    factor = Decimal(1) if quantity.code == target.code else _ratio(quantity.code, target.code)
    if factor is None:
        return None
    return _finite(DIGITS.multiply(quantity.value, factor), target)


def is_valid_unit(code: str) -> bool:
    return ucum.unit(code) is not None


def key(quantity: Quantity) -> tuple[Decimal, str] | str:
    """Equal for quantities that are equal."""
    if quantity.calendar:
        return "calendar"
    found = canonical(quantity.value, quantity.code)
    if found is not None and found[1] == "s":
        return "calendar"  # may equal a word of the calendar
    return found or (quantity.value, quantity.code)


def _durations(left: Quantity, right: Quantity) -> tuple[Decimal, Decimal]:
    """Two calendar durations in months, or in days when one of them is finer than a month."""
    place = 0 if left.word in _VARIABLE and right.word in _VARIABLE else 1
    return _duration(left, place), _duration(right, place)


def _duration(quantity: Quantity, place: int) -> Decimal:
    variable = _VARIABLE.get(quantity.word or "")
    if variable is not None:
        return DIGITS.multiply(quantity.value, variable[place])
    seconds = canonical(quantity.value, quantity.code)
    return DIGITS.divide(seconds[0], Decimal(86_400)) if seconds else Decimal("NaN")


def _order(left: Decimal, right: Decimal) -> int | None:
    order = left.compare(right, context=DIGITS)
    return None if order.is_nan() else int(order)


def _ratio(code: str, other: str) -> Decimal | None:
    """How many of the other unit one unit is; None for temperatures, which have their own zero."""
    one, base = conversion(code), conversion(other)
    if one is None or base is None or one.unit != base.unit or one.zero or base.zero:
        return None
    return DIGITS.divide(one.factor, base.factor)


def _combined(left: Quantity, right: Quantity, value: Decimal, sign: str) -> Quantity | None:
    how = conversion(f"({left.code}){sign}({right.code})")
    if how is None or how.zero:
        return None
    return _finite(DIGITS.multiply(value, how.factor), Quantity(value, how.unit))


def _finite(value: Decimal, like: Quantity) -> Quantity | None:
    return Quantity(value, like.unit, like.calendar) if value.is_finite() else None


_WIDE = Context(prec=12_400, Emin=-6143, Emax=6144, traps=[])
"""Wide enough to write out any value in range, so that rounding never fails."""


def _places(value: Decimal) -> int:
    exponent = DIGITS.plus(value).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
