"""https://hl7.org/fhir/R4/http.html#cread"""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient
from tests.support.server import Server

pytestmark = pytest.mark.anyio


async def test_a_copy_that_is_current_is_not_sent_again(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]

    response = await server.get(f"Patient/{id_}", if_none_match='W/"1"')

    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == 'W/"1"'
    assert "last-modified" in response.headers
    assert "content-type" not in response.headers


@pytest.mark.parametrize("tag", ['W/"1"', '"1"', 'W/"9", W/"1"', "*"])
async def test_if_none_match_is_written_in_several_ways(server: Server, tag: str) -> None:
    id_ = (await server.create(a_patient()))["id"]

    assert (await server.get(f"Patient/{id_}", if_none_match=tag)).status_code == 304


async def test_a_copy_that_is_older_is_sent_again(server: Server) -> None:
    stored = await server.create(a_patient())
    await server.update(stored)

    response = await server.get(f"Patient/{stored['id']}", if_none_match='W/"1"')

    assert response.status_code == 200
    assert response.headers["etag"] == 'W/"2"'


@pytest.mark.parametrize("header", ["1", "abc", "", 'W/"1', 'W/"1" W/"1"'])
async def test_what_is_no_version_tag_matches_nothing(server: Server, header: str) -> None:
    stored = await server.create(a_patient())

    response = await server.get(f"Patient/{stored['id']}", if_none_match=header)

    assert (response.status_code, response.json()) == (200, stored)


async def test_what_is_no_version_tag_keeps_a_write_from_being_done(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await server.put(f"Patient/{stored['id']}", stored, if_none_match="1")

    assert_issue(response, 400, "invalid", 'If-None-Match: 1 is not a version tag such as W/"3".')


async def test_what_has_not_changed_since_is_not_sent_again(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]
    changed = (await server.get(f"Patient/{id_}")).headers["last-modified"]

    response = await server.get(f"Patient/{id_}", if_modified_since=changed)

    assert response.status_code == 304


async def test_what_has_changed_since_is_sent(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]
    changed = parsedate_to_datetime((await server.get(f"Patient/{id_}")).headers["last-modified"])
    before = format_datetime(changed - timedelta(seconds=1), usegmt=True)

    response = await server.get(f"Patient/{id_}", if_modified_since=before)

    assert response.status_code == 200


async def test_a_date_that_is_none_is_passed_over(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]

    response = await server.get(f"Patient/{id_}", if_modified_since="yesterday")

    assert response.status_code == 200


async def test_the_tag_decides_when_both_are_sent(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)

    response = await server.get(f"Patient/{id_}", if_none_match='W/"9"', if_modified_since=tomorrow)

    assert response.status_code == 200


async def test_a_deleted_resource_is_gone_whatever_the_copy(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]
    await server.delete(f"Patient/{id_}")

    response = await server.get(f"Patient/{id_}", if_none_match='W/"2"')

    assert_issue(response, 410, "deleted", f"Patient/{id_} was deleted in version 2.")
