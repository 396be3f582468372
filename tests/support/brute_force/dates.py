"""Dates: each is all milliseconds that it may mean.

https://hl7.org/fhir/R4/search.html#date

Milliseconds are counted from the year 1, in UTC.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from tests.support.brute_force.elements import Element
from tests.support.brute_force.query import Refused
from tests.support.brute_force.ranges import HIGHEST, LOWEST, PREFIXES, Range, prefix_of

_DAY = 86_400_000
_WRITTEN = re.compile(
    r"(\d{4})(-\d\d)?(-\d\d)?(T\d\d:\d\d)?(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)


@dataclass(frozen=True)
class Clock:
    """What a date needs to know beside its text."""

    zone: tzinfo = UTC
    now: float | None = None
    """Seconds since 1970; None: it is now."""

    def now_in_milliseconds(self) -> int:
        now = datetime.now(UTC) if self.now is None else datetime.fromtimestamp(self.now, UTC)
        return (now - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def matches(value: str, element: Element, clock: Clock) -> bool:
    prefix, asked = _asked(value, clock)
    has = span(element, clock)
    return has is not None and PREFIXES[prefix](asked, has)


def span(element: Element, clock: Clock) -> Range | None:
    """The milliseconds of a date, dateTime, instant, Period or Timing."""
    value = element.value
    if element.is_a("Period"):
        return _period(value, clock)
    if element.is_a("Timing"):
        parts = [_text(event, clock) for event in value.get("event", ())]
        bounds = value.get("repeat", {}).get("boundsPeriod")
        parts += [_period(bounds, clock)] if bounds else []
        known = [part for part in parts if part]
        if not known:
            return None
        return Range(min(part.first for part in known), max(part.last for part in known))
    return _text(value, clock)


def _asked(value: str, clock: Clock) -> tuple[str, Range]:
    prefix, text = prefix_of(value)
    found = _text(text.replace(" ", "+"), clock)
    if found is None:
        raise Refused(f"{value} is no date")
    if prefix != "ap":
        return prefix, found
    first, last = int(found.first[0]), int(found.last[0])
    now = clock.now_in_milliseconds()
    away = 0 if first <= now <= last else min(abs(now - first), abs(now - last))
    margin = max(away // 10, last - first + 1)
    return prefix, Range((first - margin, 0), (last + margin, 0))


def _period(period: dict[str, Any], clock: Clock) -> Range | None:
    start, end = _text(period.get("start"), clock), _text(period.get("end"), clock)
    if start is None and end is None:
        return None
    first, last = start.first if start else LOWEST, end.last if end else HIGHEST
    if start and end and first > last:
        return Range(min(first, end.first), max(last, start.last))
    return Range(first, last)


def _text(text: object, clock: Clock) -> Range | None:
    found = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
    if not found or any(found[i] and not found[i - 1] for i in (3, 4, 5, 6)):
        return None
    if found[7] and not found[4]:
        return None
    try:
        return _range(*found.groups(), clock=clock)
    except ValueError:
        return None


def _range(
    year: str,
    month: str | None,
    day: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    zone: str | None,
    *,
    clock: Clock,
) -> Range:
    begin = date(int(year), int((month or "-01")[1:]), int((day or "-01")[1:]))
    first = (begin.toordinal() - 1) * _DAY
    if minute is None:
        length = _days(begin, whole_year=month is None, whole_month=day is None) * _DAY
    else:
        hours, minutes = int(minute[1:3]), int(minute[4:])
        seconds = int((second or ":00")[1:])
        if hours > 23 or minutes > 59 or seconds > 60:
            raise ValueError(minute)
        first += ((hours * 60 + minutes) * 60 + seconds) * 1000
        length = 60_000 if second is None else 1000
        if fraction is not None:
            first += int((fraction[1:] + "00")[:3])
            length = max(1, 1000 // 10 ** len(fraction[1:]))
    return _shifted(first, first + length - 1, zone, clock.zone)


def _days(begin: date, *, whole_year: bool, whole_month: bool) -> int:
    if not whole_month:
        return 1
    if whole_year:
        return 366 if begin.year % 4 == 0 and (begin.year % 100 or begin.year % 400 == 0) else 365
    after = begin + timedelta(days=31) if begin.year < 9999 or begin.month < 12 else None
    return 31 if after is None else 31 - (after.day - 1) % 31


def _shifted(first: int, last: int, written: str | None, zone: tzinfo) -> Range:
    if written == "Z":
        return Range((first, 0), (last, 0))
    if written is not None:
        minutes = int(written[1:3]) * 60 + int(written[4:])
        if minutes > 14 * 60 or int(written[4:]) > 59:
            raise ValueError(written)
        shift = minutes * 60_000 * (-1 if written[0] == "-" else 1)
        return Range((first - shift, 0), (last - shift, 0))
    firsts = [first - _offset(first, zone, fold) for fold in (0, 1)]
    lasts = [last - _offset(last, zone, fold) for fold in (0, 1)]
    return Range((min(firsts), 0), (max(lasts), 0))


def _offset(local: int, zone: tzinfo, fold: int) -> int:
    moment = datetime(1, 1, 1) + timedelta(milliseconds=local)  # noqa: DTZ001 -- it has no zone yet
    offset = moment.replace(tzinfo=zone, fold=fold).utcoffset()
    return 0 if offset is None else offset // timedelta(milliseconds=1)
