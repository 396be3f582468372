"""Dates: every prefix against every precision, judged by half-open ranges of datetime.

The oracle reads dates with strptime and states the prefixes over [start, end).
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from fhir_server.errors import BadRequest
from fhir_server.search.values import date
from tests.support.searching import (
    MARK,
    NOW,
    ask,
    entries,
    finds,
    meets,
    parameter,
)

_NOW = datetime.fromtimestamp(NOW / 1000, UTC)
_EARLIEST, _LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)

_FORMATS: list[tuple[str, Callable[[datetime], datetime]]] = [
    ("%Y", lambda start: start.replace(year=start.year + 1)),
    ("%Y-%m", lambda start: (start + timedelta(days=31)).replace(day=1)),
    ("%Y-%m-%d", lambda start: start + timedelta(days=1)),
    ("%Y-%m-%dT%H:%M", lambda start: start + timedelta(minutes=1)),
    ("%Y-%m-%dT%H:%M:%S", lambda start: start + timedelta(seconds=1)),
    ("%Y-%m-%dT%H:%M:%S%z", lambda start: start + timedelta(seconds=1)),
    ("%Y-%m-%dT%H:%M:%S.%f%z", lambda start: start + timedelta(milliseconds=1)),
]

Range = tuple[datetime, datetime]


def reads(text: str, zone: timezone = UTC) -> Range:
    for form, end in _FORMATS:
        try:
            start = datetime.strptime(text, form)  # noqa: DTZ007 - the zone comes next
        except ValueError:
            continue
        aware = start if start.tzinfo else start.replace(tzinfo=zone)
        return aware, end(aware)
    raise AssertionError(text)


def _approximately(search: Range, stored: Range) -> bool:
    distance = max(search[0] - _NOW, _NOW - search[1], timedelta(0)) / 10
    margin = max(distance, search[1] - search[0])
    return stored[0] < search[1] + margin and stored[1] > search[0] - margin


_MEANINGS: dict[str, Callable[[Range, Range], bool]] = {
    "eq": lambda search, stored: search[0] <= stored[0] and stored[1] <= search[1],
    "ne": lambda search, stored: not (search[0] <= stored[0] and stored[1] <= search[1]),
    "gt": lambda search, stored: stored[1] > search[1],
    "lt": lambda search, stored: stored[0] < search[0],
    "ge": lambda search, stored: stored[1] > search[0],
    "le": lambda search, stored: stored[0] < search[1],
    "sa": lambda search, stored: stored[0] >= search[1],
    "eb": lambda search, stored: stored[1] <= search[0],
    "ap": _approximately,
}

_STORED = [
    "2023", "2024", "2024-02", "2024-02-29", "2024-03-01", "2024-12-31", "2025-01-01",
    "2024-02-29T00:00:00Z", "2024-02-29T23:59:59Z", "2024-02-29T23:59:59.999Z",
    "2024-03-01T00:00:00+02:00", "2024-02-29T12:00:00", "2026-11-25T09:46:40Z",
]  # fmt: skip
_SEARCHED = [
    "2024", "2024-02", "2024-02-29", "2024-02-29T12:00", "2024-02-29T23:59:59Z",
    "2024-02-29T23:59:59.999Z", "2024-02-29T22:00:00-01:00", "2026-11-25", "2026-11",
]  # fmt: skip


@pytest.mark.parametrize("prefix", list(_MEANINGS))
@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-5))])
def test_prefixes_mean_what_the_specification_says(prefix: str, zone: timezone) -> None:
    wrong = [
        (prefix, searched, stored)
        for searched, stored in product(_SEARCHED, _STORED)
        if finds("date", prefix + searched, "dateTime", stored, zone=zone)
        != _MEANINGS[prefix](reads(searched, zone), reads(stored, zone))
    ]
    assert wrong == []


_PERIODS: list[tuple[str | None, str | None]] = [
    ("2024-02-28", "2024-03-01"), ("2024-02-29", "2024-02-29"), ("2023", "2024-02-29"),
    ("2024-02-29", "2025"), ("2024-02-29T10:00:00Z", "2024-02-29T11:00:00Z"),
    (None, "2024-02"), ("2024-03", None), ("2020", "2030"),
]  # fmt: skip


@pytest.mark.parametrize("prefix", list(_MEANINGS))
def test_prefixes_mean_the_same_for_periods(prefix: str) -> None:
    wrong = []
    for searched, (start, end) in product(_SEARCHED, _PERIODS):
        stored = reads(start)[0] if start else _EARLIEST, reads(end)[1] if end else _LATEST
        period = {name: text for name, text in (("start", start), ("end", end)) if text}
        if finds("date", prefix + searched, "Period", period) != _MEANINGS[prefix](
            reads(searched), stored
        ):
            wrong.append((prefix, searched, period))
    assert wrong == []


def test_without_a_prefix_it_is_eq() -> None:
    assert ask("date", "2024-02") == ask("date", "eq2024-02")


def test_ends_of_several_periods_are_not_mixed() -> None:
    two = entries(
        "date",
        [
            ("Period", {"start": "2020", "end": "2021"}),
            ("Period", {"start": "2024", "end": "2025"}),
        ],
    )
    assert not meets(ask("date", "ap2022-12-31", now=1_672_500_000_000), two)
    assert meets(ask("date", "ge2025"), two)
    assert meets(ask("date", "lt2020-06"), two)


def test_a_zone_without_summer_in_mind_is_the_one_configured() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert finds("date", "2024-07-01", "instant", "2024-06-30T22:00:00Z", zone=berlin)
    assert not finds("date", "2024-07-01", "instant", "2024-07-01T22:00:00Z", zone=berlin)


def test_a_plus_sign_that_became_a_blank_is_understood() -> None:
    assert finds("date", "2024-02-29T12:00:00 02:00", "instant", "2024-02-29T10:00:00Z")


@pytest.mark.parametrize("element", [None, 2024, "soon", "", [], {}, "2024-13", {"start": 1}])
@pytest.mark.parametrize("type_", ["date", "dateTime", "instant", "Period", "Timing"])
def test_malformed_elements_are_passed_over(type_: str, element: object) -> None:
    gathered = entries("date", [(type_, element)])
    assert (gathered.keys, gathered.intervals) == ([], [])


@pytest.mark.parametrize("value", ["", "soon", "gt", "gt 2024", "xx2024", "2024-02-30", "24", "ge"])
def test_a_wrong_date_is_refused_in_words(value: str) -> None:
    with pytest.raises(BadRequest) as refused:
        ask("date", value)
    message = refused.value.message
    assert message.startswith(
        f"{value!r} is no value for the search parameter wanted: write a date"
    )


def test_presence_is_any_date_at_all() -> None:
    present = date.present(parameter())
    assert meets(present, entries("date", [("Period", {"start": "2024"})]))
    assert not meets(present, entries("date", []))


def test_intervals_carry_their_parameter() -> None:
    gathered = entries("date", [("date", "2024")])
    assert gathered.intervals[0][0] == MARK.number << 32
