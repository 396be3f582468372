"""Tree navigation: http://hl7.org/fhirpath/N1/#tree-navigation."""

from typing import Any

import pytest

from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("managingOrganization.children()", ["#o1"]),
        ("name[1].children()", ["usual", "Jim"]),
        ("birthDate.children().url", ["http://x/time"]),
        ("name[2].given[1].children()", ["g"]),
        ("contained.children()", ["o1", "Acme"]),
        ("children().where($this is boolean).count()", [2]),
        ("descendants().where($this is HumanName).count()", [3]),
        ("descendants().where($this = 'Peter').count()", [2]),
        ("1.children()", []),
        ("contained.descendants().count()", [2]),
    ],
)
def test_children_are_elements_and_nothing_else(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected
