"""A date or time, moved by a time-valued quantity.

http://hl7.org/fhirpath/N1/#datetime-arithmetic

Years and months follow the calendar: a day that the month has not becomes its last. Above
seconds the decimals of a quantity are ignored. A quantity finer than what is known of the date
counts in whole units of that. A time of day goes round the clock.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Context, Decimal
from typing import Final

from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.temporal import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    YEAR,
    Date,
    DateTime,
    Fields,
    Temporal,
    Time,
    days_in_month,
)

_EXACT: Final = Context(prec=80, traps=[])
_LONGEST: Final = Decimal(10) ** 15
"""No quantity of any unit beyond this leads to a year we know."""

_UCUM: Final[Mapping[str, str]] = {
    "wk": "week", "d": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond",
}  # fmt: skip
"""UCUM's units with a fixed length. Its year and month are no calendar's."""
_FIELDS: Final[Mapping[str, tuple[int, Decimal]]] = {
    "year": (YEAR, Decimal(1)),
    "month": (MONTH, Decimal(1)),
    "week": (DAY, Decimal(7)),
    "day": (DAY, Decimal(1)),
    "hour": (HOUR, Decimal(1)),
    "minute": (MINUTE, Decimal(1)),
    "second": (SECOND, Decimal(1)),
    "millisecond": (SECOND, Decimal("0.001")),
}
"""Word to the field it counts in, and how many of that it is."""
_PER_COARSER: Final = (Decimal(1), Decimal(12), Decimal(30), Decimal(24), Decimal(60), Decimal(60))
"""How many of a field make one of the field before; of days, see `_coarsened`."""
_SECONDS: Final = {DAY: 86_400, HOUR: 3_600, MINUTE: 60, SECOND: 1}


def shift(value: Temporal, by: Quantity, sign: int) -> Temporal | None:
    """The value moved; None beyond the years 1 to 9999. Unfit for a unit it cannot be moved by."""
    if not abs(by.value) < _LONGEST:
        return None
    field, amount = _amount(value, by)
    if isinstance(value, Time):
        return _turned(value, amount * sign * _SECONDS[field])
    field, amount = _coarsened(field, amount, len(value.fields))
    fields = _moved(value.fields, field, amount * sign)
    if fields is None:
        return None
    return Date(fields) if isinstance(value, Date) else DateTime(fields, value.offset)


def _amount(value: Temporal, by: Quantity) -> tuple[int, Decimal]:
    """The field that is counted in, and how many."""
    word = _UCUM.get(by.unit) or by.unit.removesuffix("s")
    if word not in _FIELDS:
        raise Unfit("a date or time moves by a quantity of calendar units, such as 1 year")
    field, times = _FIELDS[word]
    if isinstance(value, Date) and field > DAY:
        raise Unfit(f"a Date cannot be moved by a {word}")
    if isinstance(value, Time) and field < HOUR:
        raise Unfit(f"a Time cannot be moved by a {word}")
    amount = by.value if field == SECOND else Decimal(int(by.value))
    return field, _EXACT.multiply(amount, times)


def _coarsened(field: int, amount: Decimal, known: int) -> tuple[int, Decimal]:
    """The same in the finest field that is known."""
    while field >= known:
        days_to_years = field == DAY and known == 1
        amount = _EXACT.divide(amount, Decimal(365) if days_to_years else _PER_COARSER[field])
        field = YEAR if days_to_years else field - 1
        amount = amount if field >= known else Decimal(int(amount))
    return field, amount


def _moved(fields: Fields, field: int, amount: Decimal) -> Fields | None:
    if field > MONTH:
        return _moved_by_seconds(fields, _EXACT.multiply(amount, _SECONDS[field]))
    months = int(amount) * (12 if field == YEAR else 1)
    years, month = divmod(int(fields[YEAR]) * 12 + int((*fields, 1)[MONTH]) - 1 + months, 12)
    if not 1 <= years <= 9999:
        return None
    moved = (years, month + 1, *fields[DAY:])[: len(fields)]
    if len(moved) <= DAY:
        return moved
    day = min(int(moved[DAY]), days_in_month(years, month + 1))
    return (*moved[:DAY], day, *moved[HOUR:])


def _moved_by_seconds(fields: Fields, seconds: Decimal) -> Fields | None:
    year, month, day, *time = fields
    days, time = _carried(time, seconds)
    ordinal = date(int(year), int(month), int(day)).toordinal() + days
    if not 1 <= ordinal <= date.max.toordinal():
        return None
    moved = date.fromordinal(ordinal)
    return (moved.year, moved.month, moved.day, *time)


def _turned(value: Time, seconds: Decimal) -> Time:
    if len(value.fields) < 3:
        unit = (3_600, 60)[len(value.fields) - 1]
        seconds = Decimal(int(seconds / unit) * unit)
    return Time(tuple(_carried(list(value.fields), seconds)[1]))


def _carried(time: list[int | Decimal], seconds: Decimal) -> tuple[int, list[int | Decimal]]:
    """Days to carry, and the time of day, to as many fields as before."""
    begin = sum(
        (
            _EXACT.multiply(Decimal(field), unit)
            for field, unit in zip(time, (3600, 60, 1), strict=False)
        ),
        Decimal(0),
    )
    days, rest = _floored(_EXACT.add(begin, seconds), 86_400)
    hour, rest = _floored(rest, 3_600)
    minute, second = _floored(rest, 60)
    fields: list[int | Decimal] = [hour, minute, second]
    return days, fields[: len(time)]


def _floored(value: Decimal, unit: int) -> tuple[int, Decimal]:
    rest = _EXACT.remainder(value, Decimal(unit))
    if rest < 0:
        rest = _EXACT.add(rest, Decimal(unit))
    return int(_EXACT.divide(_EXACT.subtract(value, rest), Decimal(unit))), rest
