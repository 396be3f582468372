"""Dates and times as spans of milliseconds: date, dateTime, instant, Period, Timing.

https://hl7.org/fhir/R4/datatypes.html#dateTime and https://hl7.org/fhir/R4/search.html#date

A date is not a point: `2024` is every millisecond of that year. A span is [first, last] in
milliseconds since 1970 in UTC, both included. What names no zone is taken in the zone given.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from typing import Any, NamedTuple

BEGINNING = -(2**62)
"""First millisecond of a period without a start."""
END = 2**62
"""Last millisecond of a period without an end."""

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_DAYS_BEFORE_1970 = 719_162
_DAYS_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)
_LONGEST_OFFSET = 14 * _HOUR

_WRITTEN = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,50}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)


_written_moment = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{3})?(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)", re.ASCII
).fullmatch
"""What most times look like: to the second or millisecond, with their zone."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Span(NamedTuple):
    """From the first millisecond to the last, both included."""

    first: int
    last: int


Reader = Callable[[str], Span]


def span(text: str, zone: tzinfo = UTC) -> Span:
    """The span of a date, dateTime or instant of any precision; ValueError says what is wrong."""
    return reader(zone)(text)


@cache
def reader(zone: tzinfo) -> Reader:
    """`span` for one zone, with a memory of the texts read last."""

    @lru_cache(maxsize=8192)
    def read(text: str) -> Span:
        return _read(text, zone)

    return read


def period_span(period: Any, read: Reader) -> Span | None:
    """The outer span of a Period; open ends reach BEGINNING or END. None if it says nothing."""
    if type(period) is not dict:
        return None
    start, end = _read_if_any(period.get("start"), read), _read_if_any(period.get("end"), read)
    if start is None or end is None:
        if start is end:
            return None
        return Span(start.first if start else BEGINNING, end.last if end else END)
    return Span(start.first, end.last) if start.first <= end.last else _around([start, end])


def timing_span(timing: Any, read: Reader) -> Span | None:
    """The outer span of a Timing's events and bounds. None if it names no time at all."""
    if not isinstance(timing, dict):
        return None
    events = timing.get("event")
    spans = [_read_if_any(event, read) for event in events] if type(events) is list else []
    repeat = timing.get("repeat")
    if isinstance(repeat, dict):
        spans.append(period_span(repeat.get("boundsPeriod"), read))
    known = [found for found in spans if found is not None]
    return _around(known) if known else None


def instant(milliseconds: int) -> str:
    """`2026-11-25T01:02:03.004Z`, for the years 1 to 9999."""
    minute, rest = divmod(milliseconds, _MINUTE)
    return f"{_minute_text(minute)}{rest // 1000:02}.{rest % 1000:03}Z"


def _read(text: str, zone: tzinfo) -> Span:
    return (_read_moment(text) if _written_moment(text) else None) or _read_any(text, zone)


def _read_moment(text: str) -> Span | None:
    """Read as the standard library does, in a third of the time; None for what is no time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    first = (moment - _EPOCH) // _MILLISECOND
    return Span(first, first if "." in text else first + _SECOND - 1)


def _read_any(text: str, zone: tzinfo) -> Span:
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError(f"{text!r} is not a date or time such as 2024-05 or 2024-05-01T10:00:00Z")
    year, month, day, hour, minute, second, fraction, offset = written.groups()
    first = _days(text, int(year), int(month or 1), int(day or 1)) * _DAY
    if hour is None:
        last = first + _length_in_days(int(year), month, day) * _DAY - 1
    else:
        first += _time_of_day(text, int(hour), int(minute), int(second or 0))
        if second is None:
            last = first + _MINUTE - 1
        elif fraction is None:
            last = first + _SECOND - 1
        else:
            first += int(fraction[:3].ljust(3, "0"))
            last = first + 10 ** max(3 - len(fraction), 0) - 1
    if offset is None:
        return _in_zone(first, last, zone)
    shift = _offset(text, offset)
    return Span(first - shift, last - shift)


def _days(text: str, year: int, month: int, day: int) -> int:
    if year == 0 or not 1 <= month <= 12:
        raise ValueError(f"{text!r} has no such year or month")
    if not 1 <= day <= _days_in_month(year, month):
        raise ValueError(f"{text!r} has no such day: that month has {_days_in_month(year, month)}")
    passed = year - 1
    days = passed * 365 + passed // 4 - passed // 100 + passed // 400 + day - 1
    days += _DAYS_BEFORE_MONTH[month - 1] + (1 if month > 2 and _is_leap(year) else 0)
    return days - _DAYS_BEFORE_1970


def _length_in_days(year: int, month: str | None, day: str | None) -> int:
    if month is None:
        return 366 if _is_leap(year) else 365
    return 1 if day else _days_in_month(year, int(month))


def _days_in_month(year: int, month: int) -> int:
    length = _DAYS_BEFORE_MONTH[month] - _DAYS_BEFORE_MONTH[month - 1]
    return 29 if month == 2 and _is_leap(year) else length


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _time_of_day(text: str, hour: int, minute: int, second: int) -> int:
    # Second 60 is a leap second; like any clock without them, we take it as the next second.
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError(f"{text!r} has no such time of day")
    return hour * _HOUR + minute * _MINUTE + second * _SECOND


def _offset(text: str, offset: str) -> int:
    if offset == "Z":
        return 0
    minutes = int(offset[4:])
    shift = int(offset[1:3]) * _HOUR + minutes * _MINUTE
    if shift > _LONGEST_OFFSET or minutes > 59:
        raise ValueError(f"{text!r} is further from UTC than 14 hours")
    return -shift if offset[0] == "-" else shift


def _in_zone(first: int, last: int, zone: tzinfo) -> Span:
    """Local milliseconds to UTC; a local time that occurs twice, or never, spans both readings."""
    if zone is UTC:
        return Span(first, last)
    return Span(
        min(first - _shift(first, zone, fold) for fold in (0, 1)),
        max(last - _shift(last, zone, fold) for fold in (0, 1)),
    )


def _shift(local: int, zone: tzinfo, fold: int) -> int:
    latest = datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - a local time has no zone yet
    seconds = timedelta(seconds=local // _SECOND)
    moment = min(datetime(1970, 1, 1) + seconds, latest)  # noqa: DTZ001 - likewise
    offset = moment.replace(tzinfo=zone, fold=fold).utcoffset()
    return 0 if offset is None else offset // timedelta(milliseconds=1)


def _read_if_any(text: Any, read: Reader) -> Span | None:
    if type(text) is not str:
        return None
    try:
        return read(text)
    except ValueError:
        return None


def _around(spans: list[Span]) -> Span:
    return Span(min(part.first for part in spans), max(part.last for part in spans))


@lru_cache(maxsize=1024)
def _minute_text(minute: int) -> str:
    days, of_day = divmod(minute, 24 * 60)
    year, month, day = civil_date(days)
    return f"{year:04}-{month:02}-{day:02}T{of_day // 60:02}:{of_day % 60:02}:"


def civil_date(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since 1970-01-01."""
    # Years run from March here, so that the leap day is the last one and months need no table.
    cycle, of_cycle = divmod(days + _DAYS_BEFORE_1970 + 306, 146_097)
    year = (of_cycle - of_cycle // 1460 + of_cycle // 36_524 - of_cycle // 146_096) // 365
    of_year = of_cycle - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return cycle * 400 + year + (1 if month <= 2 else 0), month, day
