"""Existence: http://hl7.org/fhirpath/N1/#existence."""

from typing import Any

import pytest

from fhir_server.fhirpath.errors import FhirPathEvaluationError
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("name.empty()", [False]),
        ("link.empty()", [True]),
        ("{}.empty()", [True]),
        ("name.exists()", [True]),
        ("link.exists()", [False]),
        ("name.exists(use = 'usual')", [True]),
        ("name.exists(use = 'old')", [False]),
        ("name.exists($index = 2)", [True]),
        ("name.exists($index = 3)", [False]),
        ("name.all(given.exists())", [True]),
        ("name.all(family.exists())", [False]),
        ("link.all(false)", [True]),
        ("name.all({})", [False]),
        ("(true | false).allTrue()", [False]),
        ("{}.allTrue()", [True]),
        ("(true | false).anyTrue()", [True]),
        ("{}.anyTrue()", [False]),
        ("(true | false).allFalse()", [False]),
        ("{}.allFalse()", [True]),
        ("(true | false).anyFalse()", [True]),
        ("{}.anyFalse()", [False]),
        ("true.anyFalse()", [False]),
        ("(1 | 2).subsetOf(1 | 2 | 3)", [True]),
        ("(1 | 4).subsetOf(1 | 2 | 3)", [False]),
        ("{}.subsetOf({})", [True]),
        ("1.subsetOf({})", [False]),
        ("(1 | 2 | 3).supersetOf(2)", [True]),
        ("{}.supersetOf(1)", [False]),
        ("1.supersetOf({})", [True]),
        ("name.given.isDistinct()", [False]),
        ("name.use.isDistinct()", [True]),
        ("{}.isDistinct()", [True]),
        ("name.given.distinct().count()", [4]),
        ("name.given.count()", [5]),
        ("{}.count()", [0]),
        ("name.given[4].exists()", [True]),
        ("birthDate.extension.exists()", [True]),
        ("_birthDate.exists()", [False]),
    ],
)
def test_existence_looks_at_what_there_is(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("('a' | true).allTrue()", 13),
        ("name.given.anyFalse()", 11),
    ],
)
def test_only_booleans_are_all_true_or_false(expression: str, position: int) -> None:
    with pytest.raises(FhirPathEvaluationError) as caught:
        evaluate(expression)
    assert caught.value.position == position
