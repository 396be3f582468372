"""The interaction table: every row can be carried out, every path finds its row."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fhir_server.errors import MethodNotAllowed, NotFound
from fhir_server.interactions.context import Context
from fhir_server.interactions.request import Request
from fhir_server.interactions.table import TABLE

CONTEXT = cast(
    "Context",
    SimpleNamespace(definitions=SimpleNamespace(resource_types={"Patient", "Observation"})),
)


def find(method: str, path: str) -> str:
    segments = [segment for segment in path.split("/") if segment]
    return TABLE.find(Request(method, segments), CONTEXT).name


@pytest.mark.parametrize("row", TABLE.interactions, ids=lambda row: f"{row.method} {row.path}")
def test_a_row_either_answers_or_decides(row: Any) -> None:
    assert (row.answer is None) != (row.decide is None)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "metadata", "capabilities"),
        ("GET", "Patient/1", "read"),
        ("HEAD", "Patient/1", "read"),
        ("GET", "Patient/1/_history/2", "vread"),
        ("GET", "Patient/1/_history", "history-instance"),
        ("GET", "Patient/_history", "history-type"),
        ("GET", "_history", "history-system"),
        ("PUT", "Patient/1", "update"),
        ("PUT", "Patient", "conditional-update"),
        ("POST", "Patient", "create"),
        ("POST", "Patient/_search", "search-type"),
        ("GET", "Patient", "search-type"),
        ("DELETE", "Patient/1", "delete"),
        ("DELETE", "Patient", "conditional-delete"),
        ("POST", "", "bundle"),
        ("GET", "", "search-system"),
        ("POST", "_search", "search-system"),
        ("GET", "Patient/1/Observation", "search-compartment"),
        ("GET", "Patient/1/*", "search-compartment"),
        ("POST", "Patient/1/Observation/_search", "search-compartment"),
        ("POST", "Patient/1/*/_search", "search-compartment"),
        ("POST", "Patient/1/_search", "search-compartment"),
        ("GET", "$x", "operation"),
        ("POST", "Patient/$x", "operation"),
        ("GET", "Patient/1/$x", "operation"),
    ],
)
def test_a_path_finds_its_interaction(method: str, path: str, name: str) -> None:
    assert find(method, path) == name


@pytest.mark.parametrize(
    "path",
    [
        "Nobody/1",
        "Nobody",
        "Nobody/1/Observation",
        "Patient/1/2/3",
        "Patient/1/2/$x",
        "Patient/_history/2",
        "Patient/1/_history/2/3",
        "_other",
        "patient/1",
    ],
)
def test_what_does_not_exist_is_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        find("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "Patient/1", "DELETE, GET, HEAD, PATCH, PUT"),
        ("DELETE", "metadata", "GET, HEAD"),
        ("PUT", "", "GET, HEAD, POST"),
        ("DELETE", "Patient/1/Observation", "GET, HEAD"),
        ("PUT", "Patient/1/_history/2", "GET, HEAD"),
    ],
)
def test_a_wrong_method_names_the_right_ones(method: str, path: str, allowed: str) -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        find(method, path)

    assert refused.value.headers == {"allow": allowed}
