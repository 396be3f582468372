"""Comparison: http://hl7.org/fhirpath/N1/#comparison."""

from typing import Any

import pytest

from fhir_server.fhirpath.errors import FhirPathEvaluationError
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 < 2.5", [True]),
        ("2 <= 2", [True]),
        ("'a' < 'b'", [True]),
        ("'Z' < 'a'", [True]),
        ("1 < {}", []),
        ("{} >= {}", []),
        ("@2012 < @2013", [True]),
        ("@2012-01 < @2012", []),
        ("@2012 < @2013-05-01T10:00Z", [True]),
        ("@T10 < @T11:30", [True]),
        ("@T10:00 < @T10:00:01", []),
        ("@2012-01-01T10:00Z < @2012-01-01T10:00+02:00", [False]),
        ("@2012-01-01 > @2012-01-01T10:00:00Z", []),
        ("@2012-01-05 > @2012-01-01T10:00:00Z", [True]),
        ("4 'm' > 4 'cm'", [True]),
        ("4 'm' > 4 's'", []),
        ("1 year > 11 months", [True]),
        ("1 month > 29 days", [True]),
        ("1 month > 29 'd'", []),
        ("birthDate < @1975", [True]),
        ("multipleBirth >= 2", [True]),
    ],
)
def test_comparison_orders_values_of_one_type(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("1 < 'a'", 2),
        ("true < false", 5),
        ("@T10 < @2012", 5),
        ("name < name", 5),
        ("name.given > 1", 11),
        ("@2012 < '2013'", 6),
    ],
)
def test_what_has_no_order_is_refused(expression: str, position: int) -> None:
    with pytest.raises(FhirPathEvaluationError) as caught:
        evaluate(expression)
    assert caught.value.position == position
