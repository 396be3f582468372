"""Date, DateTime and Time: values that are known to some precision.

http://hl7.org/fhirpath/N1/#date, #datetime, #time and #equality

A value is the tuple of its known fields, from year (or hour) to second; seconds carry their
fraction, as both are one precision. Two values compare field by field: when one is known further
than the other and all before is equal, there is no answer. Without a time zone a moment may be
anywhere from 14 hours before to 12 hours after the same reading in UTC.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import ClassVar

Fields = tuple[int | Decimal, ...]

YEAR, MONTH, DAY, HOUR, MINUTE, SECOND = range(6)

_DATE = r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?"
_TIME = r"(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d{1,50})?))?)?"
_read_date = re.compile(_DATE, re.ASCII).fullmatch
_read_time = re.compile(_TIME, re.ASCII).fullmatch
_read_date_time = re.compile(rf"{_DATE}(?:T(?:{_TIME}(Z|[+-]\d\d:\d\d)?)?)?", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class Date:
    fields: Fields
    """Year, month, day; one to three of them."""

    offset: ClassVar[int | None] = None

    def __str__(self) -> str:
        return _joined("-", self.fields)


@dataclass(frozen=True, slots=True)
class DateTime:
    fields: Fields
    """Year, month, day, hour, minute, second; one to six of them."""
    offset: int | None = None
    """Minutes east of UTC; None where no zone is given."""

    def __str__(self) -> str:
        text = _joined("-", self.fields[:HOUR])
        if len(self.fields) > HOUR:
            text += f"T{_joined(':', self.fields[HOUR:])}"
        return text + offset_text(self.offset)


@dataclass(frozen=True, slots=True)
class Time:
    fields: Fields
    """Hour, minute, second; one to three of them."""

    offset: ClassVar[int | None] = None

    def __str__(self) -> str:
        return _joined(":", self.fields)


Temporal = Date | DateTime | Time


@lru_cache(maxsize=8192)
def read_date(text: str) -> Date | None:
    """`YYYY`, `YYYY-MM` or `YYYY-MM-DD`; None if it is not that, or no such day exists."""
    found = _read_date(text)
    if found is None:
        return None
    fields = _numbers(found.groups())
    return Date(fields) if _is_date(fields) else None


@lru_cache(maxsize=8192)
def read_date_time(text: str) -> DateTime | None:
    """A date, with or without a time and a zone; None like `read_date`."""
    found = _read_date_time(text)
    if found is None:
        return None
    *known, zone = found.groups()
    fields, offset = _numbers(known), _offset(zone)
    if not _is_date(fields[:HOUR]) or not _is_time(fields[HOUR:]) or offset == _NO_OFFSET:
        return None
    return DateTime(fields, offset)


@lru_cache(maxsize=1024)
def read_time(text: str) -> Time | None:
    """`hh`, `hh:mm` or `hh:mm:ss` with any fraction; None if it is no time of day."""
    found = _read_time(text)
    fields = _numbers(found.groups()) if found else ()
    return Time(fields) if fields and _is_time(fields) else None


def compare(left: Temporal, right: Temporal) -> int | None:
    """-1, 0 or 1; None when precision or a missing zone leaves it open.

    A Date is compared with a DateTime as a DateTime of its precision; TypeError for a Time
    with either.
    """
    if (type(left) is Time) is not (type(right) is Time):
        raise TypeError("a time of day is neither before nor after a date")
    ours, theirs = left.offset, right.offset
    if ours == theirs:
        return _compare_fields(left.fields, right.fields)
    if ours is None or theirs is None:
        return _compare_moments(left, right)
    return _compare_fields(_in_utc(left.fields, ours), _in_utc(right.fields, theirs))


def key(value: Temporal) -> Fields:
    """Equal for values that are equal, wherever their zones are."""
    return value.fields if value.offset is None else _in_utc(value.fields, value.offset)


def offset_text(offset: int | None) -> str:
    """`Z`, `+10:00`, or nothing."""
    if not offset:
        return "" if offset is None else "Z"
    hours, minutes = divmod(abs(offset), 60)
    return f"{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}"


def days_in_month(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in {4, 6, 9, 11} else 31


def earliest(value: Date | DateTime) -> DateTime:
    """The first millisecond it may mean, in the zone where that comes first."""
    fields = (*value.fields, *(1, 1, 1, 0, 0, 0)[len(value.fields) :])
    return DateTime((*fields[:SECOND], milliseconds(fields[SECOND], "0")), _zone(value, 14))


def latest(value: Date | DateTime) -> DateTime:
    """The last millisecond it may mean, in the zone where that comes last."""
    fields = value.fields
    if len(fields) < 2:
        fields = (*fields, 12)
    if len(fields) < 3:
        fields = (*fields, days_in_month(int(fields[YEAR]), int(fields[MONTH])))
    fields = (*fields, *(0, 0, 0, 23, 59, 59)[len(fields) :])
    return DateTime((*fields[:SECOND], milliseconds(fields[SECOND], "9")), _zone(value, -12))


def milliseconds(second: int | Decimal, digit: str) -> Decimal:
    """A second to three digits, the unknown ones all this digit."""
    whole, _, fraction = f"{second:f}".partition(".") if isinstance(second, Decimal) else (
        str(second), "", "",
    )  # fmt: skip
    return Decimal(f"{whole}.{fraction[:3]:{digit}<3}")


def _zone(value: Date | DateTime, hours: int) -> int:
    return hours * 60 if value.offset is None else value.offset


def _compare_fields(left: Fields, right: Fields) -> int | None:
    for ours, theirs in zip(left, right, strict=False):
        if ours != theirs:
            return -1 if ours < theirs else 1
    return 0 if len(left) == len(right) else None


def _compare_moments(left: Temporal, right: Temporal) -> int | None:
    """One of them has no zone: only what is far enough apart has an order."""
    if isinstance(left, Time) or isinstance(right, Time):  # neither ever has a zone
        return None
    if compare(latest(left), earliest(right)) == -1:
        return -1
    return 1 if compare(earliest(left), latest(right)) == 1 else None


def _in_utc(fields: Fields, offset: int) -> Fields:
    """Minutes of all time and what follows them: not a reading, but it compares like one."""
    if len(fields) <= HOUR:
        return fields
    year, month, day, hour, *rest = fields
    days = date(int(year), int(month), int(day)).toordinal()
    if not rest:  # offsets of half an hour make an hour ambiguous; whole ones do not
        return (days * 24 + int(hour) - offset // 60,)
    return (days * 1440 + int(hour) * 60 + int(rest[0]) - offset, *rest[1:])


def _numbers(texts: "tuple[str | None, ...] | list[str | None]") -> Fields:
    return tuple(_number(text) for text in texts if text is not None)


def _number(text: str) -> int | Decimal:
    return Decimal(text) if "." in text else int(text)


def _is_date(fields: Fields) -> bool:
    year, month, day = (int(field) for field in (*fields, 1, 1)[:3])
    return year > 0 and 1 <= month <= 12 and 1 <= day <= days_in_month(year, month)


def _is_time(fields: Fields) -> bool:
    # Second 60 is a leap second.
    return all(field < limit for field, limit in zip(fields, (24, 60, 61), strict=False))


_NO_OFFSET = 10_000
_FURTHEST_OFFSET = 14 * 60


def _offset(text: str | None) -> int | None:
    if text is None or text == "Z":
        return None if text is None else 0
    minutes = int(text[1:3]) * 60 + int(text[4:])
    if minutes > _FURTHEST_OFFSET or int(text[4:]) > 59:
        return _NO_OFFSET
    return -minutes if text[0] == "-" else minutes


def _joined(sign: str, fields: Fields) -> str:
    return sign.join(_field(field) for field in fields)


def _field(field: int | Decimal) -> str:
    if isinstance(field, int):
        return f"{field:02}"
    whole, _, fraction = f"{field:f}".partition(".")
    return f"{whole:0>2}.{fraction}" if fraction else f"{whole:0>2}"
