"""https://hl7.org/fhir/R4/http.html#history"""

from itertools import chain
from typing import Any

import httpx
import pytest

from tests.support.asserts import assert_issue, link
from tests.support.builders import a_patient, unique
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio


def versions(response: httpx.Response) -> list[str]:
    """Each entry's `id/version`, in order."""
    assert response.status_code == 200, response.text
    return [
        f"{entry['fullUrl'].rsplit('/', 1)[1]}/{entry['response']['etag'][3:-1]}"
        for entry in response.json().get("entry", ())
    ]


async def a_life(server: Server) -> dict[str, Any]:
    """A patient that was created, updated and deleted: three versions."""
    stored = await server.create(a_patient())
    await server.update(stored | {"gender": "other"})
    await server.delete(f"Patient/{stored['id']}")
    return stored


async def pages(server: Server, url: str) -> list[list[str]]:
    """The versions on every page, by following the links."""
    found: list[list[str]] = []
    following: str | None = url
    while following:
        response = await server.get(following)
        found.append(versions(response))
        following = link(response, "next")
    return found


async def test_the_history_of_a_resource_is_all_of_its_versions_newest_first(
    server: Server,
) -> None:
    first = await a_life(server)
    id_ = first["id"]

    response = await server.get(f"Patient/{id_}/_history")

    bundle = response.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "history")
    gone, updated, created = bundle["entry"]
    assert created == {
        "fullUrl": f"{BASE}/Patient/{id_}",
        "resource": first,
        "request": {"method": "POST", "url": "Patient"},
        "response": {
            "status": "201 Created",
            "etag": 'W/"1"',
            "lastModified": first["meta"]["lastUpdated"],
        },
    }
    assert updated["request"] == {"method": "PUT", "url": f"Patient/{id_}"}
    assert updated["response"]["status"] == "200 OK"
    assert updated["resource"]["gender"] == "other"
    assert gone["request"] == {"method": "DELETE", "url": f"Patient/{id_}"}
    assert gone["response"]["status"] == "204 No Content"
    assert "resource" not in gone


async def test_what_began_by_an_update_was_created_by_it(server: Server) -> None:
    id_ = unique("mine")
    await server.update(a_patient(id=id_))

    (entry,) = (await server.get(f"Patient/{id_}/_history")).json()["entry"]

    assert entry["request"] == {"method": "PUT", "url": f"Patient/{id_}"}
    assert entry["response"]["status"] == "201 Created"


async def test_the_history_of_what_never_was_is_not_found(server: Server) -> None:
    response = await server.get("Patient/never-was/_history")

    assert_issue(response, 404, "not-found", "There is no Patient/never-was.")


async def test_the_history_of_a_type_has_all_of_its_resources(server: Server) -> None:
    account = await server.create({"resourceType": "Account", "status": "active"})
    other = await server.create({"resourceType": "Account", "status": "active"})
    await server.update(account)
    await server.create(a_patient())

    response = await server.get("Account/_history")

    assert versions(response) == [f"{account['id']}/2", f"{other['id']}/1", f"{account['id']}/1"]


async def test_the_history_of_a_type_nobody_has_stored_is_empty(server: Server) -> None:
    response = await server.get("TestScript/_history")

    assert versions(response) == []
    assert "entry" not in response.json()


async def test_the_history_of_a_type_that_fhir_does_not_have_is_not_found(server: Server) -> None:
    response = await server.get("Patientt/_history")

    assert_issue(response, 404, "not-found", "'Patientt' is not a resource type of FHIR R4.")


async def test_the_history_of_the_server_has_every_type(server: Server) -> None:
    patient = await server.create(a_patient())
    basic = await server.create({"resourceType": "Basic", "code": {"text": "x"}})

    response = await server.get("_history?_count=2")

    assert versions(response) == [f"{basic['id']}/1", f"{patient['id']}/1"]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
async def test_pages_have_every_version_once(server: Server, count: int) -> None:
    stored = await server.create(a_patient())
    for _ in range(5):
        await server.update(stored)

    found = await pages(server, f"Patient/{stored['id']}/_history?_count={count}")

    assert [*chain(*found)] == [f"{stored['id']}/{number}" for number in (6, 5, 4, 3, 2, 1)]
    assert [len(page) for page in found[:-1]] == [count] * (len(found) - 1)
    assert found[-1] or len(found) == 1


async def test_pages_stay_as_they_were_while_others_write(server: Server) -> None:
    stored = await server.create(a_patient())
    for _ in range(3):
        await server.update(stored)
    first = await server.get(f"Patient/{stored['id']}/_history?_count=2")
    await server.update(stored)

    second = await server.get(link(first, "next") or "")

    assert versions(first) + versions(second) == [f"{stored['id']}/{n}" for n in (4, 3, 2, 1)]


async def test_pages_of_the_type_cross_resources(server: Server) -> None:
    schedule = {"resourceType": "Schedule", "actor": [{"display": "x"}]}
    begin = (await server.create(schedule))["meta"]["lastUpdated"]
    ids = [(await server.create(schedule))["id"] for _ in range(4)]

    found = await pages(server, f"Schedule/_history?_count=3&_since={begin}")

    assert [version.split("/")[0] for version in chain(*found)][:4] == ids[::-1]


async def test_since_leaves_out_what_is_older(server: Server) -> None:
    stored = await server.create(a_patient())
    second = await server.update(stored)
    await server.update(stored)

    since = second["meta"]["lastUpdated"]
    response = await server.get(f"Patient/{stored['id']}/_history?_since={since}")

    assert versions(response) == [f"{stored['id']}/3", f"{stored['id']}/2"]


async def test_at_finds_what_was_current(server: Server) -> None:
    stored = await server.create(a_patient())
    second = await server.update(stored)
    await server.update(stored)

    moment = second["meta"]["lastUpdated"]
    response = await server.get(f"Patient/{stored['id']}/_history?_at={moment}")

    assert versions(response) == [f"{stored['id']}/2"]


async def test_at_a_day_finds_all_that_was_current_in_it(server: Server) -> None:
    stored = await server.create(a_patient())
    await server.update(stored)

    day = stored["meta"]["lastUpdated"][:10]
    response = await server.get(f"Patient/{stored['id']}/_history?_at={day}")
    before = await server.get(f"Patient/{stored['id']}/_history?_at=2001-01-01")

    assert versions(response) == [f"{stored['id']}/2", f"{stored['id']}/1"]
    assert versions(before) == []


async def test_the_self_link_says_what_was_asked(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]

    response = await server.get(f"Patient/{id_}/_history?_count=5&_since=2020-01-01")

    assert link(response, "self") == f"{BASE}/Patient/{id_}/_history?_count=5&_since=2020-01-01"
    assert link(response, "next") is None


REFUSED = [
    ("_count=x", "invalid", "_count is a number from 1 to 1000, not 'x'."),
    ("_count=0", "invalid", "_count is a number from 1 to 1000, not '0'."),
    ("_count=-1", "invalid", "_count is a number from 1 to 1000, not '-1'."),
    (
        "_since=yesterday",
        "invalid",
        "_since is a date or time such as 2024-05-01T12:00:00Z, not 'yesterday'.",
    ),
    (
        "_at=2024-13",
        "invalid",
        "_at is a date or time such as 2024-05-01T12:00:00Z, not '2024-13'.",
    ),
    ("_count=1&_count=2", "invalid", "_count is given twice."),
    (
        "name=x",
        "not-supported",
        "name is not a parameter of history; _since, _at, _count, _summary, _elements, _page are.",
    ),
    (
        "_page=abc",
        "invalid",
        "This _page does not belong to this search; start again from its first page.",
    ),
]


@pytest.mark.parametrize(("query", "code", "words"), REFUSED)
async def test_a_history_is_strict(server: Server, query: str, code: str, words: str) -> None:
    response = await server.get(f"Patient/_history?{query}")

    assert_issue(response, 400, code, words)


async def test_a_page_does_not_lead_into_another_history(server: Server) -> None:
    one, other = await a_life(server), await a_life(server)
    first = await server.get(f"Patient/{one['id']}/_history?_count=1")

    response = await server.get((link(first, "next") or "").replace(one["id"], other["id"]))

    assert_issue(
        response,
        400,
        "invalid",
        "This _page does not belong to this search; start again from its first page.",
    )


async def test_a_page_is_never_larger_than_the_server_allows(server: Server) -> None:
    response = await server.get("Patient/_history?_count=999999999999")

    assert response.status_code == 200
    assert len(versions(response)) <= 1000


async def test_what_came_back_after_its_deletion_was_created_again(server: Server) -> None:
    first = await a_life(server)
    url = f"Patient/{first['id']}"
    await server.update(first)
    await server.update(first | {"gender": "other"})

    whole = (await server.get(f"{url}/_history")).json()["entry"]
    following = await server.get(f"{url}/_history?_count=1")
    paged = []
    while next_page := link(following, "next"):
        paged += following.json()["entry"]
        following = await server.get(next_page)
    paged += following.json()["entry"]
    since = (
        await server.get(f"{url}/_history?_since={whole[1]['response']['lastModified']}")
    ).json()

    statuses = [entry["response"]["status"] for entry in whole]
    assert statuses == ["200 OK", "201 Created", "204 No Content", "200 OK", "201 Created"]
    assert [entry["response"]["status"] for entry in paged] == statuses
    assert since["entry"][1]["response"]["status"] == "201 Created"


@pytest.mark.parametrize("path", ["Patient/_history/_history", "Patient/_history/_history/1"])
async def test_a_history_of_a_history_is_nowhere(server: Server, path: str) -> None:
    response = await server.get(path)

    assert_issue(response, 404, "not-found", f"There is nothing at {path!r}.")
