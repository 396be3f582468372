"""A server without sign-in answers its own machine only, and nobody may keep it waiting."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from fhir_server.config import InvalidSettings
from tests.support.asserts import assert_issue
from tests.support.server import ON_ONE_STORE, RawResponse, Start

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "fhir.example.org"]
)
async def test_a_name_of_this_machine_is_served(start: Start, host: str) -> None:
    async with start() as server:
        assert (await server.get("metadata", host=host)).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example"])
async def test_another_name_pointed_at_the_loopback_address_is_not_served(
    start: Start, host: str
) -> None:
    async with start() as server:
        response = await server.get("Patient", host=host)

    assert_issue(
        response,
        421,
        "security",
        "Without sign-in this server answers only as 127.0.0.1, [::1], fhir.example.org, "
        f"localhost, not as {host!r}.",
    )


async def test_a_body_that_does_not_arrive_is_given_up(start: Start) -> None:
    async def receive() -> Mapping[str, Any]:
        await asyncio.sleep(3600)
        raise AssertionError

    async with start(request_deadline=0.05) as server:
        response = RawResponse()
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/fhir/Patient",
            "raw_path": b"/fhir/Patient",
            "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/fhir+json")],
        }
        await server.app(scope, receive, response.take)

    assert response.status == 408
    (issue,) = json.loads(response.body)["issue"]
    assert (issue["code"], issue["diagnostics"]) == (
        "timeout",
        "The body did not arrive within 0.05 s.",
    )


async def test_nothing_is_served_without_open_whoever_starts_it(start: Start) -> None:
    with pytest.raises(InvalidSettings, match="serves only with --open"):
        async with start(open=False):
            pass
