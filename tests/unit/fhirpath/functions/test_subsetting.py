"""Subsetting: http://hl7.org/fhirpath/N1/#subsetting."""

from typing import Any

import pytest

from fhir_server.fhirpath.errors import FhirPathEvaluationError
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("name.given[0]", ["Peter"]),
        ("name.given[9]", []),
        ("name.given[-1]", []),
        ("name.given[{}]", []),
        ("{}[0]", []),
        ("name.first().family", ["Chalmers"]),
        ("{}.first()", []),
        ("name.last().family", ["Windsor"]),
        ("(1|2|3).tail()", [2, 3]),
        ("1.tail()", []),
        ("(1|2|3).skip(1)", [2, 3]),
        ("(1|2|3).skip(-1)", [1, 2, 3]),
        ("(1|2|3).skip(9)", []),
        ("(1|2|3).take(2)", [1, 2]),
        ("(1|2|3).take(0)", []),
        ("(1|2|3).take(-2)", []),
        ("1.single()", [1]),
        ("{}.single()", []),
        ("(1|2|3).intersect(2|3|4)", [2, 3]),
        ("1.combine(1).intersect(1)", [1]),
        ("(1|2).exclude(2)", [1]),
        ("1.combine(1).exclude(2)", [1, 1]),
    ],
)
def test_subsetting_takes_items_by_their_place(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("name.single()", 5),
        ("name.skip('a')", 5),
        ("name[true]", 4),
    ],
)
def test_single_is_one_and_a_number_is_an_integer(expression: str, position: int) -> None:
    with pytest.raises(FhirPathEvaluationError) as caught:
        evaluate(expression)
    assert caught.value.position == position
