"""https://hl7.org/fhir/R4/http.html#delete"""

import asyncio

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient, unique
from tests.support.server import Server

pytestmark = pytest.mark.anyio


async def test_a_delete_answers_with_nothing_but_the_version_it_made(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]

    response = await server.delete(f"Patient/{id_}")

    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["etag"] == 'W/"2"'
    assert "content-type" not in response.headers


async def test_a_deleted_resource_is_found_no_more(server: Server) -> None:
    mark = unique()
    id_ = (await server.create(a_patient(mark)))["id"]

    await server.delete(f"Patient/{id_}")

    assert await server.found(f"Patient?identifier={mark}") == []


async def test_deleting_again_succeeds_and_changes_nothing(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]
    await server.delete(f"Patient/{id_}")

    response = await server.delete(f"Patient/{id_}")

    assert response.status_code == 204
    assert response.headers["etag"] == 'W/"2"'


async def test_deleting_what_never_was_succeeds(server: Server) -> None:
    response = await server.delete("Patient/never-was")

    assert response.status_code == 204
    assert "etag" not in response.headers
    assert (await server.get("Patient/never-was")).status_code == 404


async def test_an_outcome_is_sent_to_who_asks_for_it(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]

    response = await server.delete(f"Patient/{id_}", prefer="return=OperationOutcome")
    again = await server.delete("Patient/never-was", prefer="return=OperationOutcome")

    assert_issue(response, 200, "informational", f"Patient/{id_} deleted.", severity="information")
    assert_issue(
        again,
        200,
        "informational",
        "There was no Patient/never-was to delete.",
        severity="information",
    )


async def test_if_match_of_an_older_version_fails(server: Server) -> None:
    stored = await server.create(a_patient())
    await server.update(stored)

    response = await server.delete(f"Patient/{stored['id']}", if_match='W/"1"')

    assert_issue(
        response,
        412,
        "conflict",
        'If-Match: W/"1" was asked for, but the current version is W/"2". Read it again and '
        "apply your change to it.",
    )
    assert (await server.get(f"Patient/{stored['id']}")).status_code == 200


async def test_if_match_of_the_current_version_deletes(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await server.delete(f"Patient/{stored['id']}", if_match='W/"1"')

    assert response.status_code == 204


async def test_a_type_that_fhir_does_not_have_is_not_found(server: Server) -> None:
    response = await server.delete("Patientt/1")

    assert_issue(response, 404, "not-found", "'Patientt' is not a resource type of FHIR R4.")


async def test_racing_deletes_make_one_version(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]

    responses = await asyncio.gather(*(server.delete(f"Patient/{id_}") for _ in range(20)))

    assert {(r.status_code, r.headers["etag"]) for r in responses} == {(204, 'W/"2"')}
