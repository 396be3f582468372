"""Searches by concepts while definitions change, and when there are too many codes."""

import pytest

from tests.support.search_tables import labelled, load, quoted
from tests.support.server import Server
from tests.support.terminologies import SETS, code_system, concept, observed, of, value_set

pytestmark = pytest.mark.anyio

PLAIN = "http://example.org/cs/plain"


async def test_definitions_count_as_they_are_when_asked(server: Server) -> None:
    system, url = f"{PLAIN}/changing", f"{SETS}/changing"
    await load(
        server,
        [
            *labelled("ValueSet", {"changing": {**value_set("changing", of(system, "one"))}}),
            *labelled("CodeSystem", {"changing": code_system(system, concept("top"))}),
            *observed({"is-one": [(system, "one")], "is-two": [(system, "two")]}),
        ],
    )
    assert await ids(server, f"Observation?code:in={url}") == ["is-one"]
    assert await ids(server, f"Observation?code:below={system}|top") == []
    await server.update(
        {
            "resourceType": "ValueSet",
            "id": "changing",
            **value_set("changing", of(system, "two")),
        }
    )
    await server.update(
        {
            "resourceType": "CodeSystem",
            "id": "changing",
            **code_system(system, concept("top", concept("two"))),
        }
    )
    assert await ids(server, f"Observation?code:in={url}") == ["is-two"]
    assert await ids(server, f"Observation?code:below={system}|top") == ["is-two"]
    response = await server.delete("ValueSet/changing")
    assert response.status_code in {200, 204}
    assert (await server.get(f"Observation?code:in={url}")).status_code == 400


async def test_what_is_stored_comes_before_what_is_published(server: Server) -> None:
    url = "http://hl7.org/fhir/ValueSet/observation-status"
    narrower = {"url": url, "status": "active", "compose": {"include": [of(PLAIN, "p1")]}}
    query = f"Observation?_id=published-wins&status:in={url}"
    await load(server, [*observed({"published-wins": [(PLAIN, "p1")]})])
    assert await ids(server, query) == ["published-wins"]
    await load(server, labelled("ValueSet", {"narrower": narrower}))
    assert await ids(server, query) == []
    await server.delete("ValueSet/narrower")
    assert await ids(server, query) == ["published-wins"]


async def test_more_codes_than_allowed_are_too_costly(server: Server) -> None:
    system = "http://example.org/cs/large"
    leaves = [concept(f"c{number}") for number in range(10_000)]
    large = code_system(system, concept("root", *leaves))
    every = value_set("large", of(system))
    fewer = value_set("fewer", of(system), exclude=[of(system, "root")])
    await load(
        server,
        [
            *labelled("CodeSystem", {"large": large}),
            *labelled("ValueSet", {"large": every, "fewer": fewer}),
            *observed({"is-leaf": [(system, "c9999")]}),
        ],
    )
    assert await ids(server, f"Observation?code:below={system}|c9999") == ["is-leaf"]
    for asked in (f"code:below={system}|root", f"code:in={SETS}/large"):
        response = await server.get(quoted(f"Observation?{asked}"))
        assert response.status_code == 400, response.text
        (issue,) = response.json()["issue"]
        assert issue["code"] == "too-costly"
        assert "There are 10001 codes in " in issue["diagnostics"]
        assert "10000 are allowed" in issue["diagnostics"]
    # just as many as are allowed
    assert await ids(server, f"Observation?code:in={SETS}/fewer") == ["is-leaf"]
    assert await server.count(f"Observation?_id=is-leaf&code:not-in={SETS}/fewer") == 0


async def ids(server: Server, url: str) -> list[str]:
    return sorted(each["id"] for each in await server.found(quoted(url)))
