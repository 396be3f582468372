"""Collections: http://hl7.org/fhirpath/N1/#collections-2."""

from typing import Any

import pytest

from fhir_server.fhirpath.errors import FhirPathEvaluationError
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 in (1|2)", [True]),
        ("1.0 in (1|2)", [True]),
        ("3 in (1|2)", [False]),
        ("{} in (1|2)", []),
        ("1 in {}", [False]),
        ("(1|2) contains 1", [True]),
        ("{} contains 1", [False]),
        ("(1|2) contains {}", []),
        ("'Jim' in name.given", [True]),
        ("@2012 in (@2012-01|@2013)", [False]),
        ("11 in (1|2|3|4|5|6|7|8|9|10|11)", [True]),
        ("12 in (1|2|3|4|5|6|7|8|9|10|11)", [False]),
        ("(1 | 2 | 1)", [1, 2]),
        ("1000 'mg' in (1|2|3|4|5|6|7|8|9|10|1 'g')", [True]),
        ("true in (1|2|3|4|5|6|7|8|9|10)", [False]),
    ],
)
def test_membership_is_by_equality(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("(1|2) in (1|2)", 6),
        ("(1|2) contains (1|2)", 6),
    ],
)
def test_one_item_is_looked_for(expression: str, position: int) -> None:
    with pytest.raises(FhirPathEvaluationError) as caught:
        evaluate(expression)
    assert caught.value.position == position
