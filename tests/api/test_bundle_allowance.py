"""What a batch or transaction may take together: bytes in its answer, and time."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support.asserts import assert_issue, outcome, statuses
from tests.support.builders import (
    a_basic,
    a_batch,
    a_create,
    a_patient,
    a_transaction,
    an_entry,
    an_update,
    unique,
)
from tests.support.server import RawResponse, Start

pytestmark = pytest.mark.anyio

LARGE = a_patient(name=[{"family": "x" * 1000}])


def no_room(index: int, what: str) -> tuple[str, str, str]:
    """Code, words and place of an entry's issue when an answer may hold 3500 bytes."""
    words = (
        "The answer would hold more than 3500 bytes of resources; ask for less, or in several "
        "bundles."
    )
    return (
        "too-costly",
        f"Entry {index}, {what}: {words}",
        f"Bundle.entry[{index}]",
    )


async def test_a_batch_s_reads_beyond_what_an_answer_may_hold_are_refused(start: Start) -> None:
    async with start(max_bundle_answer=3500) as server:
        id_ = (await server.create(LARGE))["id"]
        read = an_entry("GET", f"Patient/{id_}")

        response = await server.post("", a_batch(*[read] * 4, a_create(a_patient()), read))

    refused = "400 Bad Request"
    assert statuses(response) == ["200 OK"] * 2 + [refused] * 2 + ["201 Created", refused]
    assert response.json()["entry"][2]["response"]["outcome"] == outcome(
        *no_room(2, f"GET Patient/{id_}")
    )


@pytest.mark.parametrize("query", ["", "?_id={id}", "/_history"])
async def test_a_transaction_of_reads_beyond_it_is_refused_and_stores_nothing(
    start: Start, query: str
) -> None:
    async with start(max_bundle_answer=3500) as server:
        id_ = (await server.create(LARGE))["id"]
        url = f"Patient{query.format(id=id_)}" if "?" in query else f"Patient/{id_}{query}"

        response = await server.post(
            "", a_transaction(a_create(a_patient()), *[an_entry("GET", url)] * 5)
        )

        assert_issue(response, 400, *no_room(3, f"GET {url.partition('?')[0]}"))
        assert await server.count("Patient?_count=0") == 1


async def test_a_transaction_s_reads_of_what_it_writes_fail_alone(start: Start) -> None:
    """How large that is shows once it is stored."""
    async with start(max_bundle_answer=3500) as server:
        patient = LARGE | {"id": unique()}
        read = an_entry("GET", f"Patient/{patient['id']}")

        response = await server.post("", a_transaction(an_update(patient), *[read] * 3))

    assert statuses(response) == ["201 Created", "200 OK", "200 OK", "400 Bad Request"]


@pytest.mark.parametrize("bundle", [a_batch, a_transaction])
async def test_a_write_is_done_though_its_resource_has_no_room(start: Start, bundle: Any) -> None:
    async with start(max_bundle_answer=300) as server:
        response = await server.post(
            "",
            bundle(a_create(LARGE), a_create(a_basic())),
            prefer="return=representation",
        )

        large, small = response.json()["entry"]
        assert large["response"]["status"] == "201 Created"
        assert "resource" not in large
        assert small["resource"]["resourceType"] == "Basic"
        assert await server.count("Patient?_count=0") == 1


async def test_a_batch_begins_no_entry_when_its_time_is_up(start: Start) -> None:
    async with start(bundle_deadline=0.2) as server:
        response = await server.post("", a_batch(*[a_create(a_patient())] * 4000))
        done = statuses(response).count("201 Created")

        late = response.json()["entry"][-1]["response"]
        assert late["status"] == "503 Service Unavailable"
        assert late["outcome"] == outcome(
            "timeout",
            "Entry 3999, POST Patient: The entries before took the 0.2 s that a bundle may take, "
            "so this one was not begun; send it again.",
            "Bundle.entry[3999]",
        )
        assert 0 < done < 4000
        assert await server.count("Patient?_count=0") == done


async def test_a_transaction_that_does_not_come_to_its_commit_in_time_stores_nothing(
    start: Start,
) -> None:
    entries = [a_create(a_patient(), ifNoneExist=f"identifier={n}") for n in range(1000)]
    async with start(bundle_deadline=0.05) as server:
        response = await server.post("", a_transaction(*entries))

        assert_issue(
            response,
            503,
            "timeout",
            "The transaction took the 0.05 s that a bundle may take, so nothing was stored; send "
            "it again, in smaller ones if it can be parted.",
        )
        assert await server.count("Patient?_count=0") == 0


@pytest.mark.parametrize(("bundle", "most"), [(a_batch, 100), (a_transaction, 0)])
async def test_nothing_more_of_a_bundle_is_done_when_its_caller_has_gone(
    start: Start, bundle: Any, most: int
) -> None:
    body = json.dumps(bundle(*[a_create(a_patient())] * 500)).encode()
    messages: Iterator[Mapping[str, Any]] = iter(
        [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]
    )

    async def receive() -> Mapping[str, Any]:
        return next(messages)

    async with start() as server:
        response = RawResponse()
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/fhir/",
            "raw_path": b"/fhir/",
            "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/fhir+json")],
        }
        await server.app(scope, receive, response.take)

        assert response.status == 0
        assert await server.count("Patient?_count=0") <= most
