"""https://hl7.org/fhir/R4/bundle.html: what a Bundle must look like to be carried out"""

from typing import Any

import pytest

from tests.support.asserts import assert_issue, outcome, statuses
from tests.support.builders import (
    a_batch,
    a_create,
    a_patient,
    a_transaction,
    an_entry,
)
from tests.support.server import BASE, Server, Start

pytestmark = pytest.mark.anyio


async def batch(server: Server, *entries: Any, **headers: str) -> list[dict[str, Any]]:
    """The entries of the answer to a batch of these."""
    response = await server.post("", a_batch(*entries), **headers)
    assert response.status_code == 200, response.text
    bundle = response.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "batch-response")
    answers: list[dict[str, Any]] = bundle.get("entry", [])
    return answers


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example/fhir/Patient/1", f"{BASE}x/Patient/1", f"{BASE}Patient/1"]
)
async def test_a_url_of_another_server_is_refused(server: Server, url: str) -> None:
    (answer,) = await batch(server, an_entry("GET", url))

    assert answer["response"] == {
        "status": "400 Bad Request",
        "outcome": outcome(
            "invalid",
            f"Entry 0: {url} is not at {BASE}; an entry's url is relative to it.",
            "Bundle.entry[0].request.url",
        ),
    }


MALFORMED: list[tuple[object, str, str, str]] = [
    ("text", "structure", "Entry 0 has no request with method and url.", "request"),
    (None, "structure", "Entry 0 has no request with method and url.", "request"),
    ({}, "structure", "Entry 0 has no request with method and url.", "request"),
    ({"request": []}, "structure", "Entry 0 has no request with method and url.", "request"),
    (
        {"request": {"url": "Patient/1"}},
        "invalid",
        "Entry 0: 'None' is not one of GET, HEAD, POST, PUT, PATCH, DELETE.",
        "request.method",
    ),
    (
        {"request": {"method": "get", "url": "Patient/1"}},
        "invalid",
        "Entry 0: 'get' is not one of GET, HEAD, POST, PUT, PATCH, DELETE.",
        "request.method",
    ),
    (
        {"request": {"method": ["GET"], "url": "Patient/1"}},
        "invalid",
        """Entry 0: "['GET']" is not one of GET, HEAD, POST, PUT, PATCH, DELETE.""",
        "request.method",
    ),
    ({"request": {"method": "GET"}}, "invalid", "Entry 0 has no url.", "request.url"),
    ({"request": {"method": "GET", "url": 1}}, "invalid", "Entry 0 has no url.", "request.url"),
    (
        {"request": {"method": "GET", "url": "Patient/%ff"}},
        "invalid",
        "Entry 0: the url is not UTF-8, percent-encoded.",
        "request.url",
    ),
]


@pytest.mark.parametrize(("entry", "code", "words", "place"), MALFORMED)
async def test_an_entry_that_asks_for_nothing_fails_alone(
    server: Server, entry: object, code: str, words: str, place: str
) -> None:
    failing, created = await batch(server, entry, a_create(a_patient()))

    assert failing["response"] == {
        "status": "400 Bad Request",
        "outcome": outcome(code, words, f"Bundle.entry[0].{place}"),
    }
    assert created["response"]["status"] == "201 Created"


async def test_an_entry_without_a_resource_to_store_fails_alone(server: Server) -> None:
    (answer,) = await batch(server, an_entry("POST", "Patient"))

    assert answer["response"]["outcome"] == outcome(
        "structure",
        "Entry 0, POST Patient: The request has no body; a resource was expected.",
        "Bundle.entry[0]",
    )


async def test_a_method_that_is_not_possible_there_fails_alone(server: Server) -> None:
    (answer,) = await batch(server, an_entry("POST", "Patient/1", a_patient()))

    assert answer["response"] == {
        "status": "405 Method Not Allowed",
        "outcome": outcome(
            "not-supported",
            "Entry 0, POST Patient/1: POST is not possible here. "
            "Possible: DELETE, GET, HEAD, PATCH, PUT.",
            "Bundle.entry[0]",
        ),
    }


@pytest.mark.parametrize("nested", [a_batch(), a_transaction(a_create(a_patient()))])
async def test_a_bundle_within_a_bundle_is_not_carried_out(
    server: Server, nested: dict[str, Any]
) -> None:
    (answer,) = await batch(server, an_entry("POST", "", nested))

    assert answer["response"] == {
        "status": "400 Bad Request",
        "outcome": outcome(
            "invalid",
            "Entry 0, POST: A bundle within a bundle is not carried out.",
            "Bundle.entry[0]",
        ),
    }


async def test_an_empty_batch_is_answered_by_an_empty_one(server: Server) -> None:
    for bundle in (a_batch(), {"resourceType": "Bundle", "type": "batch"}):
        response = await server.post("", bundle)
        assert statuses(response) == []


@pytest.mark.parametrize("entries", ["text", {"a": 1}, 7])
async def test_entries_must_be_a_list(server: Server, entries: object) -> None:
    response = await server.post("", {"resourceType": "Bundle", "type": "batch", "entry": entries})

    assert_issue(response, 400, "structure", "Bundle.entry must be a list.", "Bundle.entry")


@pytest.mark.parametrize("type_", ["document", "collection", "searchset", "", None, 7])
async def test_bundles_of_other_types_are_refused(server: Server, type_: object) -> None:
    response = await server.post("", {"resourceType": "Bundle", "type": type_})

    assert_issue(
        response,
        400,
        "invalid",
        f"A Bundle posted to the base is of type batch or transaction, not {type_!r}; to store "
        f"a Bundle as it is, post it to {BASE}/Bundle.",
        "Bundle.type",
    )


async def test_only_a_bundle_can_be_posted_to_the_base(server: Server) -> None:
    response = await server.post("", a_patient())

    assert_issue(
        response,
        400,
        "invalid",
        f"Only a Bundle can be posted to the base; post a Patient to {BASE}/Patient.",
        "resourceType",
    )


async def test_more_entries_than_allowed_are_refused(start: Start) -> None:
    async with start(max_bundle_entries=2) as server:
        response = await server.post("", a_batch(*[a_create(a_patient())] * 3))

        assert_issue(
            response,
            413,
            "too-long",
            "The Bundle has 3 entries; at most 2 are taken at once.",
            "Bundle.entry",
        )
        assert versions_of(await server.get("Patient/_history")) == 0


def versions_of(response: Any) -> int:
    return len(response.json().get("entry", ()))
