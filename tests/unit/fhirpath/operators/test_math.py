"""Math operators: http://hl7.org/fhirpath/N1/#math-2."""

from typing import Any

import pytest

from fhir_server.fhirpath.errors import FhirPathEvaluationError
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2", [3]),
        ("1.1 + 2.2 = 3.3", [True]),
        ("0.1 + 0.2 = 0.3", [True]),
        ("'a' + 'b'", ["ab"]),
        ("1 + {}", []),
        ("{} - 1", []),
        ("1 - 2", [-1]),
        ("2 * 3", [6]),
        ("1.2 * 1.8 = 2.16", [True]),
        ("4 / 2 is Decimal", [True]),
        ("1 / 0", []),
        ("1.0 / 0.0", []),
        ("5 div 2", [2]),
        ("-5 div 2", [-2]),
        ("5.5 div 0.7", [7]),
        ("5 div 0", []),
        ("5 mod 2", [1]),
        ("-5 mod 2", [-1]),
        ("5.5 mod 0.7 = 0.6", [True]),
        ("5 mod 0", []),
        ("2147483647 + 1", []),
        ("2147483647 * 2", []),
        ("-2147483647 - 2", []),
        ("'a' & {} & 'b'", ["ab"]),
        ("{} & {}", [""]),
        ("-5", [-5]),
        ("+5", [5]),
        ("-{}", []),
        ("-(1 + 2)", [-3]),
        ("-(1 'mg')", ["-1 'mg'"]),
        ("3 'm' + 3 'cm'", ["303 'cm'"]),
        ("3 'cm' - 3 'm'", ["-297 'cm'"]),
        ("1 'm' + 1 's'", []),
        ("1 day + 1 day", ["2 day"]),
        ("2.0 'cm' * 2.0 'm' = 0.040 'm2'", [True]),
        ("12 'cm2' / 3 'cm' = 4 'cm'", [True]),
        ("1 'm' / 1 'm'", ["1 '1'"]),
        ("2 * 3 'mg'", ["6 'mg'"]),
        ("6 'mg' / 2", ["3 'mg'"]),
        ("1 'm' / 0 's'", []),
        ("1.0 + 1 is Decimal", [True]),
        ("1 + 2 * 3", [7]),
        ("multipleBirth + 1", [3]),
    ],
)
def test_arithmetic_is_exact_or_empty(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("1 + 'a'", 2),
        ("'a' - 'b'", 4),
        ("true + 1", 5),
        ("'a' * 2", 4),
        ("'a' div 2", 4),
        ("-'a'", 0),
        ("-true", 0),
        ("1 & 'a'", 2),
        ("(1|2) + 1", 6),
        ("name + 1", 5),
    ],
)
def test_there_is_no_such_sum(expression: str, position: int) -> None:
    with pytest.raises(FhirPathEvaluationError) as caught:
        evaluate(expression)
    assert caught.value.position == position
