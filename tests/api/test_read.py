"""https://hl7.org/fhir/R4/http.html#read"""

from email.utils import parsedate_to_datetime

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient, unique
from tests.support.server import BASE, Server, Start

pytestmark = pytest.mark.anyio


async def test_what_was_created_is_read(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await server.get(f"Patient/{stored['id']}")

    assert response.status_code == 200
    assert response.json() == stored


async def test_a_read_tells_version_and_time(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await server.get(f"Patient/{stored['id']}")

    assert response.headers["etag"] == 'W/"1"'
    assert response.headers["content-type"] == "application/fhir+json;charset=utf-8"
    assert response.headers["content-location"] == f"{BASE}/Patient/{stored['id']}/_history/1"
    assert response.headers["last-modified"].endswith(" GMT")
    assert "location" not in response.headers


async def test_the_newest_version_is_read(server: Server) -> None:
    stored = await server.create(a_patient())
    await server.update(stored | {"gender": "other"})

    response = await server.get(f"Patient/{stored['id']}")

    assert response.json()["gender"] == "other"
    assert response.headers["etag"] == 'W/"2"'


async def test_an_id_of_another_type_is_not_found(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await server.get(f"Person/{stored['id']}")

    assert_issue(response, 404, "not-found", f"There is no Person/{stored['id']}.")


@pytest.mark.parametrize(
    "id_", ["none", "metadata", "a" * 65, "with space", "sp%00ecial", "ü", "a%0A", "a%2Fb"]
)
async def test_an_unknown_id_is_not_found_however_it_is_written(server: Server, id_: str) -> None:
    response = await server.get(f"Patient/{id_}")

    shown = {"sp%00ecial": "sp\0ecial", "a%0A": "a\n", "a%2Fb": "a/b"}.get(id_, id_)
    assert_issue(response, 404, "not-found", f"There is no Patient/{shown}.")


async def test_a_place_that_nothing_is_at_is_not_found(server: Server) -> None:
    response = await server.get("Patient/_foo")

    assert_issue(response, 404, "not-found", "There is nothing at 'Patient/_foo'.")


async def test_a_type_that_fhir_does_not_have_is_not_found(server: Server) -> None:
    response = await server.get("Patientt/1")

    assert_issue(response, 404, "not-found", "'Patientt' is not a resource type of FHIR R4.")


@pytest.mark.parametrize("type_", ["DomainResource", "Resource", "HumanName", "patient"])
async def test_a_type_that_cannot_be_stored_is_not_found(server: Server, type_: str) -> None:
    response = await server.get(f"{type_}/1")

    assert_issue(response, 404, "not-found", f"'{type_}' is not a resource type of FHIR R4.")


async def test_a_deleted_resource_is_gone(server: Server) -> None:
    stored = await server.create(a_patient())
    await server.delete(f"Patient/{stored['id']}")

    response = await server.get(f"Patient/{stored['id']}")

    assert_issue(response, 410, "deleted", f"Patient/{stored['id']} was deleted in version 2.")
    assert response.headers["etag"] == 'W/"2"'
    (deletion, _) = (await server.get(f"Patient/{stored['id']}/_history")).json()["entry"]
    modified = parsedate_to_datetime(response.headers["last-modified"])
    assert deletion["response"]["lastModified"].startswith(f"{modified:%Y-%m-%dT%H:%M:%S.}")


async def test_an_id_may_have_64_characters_of_every_kind(server: Server) -> None:
    id_ = unique("Az.9-").ljust(64, "0")[:64]
    await server.update(a_patient(id=id_))

    response = await server.get(f"Patient/{id_}")

    assert response.json()["id"] == id_


async def test_ids_differ_by_case(server: Server) -> None:
    id_ = unique("case")
    await server.update(a_patient(id=id_))

    response = await server.get(f"Patient/{id_.upper()}")

    assert_issue(response, 404, "not-found", f"There is no Patient/{id_.upper()}.")


async def test_slashes_around_the_path_do_not_matter(server: Server) -> None:
    stored = await server.create(a_patient())

    assert (await server.get(f"Patient/{stored['id']}/")).json() == stored


async def test_what_was_stored_is_there_when_the_server_comes_back(
    server: Server, start: Start
) -> None:
    stored = await server.create(a_patient())

    async with start(store=server.settings.store) as again:
        assert (await again.get(f"Patient/{stored['id']}")).json() == stored
