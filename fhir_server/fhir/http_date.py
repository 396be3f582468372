"""Dates as HTTP writes them, for Last-Modified and If-Modified-Since.

https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7

Whole seconds, always GMT. One form is written, three are read.
"""

import re
from datetime import UTC, datetime

from fhir_server.fhir.temporal import civil_date

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_THURSDAY = 3
"""1970-01-01 was one."""

_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMS = (
    re.compile(rf"[A-Z][a-z]{{2}}, (?P<day>\d\d) (?P<month>\w{{3}}) (?P<year>\d{{4}}) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]{{5,8}}, (?P<day>\d\d)-(?P<month>\w{{3}})-(?P<year>\d\d) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]{{2}} (?P<month>\w{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})"),
)


def write_http_date(milliseconds: int) -> str:
    """`Wed, 25 Nov 2026 01:02:03 GMT`; the fraction of the second is dropped."""
    days, of_day = divmod(milliseconds // 1000, 86_400)
    year, month, day = civil_date(days)
    weekday = _WEEKDAYS[(days + _THURSDAY) % 7]
    time = f"{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}"
    return f"{weekday}, {day:02} {_MONTHS[month - 1]} {year:04} {time} GMT"


def read_http_date(text: str, now_ms: int) -> int:
    """Milliseconds since 1970 of any of the three forms; ValueError for anything else.

    Years of two digits are taken within fifty years after `now_ms`, or before it.
    """
    for form in _FORMS:
        if found := form.fullmatch(text):
            break
    else:
        raise ValueError(f"{text!r} is not an HTTP date such as Sun, 06 Nov 1994 08:49:37 GMT")
    if found["month"] not in _MONTHS:
        raise ValueError(f"{text!r} has no such month")
    moment = datetime(
        _full_year(found["year"], now_ms),
        _MONTHS.index(found["month"]) + 1,
        int(found["day"]),
        int(found["hour"]),
        int(found["minute"]),
        59 if found["second"] == "60" else int(found["second"]),
        tzinfo=UTC,
    )
    return int(moment.timestamp()) * 1000


def _full_year(written: str, now_ms: int) -> int:
    if len(written) == 4:
        return int(written)
    current = civil_date(now_ms // 86_400_000)[0]
    year = current - current % 100 + int(written)
    return year - 100 if year > current + 50 else year
