"""Spans of dates and times. The oracle is the standard library's datetime."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.fhir import temporal
from fhir_server.fhir.temporal import (
    BEGINNING,
    END,
    Span,
    instant,
    period_span,
    reader,
    span,
    timing_span,
)
from fhir_server.storage.versions import EARLIEST, LATEST

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_BERLIN = ZoneInfo("Europe/Berlin")


def ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


@pytest.mark.parametrize(
    ("text", "first", "next_one"),
    [
        ("2024", "2024-01-01T00:00:00+00:00", "2025-01-01T00:00:00+00:00"),
        ("2024-02", "2024-02-01T00:00:00+00:00", "2024-03-01T00:00:00+00:00"),
        ("2023-02", "2023-02-01T00:00:00+00:00", "2023-03-01T00:00:00+00:00"),
        ("2024-12", "2024-12-01T00:00:00+00:00", "2025-01-01T00:00:00+00:00"),
        ("2024-02-29", "2024-02-29T00:00:00+00:00", "2024-03-01T00:00:00+00:00"),
        ("1900-02", "1900-02-01T00:00:00+00:00", "1900-03-01T00:00:00+00:00"),
        ("2000-02", "2000-02-01T00:00:00+00:00", "2000-03-01T00:00:00+00:00"),
        ("2024-05-06T07:08", "2024-05-06T07:08:00+00:00", "2024-05-06T07:09:00+00:00"),
        ("2024-05-06T07:08Z", "2024-05-06T07:08:00+00:00", "2024-05-06T07:09:00+00:00"),
        ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09+00:00", "2024-05-06T07:08:10+00:00"),
        ("2024-05-06T07:08:09+02:00", "2024-05-06T05:08:09+00:00", "2024-05-06T05:08:10+00:00"),
        ("2024-05-06T00:08:09-14:00", "2024-05-06T14:08:09+00:00", "2024-05-06T14:08:10+00:00"),
        ("2024-05-06T07:08:09.1Z", "2024-05-06T07:08:09.1+00:00", "2024-05-06T07:08:09.2+00:00"),
        ("2024-05-06T07:08:09.12Z", "2024-05-06T07:08:09.12+00:00", "2024-05-06T07:08:09.13+00:00"),
        ("2024-05-06T07:08:09.123Z", "2024-05-06T07:08:09.123+00:00",
         "2024-05-06T07:08:09.124+00:00"),
        ("2024-05-06T07:08:09.1239999Z", "2024-05-06T07:08:09.123+00:00",
         "2024-05-06T07:08:09.124+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00", "2017-01-01T00:00:01+00:00"),
        ("0001-01-01", "0001-01-01T00:00:00+00:00", "0001-01-02T00:00:00+00:00"),
    ],
)  # fmt: skip
def test_a_span_runs_from_its_first_millisecond_to_before_the_next(
    text: str, first: str, next_one: str
) -> None:
    expected = Span(ms(datetime.fromisoformat(first)), ms(datetime.fromisoformat(next_one)) - 1)
    assert span(text) == expected


def test_the_last_year_there_is_ends() -> None:
    assert span("9999").last == ms(datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    ["", "24", "2024-", "2024-13", "2024-00", "2024-02-30", "2023-02-29", "1900-02-29", "0000",
     "2024-04-31", "2024-05-06T", "2024-05-06T07", "2024-05-06T24:00:00Z", "2024-05-06T07:60:00Z",
     "2024-05-06T07:08:61Z", "2024-05-06T07:08:09.Z", "2024-05-06T07:08:09+14:01",
     "2024-05-06T07:08:09+15:00", "2024-05-06T07:08:09+01:60", "2024-05-06 07:08:09",
     "2024-05-06T07:08:09z", "2024-5-6", "20240506", "2024-05-06Z", " 2024", "2024\n", "x",
     "\u0662\u0660\u0662\u0664", "-2024", "12024"],
)  # fmt: skip
def test_what_is_no_date_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"has no such|is not a date|further from UTC") as refused:
        span(text)
    assert repr(text) in str(refused.value)


_DAYS = st.datetimes()
_ZONES = st.sampled_from(
    [UTC, timezone(timedelta(hours=5, minutes=30)), timezone.min, timezone.max]
)


@given(_DAYS, st.integers(-14 * 60, 14 * 60))
def test_any_time_with_an_offset_is_what_datetime_says(moment: datetime, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    aware = moment.replace(microsecond=0, tzinfo=zone)
    hours, rest = divmod(abs(minutes), 60)
    text = (
        f"{aware.replace(tzinfo=None).isoformat()}{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
    )
    assert span(text) == Span(ms(aware), ms(aware) + 999)


@given(_DAYS, _ZONES)
def test_any_day_without_a_zone_is_taken_in_the_zone_given(moment: datetime, zone: tzinfo) -> None:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=zone)
    text = midnight.date().isoformat()
    assert span(text, zone) == Span(ms(midnight), ms(midnight) + 86_400_000 - 1)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        # A day of 23 hours, a day of 25, an hour that does not exist and one that comes twice.
        ("2024-03-31", "2024-03-30T23:00:00.000+00:00", "2024-03-31T21:59:59.999+00:00"),
        ("2024-10-27", "2024-10-26T22:00:00.000+00:00", "2024-10-27T22:59:59.999+00:00"),
        ("2024-03-31T02:30", "2024-03-31T00:30:00.000+00:00", "2024-03-31T01:30:59.999+00:00"),
        ("2024-10-27T02:30", "2024-10-27T00:30:00.000+00:00", "2024-10-27T01:30:59.999+00:00"),
        ("2024-07-01T12:00:00", "2024-07-01T10:00:00.000+00:00", "2024-07-01T10:00:00.999+00:00"),
        ("2024-07-01T12:00:00Z", "2024-07-01T12:00:00.000+00:00", "2024-07-01T12:00:00.999+00:00"),
        ("2024", "2023-12-31T23:00:00.000+00:00", "2024-12-31T22:59:59.999+00:00"),
    ],
)
def test_a_zone_with_summer_time_is_respected(text: str, first: str, last: str) -> None:
    expected = Span(ms(datetime.fromisoformat(first)), ms(datetime.fromisoformat(last)))
    assert span(text, _BERLIN) == expected


def test_the_ends_of_time_have_zones_too() -> None:
    assert span("9999-12-31", _BERLIN).last == ms(
        datetime(9999, 12, 31, 22, 59, 59, 999000, tzinfo=UTC)
    )
    assert span("0001-01-01", timezone.max).first == ms(datetime(1, 1, 1, tzinfo=UTC)) - (
        timezone.max.utcoffset(None) // _MILLISECOND
    )


_READ = reader(UTC)
_MAY, _JUNE = span("2024-05"), span("2024-06")


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ({"start": "2024-05", "end": "2024-06"}, Span(_MAY.first, _JUNE.last)),
        ({"start": "2024-05", "end": "2024-05"}, _MAY),
        ({"start": "2024-05"}, Span(_MAY.first, END)),
        ({"end": "2024-05"}, Span(BEGINNING, _MAY.last)),
        ({"start": "2024-06", "end": "2024-05"}, Span(_MAY.first, _JUNE.last)),
        ({"start": "soon", "end": "2024-05"}, Span(BEGINNING, _MAY.last)),
        ({}, None),
        ({"start": "soon"}, None),
        ({"start": 2024}, None),
        (["2024"], None),
        ("2024", None),
        (None, None),
    ],
)
def test_a_period_spans_both_its_ends(period: object, expected: Span | None) -> None:
    assert period_span(period, _READ) == expected


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"event": ["2024-06", "2024-05"]}, Span(_MAY.first, _JUNE.last)),
        ({"event": ["2024-05", "soon", None, 7]}, _MAY),
        ({"repeat": {"boundsPeriod": {"start": "2024-05"}}}, Span(_MAY.first, END)),
        (
            {"event": ["2024-05"], "repeat": {"boundsPeriod": {"end": "2024-06"}}},
            Span(BEGINNING, _JUNE.last),
        ),
        ({"repeat": {"frequency": 2}}, None),
        ({"repeat": []}, None),
        ({"event": "2024"}, None),
        ({}, None),
        ("2024", None),
    ],
)
def test_a_timing_spans_its_events_and_bounds(timing: object, expected: Span | None) -> None:
    assert timing_span(timing, _READ) == expected


def test_open_ends_are_those_of_the_store() -> None:
    assert (BEGINNING, END) == (EARLIEST, LATEST)


@given(st.datetimes())
def test_an_instant_is_written_with_milliseconds_and_read_back(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    expected = aware.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    assert instant(ms(aware)) == expected
    assert span(expected) == Span(ms(aware), ms(aware))


def _two(most: int) -> st.SearchStrategy[str]:
    return st.integers(0, most).map("{:02}".format)


_MOMENTS = st.tuples(
    st.one_of(
        st.sampled_from(["0000", "0001", "9999", "1900", "2000"]),
        st.from_regex(r"[0-9]{4}", fullmatch=True),
    ),
    _two(13),
    _two(32),
    _two(25),
    _two(60),
    _two(61),
    st.sampled_from(["", ".000", ".123", ".999"]),
    st.sampled_from(["Z", "+00:00", "-00:00", "+13:59", "-13:59", "+14:00", "-05:30", "+02:60"]),
)


@given(_MOMENTS)
def test_a_moment_read_by_the_library_is_what_arithmetic_makes_of_it(
    parts: tuple[str, ...],
) -> None:
    year, month, day, hour, minute, second, fraction, zone = parts
    text = f"{year[:4]}-{month}-{day}T{hour}:{minute}:{second}{fraction}{zone}"
    try:
        expected = temporal._read_any(text, UTC)  # noqa: SLF001 -- the slower of the two ways
    except ValueError:
        with pytest.raises(ValueError, match=r"\d{4}"):
            span(text)
    else:
        assert span(text) == expected
