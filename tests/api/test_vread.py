"""https://hl7.org/fhir/R4/http.html#vread"""

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient
from tests.support.server import Server

pytestmark = pytest.mark.anyio


async def test_every_version_stays_readable(server: Server) -> None:
    first = await server.create(a_patient())
    second = await server.update(first | {"gender": "other"})

    for number, stored in ((1, first), (2, second)):
        response = await server.get(f"Patient/{first['id']}/_history/{number}")
        assert response.status_code == 200
        assert response.json() == stored
        assert response.headers["etag"] == f'W/"{number}"'


async def test_a_version_is_readable_after_the_deletion(server: Server) -> None:
    stored = await server.create(a_patient())
    await server.delete(f"Patient/{stored['id']}")

    response = await server.get(f"Patient/{stored['id']}/_history/1")

    assert response.json() == stored


async def test_the_version_that_is_the_deletion_is_gone(server: Server) -> None:
    stored = await server.create(a_patient())
    await server.delete(f"Patient/{stored['id']}")

    response = await server.get(f"Patient/{stored['id']}/_history/2")

    assert_issue(response, 410, "deleted", f"Patient/{stored['id']} was deleted in version 2.")


async def test_a_version_that_never_was_is_not_found(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]

    response = await server.get(f"Patient/{id_}/_history/2")

    assert_issue(response, 404, "not-found", f"There is no version 2 of Patient/{id_}.")


@pytest.mark.parametrize("version", ["0", "-1", "01", "1.0", "x", "9" * 30, "¹"])
async def test_what_is_no_version_is_not_found(server: Server, version: str) -> None:
    id_ = (await server.create(a_patient()))["id"]

    response = await server.get(f"Patient/{id_}/_history/{version}")

    assert_issue(
        response,
        404,
        "not-found",
        f"'{version}' is not a version of Patient/{id_}: versions are 1, 2, 3 …",
    )


async def test_a_version_of_a_resource_that_never_was_is_not_found(server: Server) -> None:
    response = await server.get("Patient/never-was/_history/1")

    assert_issue(response, 404, "not-found", "There is no version 1 of Patient/never-was.")


async def test_a_version_is_not_sent_again_to_who_has_it(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]

    response = await server.get(f"Patient/{id_}/_history/1", if_none_match='W/"1"')

    assert (response.status_code, response.content) == (304, b"")
