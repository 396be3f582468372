"""`_explain=true`: the plan of a search in place of its matches."""

import json
from typing import Any

import pytest

from tests.support.asserts import link
from tests.support.builders import a_patient, an_observation, unique
from tests.support.server import BASE, Server, Start

pytestmark = pytest.mark.anyio


async def explained(server: Server, url: str) -> tuple[dict[str, Any], list[str]]:
    """The answer, and what it tells, each with its severity and code where it is an error."""
    response = await server.get(url)
    assert response.status_code == 200, response.text
    bundle: dict[str, Any] = response.json()
    (entry,) = bundle["entry"]
    assert entry["search"] == {"mode": "outcome"}
    told = [
        f"{issue['severity']} {issue['code']}: {issue['diagnostics']}"
        if issue["severity"] != "information"
        else issue["diagnostics"]
        for issue in entry["resource"]["issue"]
    ]
    return bundle, told


async def a_record(server: Server) -> tuple[str, str]:
    """A patient with two observations; the patient's id and the code of the first."""
    patient, code = (await server.create(a_patient(unique())))["id"], unique()
    for each in (code, unique()):
        await server.create(
            an_observation(
                subject=f"Patient/{patient}",
                code={"coding": [{"system": "http://a.example", "code": each}]},
            )
        )
    return patient, code


async def test_it_tells_where_the_search_begins_and_how_many_it_finds(server: Server) -> None:
    patient, code = await a_record(server)

    bundle, told = await explained(
        server, f"Observation?patient={patient}&code=http://a.example|{code}&_explain=true"
    )

    assert bundle["total"] == 1
    assert told[0] == (
        "Observation: begins with the index of what a patient has of a code (code); "
        "estimated 1, counted 1. Each is tested for patient. Matches: 1."
    )
    assert "Observation: could begin with the index of references (patient); estimated 2." in told
    assert told[-1] == "Order: as an index has it."


async def test_what_is_tested_afterwards_is_named(server: Server) -> None:
    patient, _ = await a_record(server)

    bundle, told = await explained(
        server, f"Observation?patient={patient}&status:not=final&_explain=true"
    )

    assert bundle["total"] == 0
    assert told[0] == (
        "Observation: begins with the index of references (patient); estimated 2, counted 2. "
        "Each is tested for status:not. Matches: 0."
    )


async def test_a_search_without_an_index_says_so(server: Server) -> None:
    mark = unique()
    await server.create({"resourceType": "Basic", "code": {"text": mark}})

    bundle, told = await explained(server, "Basic?code:not=x&_explain=true")

    assert told[0] == (
        f"Basic: begins at no index, with all {bundle['total']}. Each is tested for code:not. "
        f"Matches: {bundle['total']}."
    )


async def test_a_chain_tells_its_steps(server: Server) -> None:
    patient, _ = await a_record(server)

    bundle, told = await explained(
        server, f"Observation?subject:Patient._id={patient}&_explain=true"
    )

    assert bundle["total"] == 2
    assert told[0] == "subject:Patient._id: Patient was searched first, and 1 were found."
    assert told[1].startswith("Observation: begins with the index of ids") or told[1].startswith(
        "Observation: begins with the index of references (subject:Patient._id)"
    )


async def test_a_sort_by_values_is_told(server: Server) -> None:
    patient, _ = await a_record(server)

    _, told = await explained(server, f"Observation?patient={patient}&_sort=code&_explain=true")

    assert told[-1] == "Order: no index has code; every match is read and sorted."


async def test_a_search_too_costly_is_explained_with_what_would_help(start: Start) -> None:
    async with start(max_sorted=1) as server:
        await a_record(server)

        bundle, told = await explained(server, "Observation?_sort=code&_explain=true")

    assert "total" not in bundle
    assert told[0] == "Observation: begins at no index, with all more than 1. Matches: more than 1."
    assert told[-1].startswith("error too-costly: _sort=code looks at every match")


async def test_several_types_are_explained_one_by_one(server: Server) -> None:
    _, told = await explained(server, "?_type=Patient,Device&_id=nobody&_explain=true")

    assert told == [
        "Patient: begins with the index of ids (_id); estimated 0, counted 0. Matches: 0.",
        "Device: begins with the index of ids (_id); estimated 0, counted 0. Matches: 0.",
        "Order: as an index has it.",
    ]


async def test_nothing_that_was_found_is_in_it_and_the_link_can_be_followed(
    server: Server,
) -> None:
    patient, _ = await a_record(server)
    url = f"Patient?_id={patient}&_explain=true"

    bundle, _ = await explained(server, url)
    itself = link(await server.get(url), "self") or ""
    again = await server.get(itself.removeprefix(f"{BASE}/"))

    assert "Patient" not in {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert patient not in json.dumps(bundle["entry"])
    assert again.json() == bundle


async def test_false_is_an_ordinary_search(server: Server) -> None:
    patient, _ = await a_record(server)

    response = await server.get(f"Patient?_id={patient}&_explain=false")

    assert [entry["resource"]["id"] for entry in response.json()["entry"]] == [patient]
