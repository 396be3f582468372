"""Math: http://hl7.org/fhirpath/N1/#math."""

from typing import Any

import pytest

from fhir_server.fhirpath.errors import FhirPathEvaluationError
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(-5).abs()", [5]),
        ("(-5.5).abs() = 5.5", [True]),
        ("(-5.5 'mg').abs()", ["5.5 'mg'"]),
        ("1.1.ceiling()", [2]),
        ("(-1.1).ceiling()", [-1]),
        ("2.1.floor()", [2]),
        ("(-2.1).floor()", [-3]),
        ("0.exp() = 1", [True]),
        ("1.ln() = 0", [True]),
        ("0.ln()", []),
        ("16.log(2) = 4", [True]),
        ("100.0.log(10.0) = 2", [True]),
        ("1.log(1)", []),
        ("2.power(3)", [8]),
        ("2.5.power(2) = 6.25", [True]),
        ("(-1).power(0.5)", []),
        ("2.power(-1) = 0.5", [True]),
        ("2.power(31)", []),
        ("10.power(1000000)", []),
        ("3.14159.round(3) = 3.142", [True]),
        ("2.5.round() = 3", [True]),
        ("(-2.5).round() = -3", [True]),
        ("81.sqrt() = 9", [True]),
        ("(-1).sqrt()", []),
        ("1.9.truncate()", [1]),
        ("(-1.9).truncate()", [-1]),
        ("99999999999.0.truncate()", []),
        ("{}.abs()", []),
    ],
)
def test_functions_of_numbers(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("'a'.abs()", 4),
        ("true.floor()", 5),
        ("1.round(-1)", 2),
        ("(1|2).sqrt()", 6),
    ],
)
def test_functions_of_numbers_take_numbers(expression: str, position: int) -> None:
    with pytest.raises(FhirPathEvaluationError) as caught:
        evaluate(expression)
    assert caught.value.position == position
