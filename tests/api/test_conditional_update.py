"""https://hl7.org/fhir/R4/http.html#cond-update"""

import asyncio

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient, unique
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio


async def test_the_match_is_updated(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    response = await server.put(f"Patient?identifier={mark}", a_patient(mark, gender="other"))

    assert response.status_code == 200
    assert response.headers["location"] == f"{BASE}/Patient/{stored['id']}/_history/2"
    assert (response.json()["id"], response.json()["gender"]) == (stored["id"], "other")


async def test_without_a_match_it_creates_under_an_id_of_the_server(server: Server) -> None:
    mark = unique()

    response = await server.put(f"Patient?identifier={mark}", a_patient(mark))

    assert response.status_code == 201
    assert response.headers["etag"] == 'W/"1"'
    assert [found["id"] for found in await server.found(f"Patient?identifier={mark}")] == [
        response.json()["id"]
    ]


async def test_without_a_match_it_creates_under_the_id_of_the_body(server: Server) -> None:
    mark, id_ = unique(), unique("mine")

    response = await server.put(f"Patient?identifier={mark}", a_patient(mark, id=id_))

    assert response.status_code == 201
    assert response.json()["id"] == id_


async def test_without_a_match_it_does_not_overwrite_another_resource(server: Server) -> None:
    mark = unique()
    other = await server.create(a_patient(unique()))

    response = await server.put(f"Patient?identifier={mark}", a_patient(mark, id=other["id"]))

    assert_issue(
        response,
        409,
        "conflict",
        f"Nothing matches the criteria, but Patient/{other['id']}, the id of the body, exists. "
        "Leave the id out to create another resource, or update that one by its id.",
        "Patient.id",
    )
    assert (await server.get(f"Patient/{other['id']}")).json() == other


async def test_without_a_match_it_brings_a_deleted_resource_back(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))
    await server.delete(f"Patient/{stored['id']}")

    response = await server.put(f"Patient?identifier={mark}", stored)

    assert response.status_code == 201
    assert response.headers["etag"] == 'W/"3"'


async def test_the_body_may_have_the_id_of_the_match(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    response = await server.put(f"Patient?identifier={mark}", stored)

    assert response.status_code == 200
    assert response.json()["meta"]["versionId"] == "2"


async def test_the_body_may_not_have_another_id_than_the_match(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    response = await server.put(f"Patient?identifier={mark}", stored | {"id": "another"})

    assert_issue(
        response,
        400,
        "invalid",
        f"The criteria match Patient/{stored['id']}, but the body's id is another.",
        "Patient.id",
    )


async def test_with_several_matches_it_is_refused(server: Server) -> None:
    mark = unique()
    for _ in range(2):
        await server.create(a_patient(mark))

    response = await server.put(f"Patient?identifier={mark}", a_patient(mark))

    assert_issue(
        response,
        412,
        "multiple-matches",
        f"Several Patient resources match identifier={mark}; criteria must select at most one.",
    )


async def test_without_criteria_it_is_refused(server: Server) -> None:
    response = await server.put("Patient", a_patient(id="a"))

    assert_issue(
        response,
        400,
        "invalid",
        "At least one criterion is needed, such as identifier=system|value.",
    )


async def test_the_body_must_be_of_the_type_in_the_url(server: Server) -> None:
    response = await server.put(f"Observation?identifier={unique()}", a_patient())

    assert_issue(
        response,
        400,
        "invalid",
        "The URL is for Observation, but the body is a Patient.",
        "resourceType",
    )


async def test_an_id_that_is_none_is_refused(server: Server) -> None:
    response = await server.put(f"Patient?identifier={unique()}", a_patient(id="a b"))

    assert_issue(
        response,
        400,
        "invalid",
        "'a b' is not an id. An id is 1 to 64 of the characters A-Z, a-z, 0-9, '-' and '.'.",
        "Patient.id",
    )


async def test_if_match_must_hold_for_the_match(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))
    await server.update(stored)

    stale = await server.put(f"Patient?identifier={mark}", a_patient(mark), if_match='W/"1"')
    current = await server.put(f"Patient?identifier={mark}", a_patient(mark), if_match='W/"2"')

    assert_issue(
        stale,
        412,
        "conflict",
        'If-Match: W/"1" was asked for, but the current version is W/"2". Read it again and '
        "apply your change to it.",
    )
    assert current.status_code == 200


async def test_racing_conditional_updates_make_one_resource(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fhir_server.interactions.deciding._PATIENCE", 120.0)  # a busy machine
    mark = unique()

    responses = await asyncio.gather(
        *(server.put(f"Patient?identifier={mark}", a_patient(mark)) for _ in range(10))
    )

    assert sorted(r.status_code for r in responses) == [200] * 9 + [201]
    assert sorted(int(r.json()["meta"]["versionId"]) for r in responses) == list(range(1, 11))
    assert len(await server.found(f"Patient?identifier={mark}")) == 1
