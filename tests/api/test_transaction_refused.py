"""https://hl7.org/fhir/R4/http.html#trules: what refuses a transaction refuses all of it"""

from typing import Any

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import (
    a_create,
    a_patient,
    a_transaction,
    an_entry,
    an_observation,
    an_update,
    unique,
    urn,
)
from tests.support.server import Server

pytestmark = pytest.mark.anyio


FAILING: list[tuple[str, dict[str, Any], int, str, str, str]] = [
    (
        "an unknown type",
        an_entry("POST", "Patientt", a_patient()),
        404,
        "not-found",
        "POST Patientt: 'Patientt' is not a resource type of FHIR R4.",
        "",
    ),
    (
        "another type than its url",
        an_entry("POST", "Observation", a_patient()),
        400,
        "invalid",
        "POST Observation: The URL is for Observation, but the body is a Patient.",
        ".resource",
    ),
    (
        "no resource",
        an_entry("POST", "Patient"),
        400,
        "structure",
        "POST Patient: The request has no body; a resource was expected.",
        "",
    ),
    (
        "another id than its url",
        an_entry("PUT", "Patient/a", a_patient(id="b")),
        400,
        "invalid",
        "PUT Patient/a: The id of the body, b, is not the id of the URL, a.",
        ".resource.id",
    ),
    (
        "an id that is none",
        an_entry("PUT", "Patient/a_b", a_patient(id="a_b")),
        400,
        "invalid",
        (
            "PUT Patient/a_b: 'a_b' is not an id. An id is 1 to 64 of the characters A-Z, a-z, "
            "0-9, '-' and '.'."
        ),
        ".resource.id",
    ),
    (
        "meta that is no object",
        a_create(a_patient(meta="x")),
        400,
        "structure",
        "POST Patient: meta must be an object.",
        ".resource.meta",
    ),
    (
        "a stale version",
        an_update(a_patient(id="never-was"), ifMatch='W/"1"'),
        412,
        "conflict",
        'PUT Patient/never-was: If-Match: W/"1" was asked for, but there is no such resource.',
        "",
    ),
    (
        "a read of nothing",
        an_entry("GET", "Patient/never-was"),
        404,
        "not-found",
        "GET Patient/never-was: There is no Patient/never-was.",
        "",
    ),
    (
        "a search for nothing known",
        an_entry("GET", "Patient?_count=x"),
        400,
        "invalid",
        "GET Patient: _count is a number from 0 to 1000, not 'x'.",
        "",
    ),
    (
        "a method that is not possible there",
        an_entry("POST", "Patient/1", a_patient()),
        405,
        "not-supported",
        "POST Patient/1: POST is not possible here. Possible: DELETE, GET, HEAD, PATCH, PUT.",
        "",
    ),
    (
        "a place that nothing is at",
        an_entry("GET", "Patient/1/2/3"),
        404,
        "not-found",
        "GET Patient/1/2/3: There is nothing at 'Patient/1/2/3'.",
        "",
    ),
    (
        "a bundle within",
        an_entry("POST", "", a_transaction()),
        400,
        "invalid",
        "POST: A bundle within a bundle is not carried out.",
        "",
    ),
    (
        "a dangling reference",
        a_create(an_observation("urn:uuid:00000000-0000-4000-8000-000000000000")),
        400,
        "invalid",
        (
            "POST Observation: No entry of the transaction has the fullUrl "
            "urn:uuid:00000000-0000-4000-8000-000000000000."
        ),
        ".resource.subject.reference",
    ),
    (
        "a conditional reference to nothing",
        a_create(an_observation("Patient?identifier=never-was")),
        412,
        "not-found",
        "POST Observation: The reference Patient?identifier=never-was matches nothing.",
        ".resource.subject.reference",
    ),
    (
        "a delete without criteria",
        an_entry("DELETE", "Patient"),
        400,
        "invalid",
        "DELETE Patient: At least one criterion is needed, such as identifier=system|value.",
        "",
    ),
]


@pytest.mark.parametrize(
    ("entry", "status", "code", "words", "place"),
    [case[1:] for case in FAILING],
    ids=[case[0] for case in FAILING],
)
async def test_a_last_entry_that_fails_leaves_nothing_stored(
    server: Server, entry: dict[str, Any], status: int, code: str, words: str, place: str
) -> None:
    mark, id_ = unique(), unique("kept")
    kept = await server.update(a_patient(id=id_))

    response = await server.post(
        "",
        a_transaction(
            a_create(a_patient(mark)),
            an_update(kept | {"gender": "other"}),
            an_entry("DELETE", f"Patient?identifier={unique()}"),
            entry,
        ),
    )

    assert_issue(response, status, code, f"Entry 3, {words}", f"Bundle.entry[3]{place}")
    assert await server.found(f"Patient?identifier={mark}") == []
    assert (await server.get(f"Patient/{id_}")).json() == kept


MALFORMED: list[tuple[object, str, str, str]] = [
    ("text", "structure", "Entry 1 has no request with method and url.", "request"),
    ({"resource": {}}, "structure", "Entry 1 has no request with method and url.", "request"),
    (
        {"request": {"method": "COPY", "url": "Patient"}},
        "invalid",
        "Entry 1: 'COPY' is not one of GET, HEAD, POST, PUT, PATCH, DELETE.",
        "request.method",
    ),
    ({"request": {"method": "GET"}}, "invalid", "Entry 1 has no url.", "request.url"),
    (
        {"request": {"method": "GET", "url": "https://elsewhere.example/Patient/1"}},
        "invalid",
        (
            "Entry 1: https://elsewhere.example/Patient/1 is not at https://fhir.example.org/fhir; "
            "an entry's url is relative to it."
        ),
        "request.url",
    ),
]


@pytest.mark.parametrize(("entry", "code", "words", "place"), MALFORMED)
async def test_an_entry_that_asks_for_nothing_refuses_all(
    server: Server, entry: object, code: str, words: str, place: str
) -> None:
    mark = unique()

    response = await server.post("", a_transaction(a_create(a_patient(mark)), entry))  # type: ignore[arg-type] # that is the test

    assert_issue(response, 400, code, words, f"Bundle.entry[1].{place}")
    assert await server.found(f"Patient?identifier={mark}") == []


async def test_a_read_of_what_the_transaction_deletes_refuses_all(server: Server) -> None:
    stored = await server.create(a_patient())
    url = f"Patient/{stored['id']}"

    response = await server.post("", a_transaction(an_entry("GET", url), an_entry("DELETE", url)))

    assert_issue(
        response,
        410,
        "deleted",
        f"Entry 0, GET {url}: {url} is deleted by this transaction.",
        "Bundle.entry[0]",
    )
    assert (await server.get(url)).json() == stored


async def test_two_entries_may_not_write_the_same_resource(server: Server) -> None:
    stored = await server.create(a_patient())
    url = f"Patient/{stored['id']}"

    response = await server.post(
        "",
        a_transaction(a_create(a_patient()), an_update(stored), an_entry("DELETE", url)),
    )

    assert_issue(
        response,
        400,
        "invalid",
        f"Entries 1 and 2 both write {url}; a transaction may write a resource once.",
        "Bundle.entry[1]",
        "Bundle.entry[2]",
    )
    assert (await server.get(url)).headers["etag"] == 'W/"1"'


async def test_nor_may_they_when_one_of_them_finds_it_by_criteria(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    response = await server.post(
        "",
        a_transaction(
            an_entry("PUT", f"Patient?identifier={mark}", a_patient(mark)), an_update(stored)
        ),
    )

    assert_issue(
        response,
        400,
        "invalid",
        f"Entries 0 and 1 both write Patient/{stored['id']}; a transaction may write a resource "
        "once.",
        "Bundle.entry[0]",
        "Bundle.entry[1]",
    )


async def test_two_entries_may_not_have_the_same_full_url(server: Server) -> None:
    mark, url = unique(), urn()

    response = await server.post(
        "",
        a_transaction(
            a_create(a_patient()), a_create(a_patient(mark), url), a_create(a_patient(), url)
        ),
    )

    assert_issue(
        response,
        400,
        "invalid",
        f"Entries 1 and 2 have the same fullUrl, {url}.",
        "Bundle.entry[1].fullUrl",
        "Bundle.entry[2].fullUrl",
    )
    assert await server.found(f"Patient?identifier={mark}") == []


async def test_a_conditional_update_may_not_meet_what_another_entry_creates(
    server: Server,
) -> None:
    mark = unique()

    response = await server.post(
        "",
        a_transaction(
            an_entry("PUT", f"Patient?identifier={mark}", a_patient(mark)),
            a_create(a_patient(mark)),
        ),
    )

    issue = response.json()["issue"][0]
    assert response.status_code == 400
    assert issue["expression"] == ["Bundle.entry[0]", "Bundle.entry[1]"]
    assert issue["diagnostics"].startswith("Entries 0 and 1 both write Patient/")
    assert await server.found(f"Patient?identifier={mark}") == []


async def test_5001_entries_are_too_many(server: Server) -> None:
    mark = unique()
    bundle = a_transaction(*[an_update(a_patient(mark, id=f"{mark}.{n}")) for n in range(5001)])

    response = await server.post("", bundle)

    assert_issue(
        response,
        413,
        "too-long",
        "The Bundle has 5001 entries; at most 5000 are taken at once.",
        "Bundle.entry",
    )
    assert await server.found(f"Patient?identifier={mark}") == []


@pytest.mark.parametrize("type_", [["x"], 5, {"a": 1}, "a.b"], ids=str)
async def test_a_resource_type_that_is_none_refuses_all(server: Server, type_: Any) -> None:
    mark = unique()

    response = await server.post(
        "",
        a_transaction(
            a_create(a_patient(mark)), an_entry("POST", "Patient", {"resourceType": type_})
        ),
    )

    assert_issue(
        response,
        400,
        "invalid",
        f"Entry 1, POST Patient: {str(type_)!r} is not a resource type of FHIR R4.",
        "Bundle.entry[1].resource",
    )
    assert await server.found(f"Patient?identifier={mark}") == []


async def test_of_several_entries_that_fail_the_first_is_told(server: Server) -> None:
    bad = a_patient(id="not an id")
    slow = an_entry("PUT", f"Patient?identifier={unique()}", bad)

    response = await server.post(
        "", a_transaction(slow, an_entry("PUT", "Patient/other", a_patient(id="x")))
    )

    assert response.json()["issue"][0]["diagnostics"].startswith("Entry 0, PUT Patient:")
