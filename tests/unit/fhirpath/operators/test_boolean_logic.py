"""Boolean logic: http://hl7.org/fhirpath/N1/#boolean-logic."""

from typing import Any

import pytest

from fhir_server.fhirpath.errors import FhirPathEvaluationError
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("true and true", [True]),
        ("true or true", [True]),
        ("true xor true", [False]),
        ("true implies true", [True]),
        ("true and false", [False]),
        ("true or false", [True]),
        ("true xor false", [True]),
        ("true implies false", [False]),
        ("true and {}", []),
        ("true or {}", [True]),
        ("true xor {}", []),
        ("true implies {}", []),
        ("false and true", [False]),
        ("false or true", [True]),
        ("false xor true", [True]),
        ("false implies true", [True]),
        ("false and false", [False]),
        ("false or false", [False]),
        ("false xor false", [False]),
        ("false implies false", [True]),
        ("false and {}", [False]),
        ("false or {}", []),
        ("false xor {}", []),
        ("false implies {}", [True]),
        ("{} and true", []),
        ("{} or true", [True]),
        ("{} xor true", []),
        ("{} implies true", [True]),
        ("{} and false", [False]),
        ("{} or false", []),
        ("{} xor false", []),
        ("{} implies false", []),
        ("{} and {}", []),
        ("{} or {}", []),
        ("{} xor {}", []),
        ("{} implies {}", []),
        ("true.not()", [False]),
        ("{}.not()", []),
        ("'a'.not()", [False]),
        ("'a' and 1", [True]),
        ("name[0] and true", [True]),
        ("false and name", [False]),
    ],
)
def test_logic_has_three_values(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("true and name", 5),
        ("name or true", 5),
        ("name.not()", 5),
        ("true implies name", 5),
    ],
)
def test_several_items_are_no_boolean(expression: str, position: int) -> None:
    with pytest.raises(FhirPathEvaluationError) as caught:
        evaluate(expression)
    assert caught.value.position == position
