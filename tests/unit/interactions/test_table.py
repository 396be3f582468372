"""The interaction table keeps what its readers rely on."""

import pytest

from fhir_server.interactions.context import Interaction
from fhir_server.interactions.table import TABLE

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize("row", TABLE.interactions, ids=lambda row: f"{row.method} {row.path}")
def test_a_row_either_answers_or_decides(row: Interaction) -> None:
    assert (row.answer is None) is not (row.decide is None)
    assert row.method in METHODS


def test_no_two_rows_are_at_the_same_place() -> None:
    places = [(row.method, row.path) for row in TABLE.interactions]

    assert len(places) == len(set(places))


def test_what_reads_never_decides_a_write() -> None:
    assert all(row.decide is None for row in TABLE.interactions if row.method == "GET")
