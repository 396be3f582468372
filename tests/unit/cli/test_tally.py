"""What became of bundles: counted by type, failures told once, warnings gathered."""

from typing import Any

import pytest

from fhir_server.cli.sources import Parcel, Unreadable
from fhir_server.cli.tally import Tally, alike
from fhir_server.cli.targets import Answer


def _parcel(*types: str) -> Parcel:
    entries = [
        {"resource": {"resourceType": type_}, "request": {"method": "POST", "url": type_}}
        for type_ in types
    ]
    return Parcel("x.json", {"resourceType": "Bundle", "type": "batch", "entry": entries}, 0)


def _answer(*responses: dict[str, Any]) -> Answer:
    entries = [{"response": response} for response in responses]
    return Answer(200, {"resourceType": "Bundle", "type": "batch-response", "entry": entries})


def _outcome(severity: str, words: str, *places: str) -> dict[str, Any]:
    issue = {"severity": severity, "code": "invalid", "diagnostics": words}
    return {
        "resourceType": "OperationOutcome",
        "issue": [issue | ({"expression": list(places)} if places else {})],
    }


def test_entries_are_counted_by_type_new_apart_from_there_already() -> None:
    tally = Tally()

    said = tally.answered(
        _parcel("Patient", "Patient", "Organization"),
        _answer({"status": "201 Created"}, {"status": "200 OK"}, {"status": "201"}),
    )

    assert said == []
    assert tally.created == {"Patient": 1, "Organization": 1}
    assert tally.present == {"Patient": 1}
    assert (tally.resources, tally.errors) == (3, 0)


def test_a_deletion_counts_for_the_type_in_its_url() -> None:
    bundle = {"entry": [{"request": {"method": "DELETE", "url": "Patient?identifier=1"}}]}
    tally = Tally()

    tally.answered(Parcel("x.json", bundle, 0), _answer({"status": "204 No Content"}))

    assert tally.present == {"Patient": 1}


def test_a_refused_bundle_fails_whole_with_the_server_s_words() -> None:
    tally = Tally()
    outcome = _outcome("error", "Entry 1, POST Patient: no.", "Bundle.entry[1]")

    said = tally.answered(_parcel("Patient", "Patient"), Answer(400, outcome))

    assert said == ["x.json: 400 Entry 1, POST Patient: no. (Bundle.entry[1])"]
    assert (tally.resources, tally.errors) == (0, 2)


@pytest.mark.parametrize("resource", [{}, {"resourceType": "Patient"}])
def test_an_answer_that_is_no_bundle_is_a_failure(resource: dict[str, Any]) -> None:
    tally = Tally()

    assert tally.answered(_parcel("Patient"), Answer(200, resource)) == [
        "x.json: 200 the answer says no more"
    ]
    assert tally.errors == 1


def test_equal_failures_of_entries_are_said_once() -> None:
    tally = Tally()
    responses = [
        {"status": "400 Bad Request", "outcome": _outcome("error", f"Entry {n}: wrong.")}
        for n in range(1200)
    ]
    responses[7] = {"status": "412 Precondition Failed"}

    said = tally.answered(_parcel(*["Patient"] * 1200), _answer(*responses))

    assert said == [
        "x.json: 400 Bad Request Entry …: wrong. (1,199 times)",
        "x.json: 412 Precondition Failed",
    ]
    assert tally.errors == 1200


def test_an_entry_without_an_answer_is_a_failure() -> None:
    tally = Tally()

    assert tally.answered(_parcel("Patient", "Patient"), _answer({"status": "201"})) == [
        "x.json: no answer"
    ]
    assert (tally.created, tally.errors) == ({"Patient": 1}, 1)


def test_warnings_of_what_went_in_are_gathered() -> None:
    tally = Tally()
    words = "urn:uuid:{} resolves to nothing."
    ids = ["0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"]

    said = tally.answered(
        _parcel("Patient", "Patient"),
        _answer(
            *({"status": "201", "outcome": _outcome("warning", words.format(id_))} for id_ in ids)
        ),
    )

    assert said == []
    assert (tally.resources, tally.errors) == (2, 0)
    assert tally.warnings == {"urn:uuid:… resolves to nothing.": 2}


def test_what_is_no_fhir_counts_only_where_it_matters() -> None:
    tally = Tally()

    assert tally.unreadable(Unreadable("a.json", "is no FHIR", 0, matters=False)) == []
    assert tally.unreadable(Unreadable("b.json", "is no FHIR", 0)) == ["b.json: is no FHIR"]
    assert (tally.skipped, tally.errors) == (1, 1)


@pytest.mark.parametrize(
    ("words", "without"),
    [
        ("Entry 17, PUT Patient: no", "Entry …, PUT Patient: no"),
        ("(Bundle.entry[17].resource.name[0])", "(Bundle.entry[…].resource.name[…])"),
        ("Patient/0F8FAD5B-D9CB-469F-A165-70867728950E", "Patient/…"),
        ("at most 64 levels", "at most 64 levels"),
    ],
)
def test_complaints_are_alike_but_for_places_and_ids(words: str, without: str) -> None:
    assert alike(words) == without


@pytest.mark.parametrize(
    "came_back",
    [
        ["x"],
        5,
        [{"response": "x"}],
        [{"response": {"status": "400", "outcome": ["x"]}}],
        [{"response": {"status": "400", "outcome": {"issue": ["x"]}}}],
        [{"response": {"status": "400", "outcome": {"issue": [{"details": 1, "expression": 2}]}}}],
    ],
)
def test_an_answer_of_another_shape_is_a_failure_of_its_entry(came_back: object) -> None:
    tally = Tally()
    answer = {"resourceType": "Bundle", "type": "batch-response", "entry": came_back}

    said = tally.answered(_parcel("Patient"), Answer(200, answer))

    assert (len(said), tally.errors, tally.resources) == (1, 1, 0)


def test_of_a_transaction_that_is_too_large_what_to_do_is_told() -> None:
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": []}
    outcome = _outcome("error", "The Bundle has 5001 entries.")

    (said,) = Tally().answered(Parcel("x.json", bundle, 0), Answer(413, outcome))

    assert "was not cut: divide it where nothing refers across, or allow more" in said
