"""Transactions that once went wrong, each as it was sent."""

import asyncio
from typing import Any
from unittest.mock import patch

import pytest

from fhir_server.storage.base import StoreError
from fhir_server.storage.embedded.store import EmbeddedStore
from tests.support.asserts import assert_issue, statuses
from tests.support.server import ON_ONE_STORE, Server, Start

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]


def entry(
    method: str, url: str, resource: Any = None, full_url: str = "", **conditions: Any
) -> dict[str, Any]:
    made = {"request": {"method": method, "url": url} | conditions}
    return (
        made
        | ({"resource": resource} if resource else {})
        | ({"fullUrl": full_url} if full_url else {})
    )


def bundle(type_: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": type_, "entry": list(entries)}


def patient(value: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": "urn:r", "value": value}]}


async def test_two_superfluous_creates_behind_an_unconditional_one(server: Server) -> None:
    exists = {"ifNoneExist": "identifier=urn:r|thrice"}
    response = await server.post(
        "",
        bundle(
            "transaction",
            entry("POST", "Patient", patient("thrice")),
            entry("POST", "Patient", patient("thrice"), **exists),
            entry("POST", "Patient", patient("thrice"), **exists),
        ),
    )

    assert statuses(response) == ["201 Created", "200 OK", "200 OK"]
    assert await server.count("Patient?identifier=urn:r|thrice") == 1


@pytest.mark.parametrize("type_", [["x"], 5, {"a": 1}])
async def test_a_resource_type_that_is_no_text_is_bad_input(server: Server, type_: Any) -> None:
    response = await server.post(
        "", bundle("transaction", entry("POST", "Patient", {"resourceType": type_}))
    )

    assert response.status_code == 400
    assert "is not a resource type of FHIR R4" in response.json()["issue"][0]["diagnostics"]


async def test_a_contained_type_that_is_no_text_does_not_matter_to_links(server: Server) -> None:
    contained = [{"resourceType": 5, "implicitRules": "urn:uuid:1"}]
    response = await server.post(
        "",
        bundle(
            "transaction",
            entry("POST", "Patient", patient("odd") | {"contained": contained}, "urn:uuid:1"),
        ),
    )

    assert statuses(response) == ["201 Created"]


async def test_a_read_that_fails_after_the_commit_fails_alone(start: Start) -> None:
    async with start() as server:
        await server.update(patient("kept") | {"id": "kept"})
        get, asked = EmbeddedStore.get, 0

        async def failing(store: EmbeddedStore, type_: str, id_: str) -> Any:
            nonlocal asked
            asked += 1
            if asked == 2:
                raise StoreError("out of order")
            return await get(store, type_, id_)

        with patch.object(EmbeddedStore, "get", failing):
            response = await server.post(
                "",
                bundle(
                    "transaction",
                    entry("POST", "Organization", {"resourceType": "Organization", "name": "O"}),
                    entry("GET", "Patient/kept"),
                ),
            )

        assert statuses(response) == ["201 Created", "503 Service Unavailable"]


async def test_many_references_that_cannot_be_followed_are_one_warning(server: Server) -> None:
    items = [{"item": {"reference": f"urn:uuid:{number}"}} for number in range(3000)]
    resource = {"resourceType": "List", "status": "current", "mode": "working", "entry": items}
    response = await server.post("", bundle("batch", entry("POST", "List", resource)))

    assert statuses(response) == ["201 Created"]
    (issue,) = response.json()["entry"][0]["response"]["outcome"]["issue"]
    assert issue["diagnostics"] == (
        "List.entry[0].item.reference (and 2999 more): urn:uuid:0 names an entry of a bundle,"
        " which only a transaction resolves; it was stored as it is."
    )


async def test_a_warning_does_not_displace_the_resource(server: Server) -> None:
    resource = {"resourceType": "Basic", "code": {}, "subject": {"reference": "urn:uuid:7"}}
    response = await server.post(
        "", bundle("batch", entry("POST", "Basic", resource)), prefer="return=representation"
    )

    (answer,) = response.json()["entry"]
    assert answer["resource"]["subject"] == {"reference": "urn:uuid:7"}
    assert answer["response"]["outcome"]["issue"][0]["severity"] == "warning"


async def test_a_bundle_s_if_modified_since_is_an_instant(server: Server) -> None:
    await server.update(patient("since") | {"id": "since"})
    response = await server.post(
        "",
        bundle(
            "batch",
            entry("GET", "Patient/since", ifModifiedSince="2099-01-01T00:00:00Z"),
            entry("GET", "Patient/since", ifModifiedSince="2000-01-01T00:00:00Z"),
        ),
    )

    assert statuses(response) == ["304 Not Modified", "200 OK"]


async def test_a_condition_that_is_no_text_is_refused_with_its_place(server: Server) -> None:
    response = await server.post(
        "", bundle("transaction", entry("POST", "Patient", patient("x"), ifNoneExist=5))
    )

    assert_issue(
        response,
        400,
        "invalid",
        "Entry 0: ifNoneExist is not text.",
        "Bundle.entry[0].request.ifNoneExist",
    )


async def test_three_hundred_updates_at_once_all_succeed(server: Server) -> None:
    resource = {"resourceType": "Basic", "id": "hot", "code": {}}
    answers = await asyncio.gather(*(server.put("Basic/hot", resource) for _ in range(300)))

    assert sorted(answer.status_code for answer in answers) == [200] * 299 + [201]
    current = await server.get("Basic/hot")
    assert current.json()["meta"]["versionId"] == "300"
