"""Precision and boundaries, as they are on trial since 2.1."""

from typing import Any

import pytest

from fhir_server.fhirpath.errors import FhirPathEvaluationError
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1.587.lowBoundary().toString()", ["1.58650000"]),
        ("1.587.highBoundary(2).toString()", ["1.59"]),
        ("1.lowBoundary(0).toString()", ["0"]),
        ("1.587.lowBoundary(-1)", []),
        ("1.587.lowBoundary(40)", []),
        ("1.5 'cm'.highBoundary(2)", ["1.55 'cm'"]),
        ("@2014.lowBoundary(6)", ["2014-01"]),
        ("@2014-02.highBoundary()", ["2014-02-28"]),
        ("@2016-02.highBoundary(8)", ["2016-02-29"]),
        ("@2014.lowBoundary(5)", []),
        ("@2014-01-01T08.highBoundary(17)", ["2014-01-01T08:59:59.999-12:00"]),
        ("@2014-01-01T08:05+08:00.lowBoundary(17)", ["2014-01-01T08:05:00.000+08:00"]),
        ("@2014-01-01T08.lowBoundary(12)", ["2014-01-01T08:00+14:00"]),
        ("@2014-01-01T08.lowBoundary(8)", ["2014-01-01"]),
        ("@T10:30.highBoundary()", ["10:30:59.999"]),
        ("@T10.lowBoundary(6)", ["10:00:00"]),
        ("@T10:30:15.5.highBoundary(9)", ["10:30:15.599"]),
        ("birthDate.lowBoundary(4)", ["1974"]),
        ("1.58700.precision()", [5]),
        ("1.precision()", [0]),
        ("@2014.precision()", [4]),
        ("@T10:30:00.000.precision()", [9]),
        ("@2014-01-05T10:30:00.000.precision()", [17]),
        ("@2014-01-05T10:30.precision()", [12]),
        ("1 'cm'.comparable(1 '[in_i]')", [True]),
        ("1 'cm'.comparable(1 's')", [False]),
    ],
)
def test_what_lies_within_the_precision_of_a_value(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("'a'.lowBoundary()", 4),
        ("true.precision()", 5),
        ("1.comparable(1)", 2),
    ],
)
def test_only_what_has_a_precision_has_boundaries(expression: str, position: int) -> None:
    with pytest.raises(FhirPathEvaluationError) as caught:
        evaluate(expression)
    assert caught.value.position == position
