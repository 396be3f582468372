"""Combining: http://hl7.org/fhirpath/N1/#combining."""

from typing import Any

import pytest

from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1.union(1)", [1]),
        ("(1|2).union(2|3)", [1, 2, 3]),
        ("{}.union(1.combine(1))", [1]),
        ("1.combine(1)", [1, 1]),
        ("{}.combine(1)", [1]),
        ("name.select(use.union(given)).count()", [7]),
        ("name.given | name.given", ["Peter", "James", "Jim", None]),
        ("1 | 1.0", [1]),
        ("@2020 | @2020-01", ["2020", "2020-01"]),
    ],
)
def test_only_combine_keeps_duplicates(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected
