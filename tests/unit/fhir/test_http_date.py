"""HTTP dates. The oracle is the standard library's email package."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.fhir.http_date import read_http_date, write_http_date

_NOW = 1_795_600_000_000  # in the year 2026
_EXAMPLE = 784_111_777_000


@given(st.datetimes())
def test_a_date_is_written_as_mail_writes_it_and_read_back(moment: datetime) -> None:
    aware = moment.replace(microsecond=0, tzinfo=UTC)
    milliseconds = int(aware.timestamp()) * 1000
    assert write_http_date(milliseconds + 999) == format_datetime(aware, usegmt=True)
    assert read_http_date(write_http_date(milliseconds), _NOW) == milliseconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", _EXAMPLE),
        ("Sunday, 06-Nov-94 08:49:37 GMT", _EXAMPLE),
        ("Sun Nov  6 08:49:37 1994", _EXAMPLE),
        ("Wednesday, 25-Nov-26 00:00:00 GMT", 1_795_564_800_000),
        ("Thursday, 01-Jan-70 00:00:00 GMT", 3_155_760_000_000),
        ("Saturday, 01-Jan-77 00:00:00 GMT", 220_924_800_000),
    ],
)
def test_all_three_forms_are_read(text: str, expected: int) -> None:
    assert read_http_date(text, _NOW) == expected


@pytest.mark.parametrize(
    "text",
    ["", "2024-05-06", "Sun, 06 Nov 1994", "Sun, 32 Nov 1994 08:49:37 GMT",
     "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
     "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 0000 08:49:37 GMT"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_http_date(text, _NOW)
