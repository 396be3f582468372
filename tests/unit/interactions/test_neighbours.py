"""Neighbours in a batch: who may be carried out at once, so that nobody can tell."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fhir_server.interactions.bundle.entries import Entry
from fhir_server.interactions.bundle.neighbours import AT_ONCE, runs
from fhir_server.interactions.context import Context
from fhir_server.interactions.request import Reply, Request

CONTEXT = cast("Context", SimpleNamespace(base_url="https://example.org/fhir"))


def entry(what: str, refers_to: str = "", if_none_exist: str = "") -> Entry:
    """An entry named as `PUT Patient/1`; its resource may have a reference."""
    method, _, url = what.partition(" ")
    path, _, query = url.partition("?")
    body: dict[str, Any] = {"resourceType": path.partition("/")[0]}
    if refers_to:
        body["extension"] = [{"valueReference": {"reference": refers_to}}]
    headers = {"if-none-exist": if_none_exist} if if_none_exist else {}
    pairs = [(query, "")] if query else []
    return Entry(0, "", Request(method, path.split("/"), pairs, headers, body), url)


MARY = "Patient?identifier=mary"

TOGETHER: dict[str, list[Entry]] = {
    "creates": [entry("POST Patient"), entry("POST Patient"), entry("POST Observation")],
    "updates of different resources": [entry("PUT Patient/1"), entry("PUT Patient/2")],
    "the same id of different types": [entry("PUT Patient/1"), entry("DELETE Observation/1")],
    "a create and a delete": [entry("POST Patient"), entry("DELETE Patient/1")],
    "plain references": [entry("PUT Patient/1"), entry("POST Observation", "Patient/1")],
    "references that look among others": [
        entry("PUT Observation/1", MARY),
        entry("POST Observation", MARY),
        entry("POST Encounter", "https://example.org/fhir/Practitioner?identifier=joe"),
    ],
}
APART: dict[str, list[Entry | Reply]] = {
    "the same resource twice": [entry("PUT Patient/1"), entry("PUT Patient/1")],
    "an update and a deletion of it": [entry("PUT Patient/1"), entry("DELETE Patient/1")],
    "a read behind a write": [entry("PUT Patient/1"), entry("GET Patient/1")],
    "a write behind a read": [entry("GET Patient/1"), entry("PUT Patient/1")],
    "reads": [entry("GET Patient/1"), entry("GET Patient/2")],
    "a search behind a write": [entry("POST Patient"), entry("GET Patient?name")],
    "a posted search": [entry("POST Patient"), entry("POST Patient/_search")],
    "a conditional create": [entry("POST Patient"), entry("POST Patient", "", "identifier=x")],
    "a conditional update": [entry("PUT Patient?identifier"), entry("PUT Patient/1")],
    "a conditional deletion": [entry("POST Patient"), entry("DELETE Patient?identifier")],
    "a reference that may find what goes before": [
        entry("POST Patient"),
        entry("POST Observation", MARY),
    ],
    "a reference that must not find what comes after": [
        entry("POST Observation", MARY),
        entry("PUT Patient/1"),
    ],
    "a reference that looks at further types": [
        entry("POST Encounter"),
        entry("POST Observation", "Patient?general-practitioner.name=joe"),
    ],
    "a reference that looks back": [
        entry("POST Encounter"),
        entry("POST Observation", "Patient?_has:Encounter:patient:status=planned"),
    ],
    "what failed already": [entry("POST Patient"), Reply(400), entry("POST Patient")],
}


@pytest.mark.parametrize("name", TOGETHER)
def test_these_go_together(name: str) -> None:
    assert list(runs(TOGETHER[name], CONTEXT)) == [TOGETHER[name]]


@pytest.mark.parametrize("name", APART)
def test_these_wait_for_each_other(name: str) -> None:
    assert list(runs(APART[name], CONTEXT)) == [[each] for each in APART[name]]


def test_so_many_go_together_and_no_more() -> None:
    entries = [entry("POST Patient")] * (2 * AT_ONCE + 1)

    assert [len(run) for run in runs(entries, CONTEXT)] == [AT_ONCE, AT_ONCE, 1]


def test_entries_stay_in_their_order() -> None:
    words = ["PUT Patient/1", "PUT Patient/2", "GET Patient/1", "PUT Patient/1", "POST Patient"]
    entries = [entry(each) for each in words]

    parted = list(runs(entries, CONTEXT))

    assert [len(run) for run in parted] == [2, 1, 2]
    assert [each for run in parted for each in run] == entries
