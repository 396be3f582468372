"""Bundles joined from stored bytes are the JSON that was meant."""

import json

import pytest

from fhir_server.fhir import bundle

BASE = "http://h/fhir"


def _entries(number: int, type_: str, mode: bytes) -> bundle.Entries:
    ids = [f"{type_.lower()}-{at}" for at in range(number)]
    contents = [json.dumps({"resourceType": type_, "id": id_}).encode() for id_ in ids]
    return bundle.match_entries(f"{BASE}/{type_}", ids, contents, mode)


def _expected(number: int, type_: str, mode: str) -> list[dict[str, object]]:
    ids = [f"{type_.lower()}-{at}" for at in range(number)]
    return [
        {
            "fullUrl": f"{BASE}/{type_}/{id_}",
            "resource": {"resourceType": type_, "id": id_},
            "search": {"mode": mode},
        }
        for id_ in ids
    ]


@pytest.mark.parametrize(("matches", "included"), [(1, 0), (1, 1), (3, 2), (50, 7)])
def test_a_searchset_has_its_entries_in_their_order(matches: int, included: int) -> None:
    entries = [_entries(matches, "Observation", b"match")]
    if included:
        entries.append(_entries(included, "Patient", b"include"))
    entries.append(bundle.match_entry("", b'{"resourceType":"OperationOutcome"}', b"outcome"))
    assert json.loads(bundle.searchset(entries, {"self": f'{BASE}?a="b"'}, matches)) == {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": matches,
        "link": [{"relation": "self", "url": f'{BASE}?a="b"'}],
        "entry": [
            *_expected(matches, "Observation", "match"),
            *_expected(included, "Patient", "include"),
            {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}},
        ],
    }


def test_a_bundle_without_entries_has_no_empty_array() -> None:
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    assert json.loads(bundle.searchset([], {}, 0)) == empty
    assert json.loads(bundle.history([], {})) == {"resourceType": "Bundle", "type": "history"}


def test_single_entries_are_separated() -> None:
    entries = [bundle.response_entry({"status": "200"}), bundle.response_entry({"status": "404"})]
    assert json.loads(bundle.response("batch", entries)) == {
        "resourceType": "Bundle",
        "type": "batch-response",
        "entry": [{"response": {"status": "200"}}, {"response": {"status": "404"}}],
    }
