"""https://hl7.org/fhir/R4/http.html#trules: order, and all or nothing"""

import asyncio
from typing import Any
from unittest.mock import patch

import pytest

from fhir_server.interactions.repository import Repository
from fhir_server.storage.base import StoreError
from fhir_server.storage.versions import Version
from tests.support.asserts import statuses
from tests.support.builders import (
    SYSTEM,
    a_create,
    a_patient,
    a_transaction,
    an_entry,
    an_observation,
    an_update,
    unique,
    urn,
)
from tests.support.server import BASE, Server, Start

pytestmark = pytest.mark.anyio


async def transaction(server: Server, *entries: Any, **headers: str) -> list[dict[str, Any]]:
    """The entries of the answer to a transaction of these."""
    response = await server.post("", a_transaction(*entries), **headers)
    assert response.status_code == 200, response.text
    bundle = response.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction-response")
    answers: list[dict[str, Any]] = bundle.get("entry", [])
    return answers


async def test_each_entry_is_answered_in_its_place(server: Server) -> None:
    stored, doomed = await server.create(a_patient()), await server.create(a_patient())

    read, updated, created, deleted = await transaction(
        server,
        an_entry("GET", f"Patient/{stored['id']}"),
        an_update(stored | {"gender": "other"}),
        a_create(a_patient()),
        an_entry("DELETE", f"Patient/{doomed['id']}"),
    )

    assert read["resource"]["gender"] == "other"
    assert updated["response"]["etag"] == 'W/"2"'
    assert created["response"]["status"] == "201 Created"
    assert created["response"]["location"].startswith(f"{BASE}/Patient/")
    assert deleted["response"]["status"] == "204 No Content"
    assert (await server.get(f"Patient/{doomed['id']}")).status_code == 410


async def test_an_answer_says_where_and_which_version(server: Server) -> None:
    (entry,) = await transaction(server, a_create(a_patient()))

    id_ = entry["response"]["location"].split("/")[-3]
    stored = (await server.get(f"Patient/{id_}")).json()
    assert entry == {
        "response": {
            "status": "201 Created",
            "location": f"{BASE}/Patient/{id_}/_history/1",
            "etag": 'W/"1"',
            "lastModified": stored["meta"]["lastUpdated"],
        }
    }


async def test_reads_see_what_was_written_wherever_they_stand(server: Server) -> None:
    mark, id_ = unique(), unique("new")

    read, search, history, _ = await transaction(
        server,
        an_entry("GET", f"Patient/{id_}"),
        an_entry("GET", f"Patient?identifier={mark}"),
        an_entry("GET", f"Patient/{id_}/_history"),
        an_update(a_patient(mark, id=id_)),
    )

    assert read["resource"]["id"] == id_
    assert [entry["resource"]["id"] for entry in search["resource"]["entry"]] == [id_]
    assert len(history["resource"]["entry"]) == 1


async def test_a_resource_shown_is_the_one_stored(server: Server) -> None:
    (created,) = await transaction(server, a_create(a_patient()), prefer="return=representation")

    stored = await server.get(f"Patient/{created['resource']['id']}")
    assert created["resource"] == stored.json()
    assert created["fullUrl"] == f"{BASE}/Patient/{created['resource']['id']}"


async def test_deletes_come_before_creates(server: Server) -> None:
    """The same criteria match nothing any more when the create is decided."""
    mark = unique()
    stored = await server.create(a_patient(mark))

    created, deleted = await transaction(
        server,
        a_create(a_patient(mark), ifNoneExist=f"identifier={mark}"),
        an_entry("DELETE", f"Patient/{stored['id']}"),
    )

    assert created["response"]["status"] == "201 Created"
    assert deleted["response"]["status"] == "204 No Content"
    assert len(await server.found(f"Patient?identifier={mark}")) == 1


async def test_conditions_of_entries_hold(server: Server) -> None:
    there, fresh, put = unique(), unique(), unique()
    stored, doomed = await server.create(a_patient(there)), await server.create(a_patient())
    other, gone = await server.create(a_patient(put)), unique()
    await server.create(a_patient(gone))

    answers = await transaction(
        server,
        a_create(a_patient(there), ifNoneExist=f"identifier={there}"),
        a_create(a_patient(fresh), ifNoneExist=f"identifier={fresh}"),
        an_entry("PUT", f"Patient?identifier={put}", a_patient(put)),
        an_entry("DELETE", f"Patient/{doomed['id']}", ifMatch='W/"1"'),
        an_entry("DELETE", f"Patient?identifier={gone}"),
        an_entry("GET", f"Patient/{stored['id']}", ifNoneMatch='W/"1"'),
        prefer="return=representation",
    )

    assert [answer["response"]["status"] for answer in answers] == [
        "200 OK",
        "201 Created",
        "200 OK",
        "204 No Content",
        "204 No Content",
        "304 Not Modified",
    ]
    assert answers[0]["resource"] == stored
    assert answers[2]["resource"]["id"] == other["id"]
    assert await server.found(f"Patient?identifier={gone}") == []


async def test_the_same_condition_twice_makes_one_resource(server: Server) -> None:
    mark = unique()
    entry = a_create(a_patient(mark), ifNoneExist=f"identifier={mark}")

    first, second = await transaction(server, entry, entry, prefer="return=representation")

    assert first["response"]["status"] == "201 Created"
    assert second["response"]["status"] == "200 OK"
    assert first["resource"] == second["resource"]
    assert len(await server.found(f"Patient?identifier={mark}")) == 1


async def test_a_condition_that_an_earlier_entry_meets_makes_no_second_resource(
    server: Server,
) -> None:
    mark = unique()

    plain, other_words = await transaction(
        server,
        a_create(a_patient(mark)),
        a_create(a_patient(mark), ifNoneExist=f"identifier={SYSTEM}|{mark}&gender=male"),
        prefer="return=representation",
    )

    assert other_words["response"]["status"] == "200 OK"
    assert other_words["resource"] == plain["resource"]
    assert len(await server.found(f"Patient?identifier={mark}")) == 1


async def test_a_transaction_of_nothing_is_answered_by_nothing(server: Server) -> None:
    assert await transaction(server) == []


async def test_a_bundle_may_be_stored_by_a_transaction_and_stays_as_it_is(server: Server) -> None:
    mark, patient = unique(), urn()
    inner = a_transaction(
        a_create(an_observation(patient)),
        a_create(an_observation("Patient?identifier=never-was")),
    )
    del inner["entry"][0]["request"]
    inner |= {"type": "collection"}

    _, answer = await transaction(
        server,
        a_create(a_patient(mark), patient),
        a_create(inner),
        prefer="return=representation",
    )

    assert answer["resource"]["entry"] == inner["entry"]


async def test_racing_transactions_of_the_same_condition_make_one_resource(
    server: Server,
) -> None:
    mark = unique()
    bundle = a_transaction(
        a_create(a_patient(mark), ifNoneExist=f"identifier={mark}"), a_create(a_patient())
    )

    responses = await asyncio.gather(*(server.post("", bundle) for _ in range(5)))

    created = sorted(statuses(response)[0] for response in responses)
    assert created == ["200 OK"] * 4 + ["201 Created"]
    assert len(await server.found(f"Patient?identifier={mark}")) == 1


async def test_racing_transactions_that_cross_leave_both_or_one(server: Server) -> None:
    one, two = await server.create(a_patient()), await server.create(a_patient())

    async def write(gender: str, *order: dict[str, Any]) -> None:
        entries = [an_update(each | {"gender": gender}) for each in order]
        await transaction(server, *entries)

    await asyncio.gather(
        *(write("other", one, two) for _ in range(3)),
        *(write("unknown", two, one) for _ in range(3)),
    )

    now = [(await server.get(f"Patient/{each['id']}")).json() for each in (one, two)]
    assert now[0]["gender"] == now[1]["gender"]
    assert [each["meta"]["versionId"] for each in now] == ["7", "7"]


async def test_a_transaction_of_many_entries_is_stored_whole(start: Start) -> None:
    patient = urn()
    entries = [a_create(an_observation(patient)) for _ in range(1200)]

    async with start() as server:
        answers = await transaction(server, a_create(a_patient(), patient), *entries)

        assert {answer["response"]["status"] for answer in answers} == {"201 Created"}
        assert await server.count("Observation?status=final") == 1200


async def test_two_conditions_that_an_unconditional_create_meets_make_one_resource(
    server: Server,
) -> None:
    mark = unique()
    conditional = a_create(a_patient(mark), ifNoneExist=f"identifier={mark}")

    response = await server.post(
        "", a_transaction(a_create(a_patient(mark)), conditional, conditional)
    )

    assert statuses(response) == ["201 Created", "200 OK", "200 OK"]
    assert len(await server.found(f"Patient?identifier={mark}")) == 1


async def test_a_store_that_fails_after_the_commit_fails_the_read_alone(server: Server) -> None:
    mark = unique()
    kept = await server.create(a_patient())
    reads = 0
    real = Repository.read

    async def failing(self: Repository, type_: str, id_: str) -> Version:
        nonlocal reads
        reads += 1
        if reads == 2:  # the first one rehearses
            raise StoreError("gone away")
        return await real(self, type_, id_)

    with patch.object(Repository, "read", failing):
        response = await server.post(
            "",
            a_transaction(a_create(a_patient(mark)), an_entry("GET", f"Patient/{kept['id']}")),
        )

    assert statuses(response) == ["201 Created", "503 Service Unavailable"]
    assert len(await server.found(f"Patient?identifier={mark}")) == 1
