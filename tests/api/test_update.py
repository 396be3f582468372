"""https://hl7.org/fhir/R4/http.html#update"""

import asyncio

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient, unique
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio


async def test_an_update_makes_the_next_version(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await server.put(f"Patient/{stored['id']}", stored | {"gender": "other"})

    updated = response.json()
    assert response.status_code == 200
    assert response.headers["etag"] == 'W/"2"'
    assert response.headers["location"] == f"{BASE}/Patient/{stored['id']}/_history/2"
    assert (updated["gender"], updated["meta"]["versionId"]) == ("other", "2")


async def test_the_time_of_the_last_change_rises_strictly(server: Server) -> None:
    stored = await server.create(a_patient())

    versions = [stored, *[await server.update(stored) for _ in range(5)]]

    times = [version["meta"]["lastUpdated"] for version in versions]
    assert times == sorted(set(times))


async def test_an_update_where_nothing_was_creates(server: Server) -> None:
    id_ = unique("mine")

    response = await server.put(f"Patient/{id_}", a_patient(id=id_))

    assert response.status_code == 201
    assert response.headers["etag"] == 'W/"1"'
    assert response.headers["location"] == f"{BASE}/Patient/{id_}/_history/1"
    assert response.json()["id"] == id_


async def test_an_update_brings_a_deleted_resource_back(server: Server) -> None:
    stored = await server.create(a_patient())
    await server.delete(f"Patient/{stored['id']}")

    response = await server.put(f"Patient/{stored['id']}", stored)

    assert response.status_code == 201
    assert response.headers["etag"] == 'W/"3"'
    assert (await server.get(f"Patient/{stored['id']}")).status_code == 200


async def test_an_update_that_changes_nothing_is_a_version_too(server: Server) -> None:
    stored = await server.create(a_patient())

    updated = await server.update(stored)

    assert updated["meta"]["versionId"] == "2"


async def test_the_body_must_have_the_id_of_the_url(server: Server) -> None:
    response = await server.put("Patient/a", a_patient(id="b"))

    assert_issue(
        response,
        400,
        "invalid",
        "The id of the body, b, is not the id of the URL, a.",
        "Patient.id",
    )


async def test_the_body_must_have_an_id(server: Server) -> None:
    response = await server.put("Patient/a", a_patient())

    assert_issue(response, 400, "invalid", "The body must have the id of the URL, a.", "Patient.id")


@pytest.mark.parametrize("id_", [7, True, ["a"], {}, "a b", ""])
async def test_the_id_of_the_body_must_be_an_id(server: Server, id_: object) -> None:
    response = await server.put("Patient/a", a_patient(id=id_))

    assert_issue(
        response,
        400,
        "invalid",
        f"{str(id_)!r} is not an id. An id is 1 to 64 of the characters A-Z, a-z, 0-9, "
        "'-' and '.'.",
        "Patient.id",
    )


@pytest.mark.parametrize(
    "id_", ["a" * 65, "a b", "a/b", "a\n", "ü", "a\0", "under_score", "..%2f", "a'"]
)
async def test_nothing_is_stored_at_an_id_with_forbidden_characters(
    server: Server, id_: str
) -> None:
    written = "".join(f"%{byte:02x}" for byte in id_.encode())

    response = await server.put(f"Patient/{written}", a_patient(id=id_))

    assert_issue(
        response,
        400,
        "invalid",
        f"{id_[:80]!r} is not an id. An id is 1 to 64 of the characters A-Z, a-z, 0-9, '-' "
        "and '.'.",
        "Patient.id",
    )


async def test_the_body_must_be_of_the_type_in_the_url(server: Server) -> None:
    response = await server.put("Observation/a", a_patient(id="a"))

    assert_issue(
        response,
        400,
        "invalid",
        "The URL is for Observation, but the body is a Patient.",
        "resourceType",
    )


async def test_if_match_lets_the_current_version_be_updated(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await server.put(f"Patient/{stored['id']}", stored, if_match='W/"1"')

    assert response.status_code == 200


@pytest.mark.parametrize("tag", ['W/"1"', '"1"', 'W/"7", W/"1"', "*"])
async def test_if_match_is_written_in_several_ways(server: Server, tag: str) -> None:
    stored = await server.create(a_patient())

    response = await server.put(f"Patient/{stored['id']}", stored, if_match=tag)

    assert response.status_code == 200


async def test_if_match_of_an_older_version_fails(server: Server) -> None:
    stored = await server.create(a_patient())
    await server.update(stored)

    response = await server.put(f"Patient/{stored['id']}", stored, if_match='W/"1"')

    assert_issue(
        response,
        412,
        "conflict",
        'If-Match: W/"1" was asked for, but the current version is W/"2". Read it again and '
        "apply your change to it.",
    )
    assert (await server.get(f"Patient/{stored['id']}")).headers["etag"] == 'W/"2"'


async def test_if_match_where_nothing_is_fails(server: Server) -> None:
    id_ = unique("none")

    response = await server.put(f"Patient/{id_}", a_patient(id=id_), if_match='W/"1"')

    assert_issue(
        response,
        412,
        "conflict",
        'If-Match: W/"1" was asked for, but there is no such resource.',
    )


async def test_if_match_any_where_nothing_is_fails(server: Server) -> None:
    id_ = unique("none")

    response = await server.put(f"Patient/{id_}", a_patient(id=id_), if_match="*")

    assert_issue(
        response,
        412,
        "conflict",
        "If-Match: * asks for a resource that exists; there is none.",
    )


@pytest.mark.parametrize("tag", ["1", "W/1", 'W/"1', "", 'W/"1" W/"2"', "abc"])
async def test_what_is_no_version_tag_is_refused(server: Server, tag: str) -> None:
    stored = await server.create(a_patient())

    response = await server.put(f"Patient/{stored['id']}", stored, if_match=tag)

    assert_issue(response, 400, "invalid", f'If-Match: {tag} is not a version tag such as W/"3".')


async def test_if_none_match_any_lets_create_only(server: Server) -> None:
    id_ = unique("new")

    first = await server.put(f"Patient/{id_}", a_patient(id=id_), if_none_match="*")
    second = await server.put(f"Patient/{id_}", a_patient(id=id_), if_none_match="*")

    assert first.status_code == 201
    assert_issue(
        second,
        412,
        "conflict",
        f'If-None-Match: * was asked for, but Patient/{id_} exists in version W/"1".',
    )


async def test_racing_updates_of_one_version_have_one_winner(server: Server) -> None:
    stored = await server.create(a_patient())
    url = f"Patient/{stored['id']}"

    responses = await asyncio.gather(
        *(server.put(url, stored, if_match='W/"1"') for _ in range(20))
    )

    assert sorted(r.status_code for r in responses) == [200] + [412] * 19
    assert (await server.get(url)).headers["etag"] == 'W/"2"'


async def test_racing_updates_without_a_condition_all_come_in_and_leave_no_gap(
    server: Server,
) -> None:
    stored = await server.create(a_patient())
    url = f"Patient/{stored['id']}"

    responses = await asyncio.gather(*(server.put(url, stored) for _ in range(20)))

    assert [r.status_code for r in responses] == [200] * 20
    tags = sorted(int(r.headers["etag"].strip('W/"')) for r in responses)
    assert tags == list(range(2, 22))


async def test_racing_creations_at_one_id_have_one_winner(server: Server) -> None:
    id_ = unique("race")

    responses = await asyncio.gather(
        *(server.put(f"Patient/{id_}", a_patient(id=id_), if_none_match="*") for _ in range(20))
    )

    assert sorted(r.status_code for r in responses) == [201] + [412] * 19
