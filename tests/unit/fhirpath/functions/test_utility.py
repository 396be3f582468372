"""Utility functions and aggregates: http://hl7.org/fhirpath/N1/#utility-functions."""

from datetime import timedelta, timezone
from typing import Any

import pytest

from fhir_server.fhirpath import Environment
from fhir_server.kit.clock import SettableClock
from tests.support.fhirpath import evaluate, plain


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(1|2|3).aggregate($this + $total, 0)", [6]),
        ("(1|2|3).aggregate($this + $total)", []),
        ("(3|1|2).aggregate(iif($total.empty(), $this, iif($this < $total, $this, $total)))", [1]),
        ("{}.aggregate($this, 5)", [5]),
        ("(1|2).aggregate($total.combine($index), 9)", [9, 0, 1]),
        ("(1|2).aggregate($total + (3|4).aggregate($this + $total, 0), 0)", [14]),
    ],
)
def test_aggregates_go_from_item_to_item(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


NOW = 1_700_000_000_123


def test_time_stands_still_and_is_in_the_zone_of_the_environment() -> None:
    clock = SettableClock(NOW)
    environment = Environment(clock=clock, zone=timezone(timedelta(hours=5, minutes=30)))
    assert evaluate("now()", environment=environment) == ["2023-11-15T03:43:20.123+05:30"]
    assert evaluate("today()", environment=environment) == ["2023-11-15"]
    assert evaluate("timeOfDay()", environment=environment) == ["03:43:20.123"]
    assert evaluate("now() = now()") == [True]


def test_trace_tells_what_it_sees_and_changes_nothing() -> None:
    told: list[tuple[str, list[Any]]] = []
    environment = Environment(
        trace=lambda name, items: told.append((name, list(map(plain, items))))
    )
    assert evaluate("name.given.trace('all').count()", environment=environment) == [5]
    assert evaluate("name.trace('some', use).count()", environment=environment) == [3]
    assert told == [
        ("all", ["Peter", "James", "Jim", "Peter", None]),
        ("some", ["official", "usual"]),
    ]
    assert evaluate("name.trace('nobody listens').count()") == [3]
