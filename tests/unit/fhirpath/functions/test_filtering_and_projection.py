"""Filtering and projection: http://hl7.org/fhirpath/N1/#filtering-and-projection."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.fhirpath import Environment
from fhir_server.fhirpath.errors import FhirPathTooCostly
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("name.where(use = 'usual').given", ["Jim"]),
        ("name.where(family = 'X')", []),
        ("name.where({})", []),
        ("name.given.where($index = 2)", ["Jim"]),
        ("name.where(given.where($index = 1).exists()).where($index = 0).family", ["Chalmers"]),
        ("name.select(given.first())", ["Peter", "Jim", "Peter"]),
        ("name.select($index)", [0, 1, 2]),
        ("name.select(link)", []),
        ("name.select(given.select($index))", [0, 1, 0, 0, 1]),
        ("(1 | 2).select($this + 1)", [2, 3]),
        ("1.repeat({})", []),
        ("1.repeat(iif($this < 5, $this + 1, {}))", [2, 3, 4, 5]),
        ("1.repeat(1)", [1]),
        ("name.repeat('a')", ["a"]),
        ("contained.ofType(Organization).name", ["Acme"]),
        ("contained.ofType(Patient)", []),
        ("(1 | 2.0 | true).ofType(Decimal)", [Decimal("2.0")]),
        ("(3 | 1 | 2).sort()", [1, 2, 3]),
        ("(3 | 1 | 2).sort(-$this)", [3, 2, 1]),
        ("name.sort(family).given.first()", ["Jim"]),
        ("name.sort(-family).select(family)", ["Windsor", "Chalmers"]),
    ],
)
def test_filtering_and_projection_look_at_each_item(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


def test_a_projection_that_never_ends_is_refused_by_its_steps() -> None:
    with pytest.raises(FhirPathTooCostly):
        evaluate("1.0.repeat($this + 1)", environment=Environment(steps=500))
