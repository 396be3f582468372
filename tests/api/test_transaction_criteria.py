"""https://hl7.org/fhir/R4/http.html#trules: conditional references in a transaction"""

from typing import Any

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import (
    SYSTEM,
    a_create,
    a_patient,
    a_transaction,
    an_entry,
    an_identifier,
    an_observation,
    an_update,
    unique,
)
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio

REPRESENTATION = {"prefer": "return=representation"}


async def stored(server: Server, *entries: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources that a transaction of these entries stored, in their order."""
    response = await server.post("", a_transaction(*entries), **REPRESENTATION)
    assert response.status_code == 200, response.text
    return [entry["resource"] for entry in response.json()["entry"]]


def reference(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


async def test_a_conditional_reference_becomes_what_matches(server: Server) -> None:
    mark = unique()
    patient = await server.create(a_patient(mark))

    plain, absolute = await stored(
        server,
        a_create(an_observation(f"Patient?identifier={SYSTEM}|{mark}")),
        a_create(an_observation(f"{BASE}/Patient?identifier={mark}")),
    )

    assert plain["subject"]["reference"] == reference(patient)
    assert absolute["subject"]["reference"] == reference(patient)


async def test_a_conditional_reference_is_resolved_inside_extensions_and_contained(
    server: Server,
) -> None:
    mark = unique()
    patient = await server.create(a_patient(mark))
    wanted = {"reference": f"Patient?identifier={mark}"}

    (observation,) = await stored(
        server,
        a_create(
            an_observation(
                extension=[{"url": "https://example.org/e", "valueReference": wanted}],
                contained=[{"resourceType": "Encounter", "id": "e", "subject": wanted}],
            )
        ),
    )

    assert observation["extension"][0]["valueReference"]["reference"] == reference(patient)
    assert observation["contained"][0]["subject"]["reference"] == reference(patient)


async def test_a_conditional_reference_finds_what_the_transaction_creates(server: Server) -> None:
    mark = unique()
    wanted = f"Patient?identifier={SYSTEM}|{mark}"

    patient, conditional, observation = await stored(
        server,
        a_create(a_patient(mark)),
        a_create(a_patient(f"{mark}.2"), ifNoneExist=f"identifier={mark}.2"),
        a_create(an_observation(wanted, focus=[{"reference": f"Patient?identifier={mark}.2"}])),
    )

    assert observation["subject"]["reference"] == reference(patient)
    assert observation["focus"][0]["reference"] == reference(conditional)


async def test_a_conditional_reference_finds_what_the_transaction_makes_of_others(
    server: Server,
) -> None:
    before, after = unique(), unique()
    patient = await server.create(a_patient(before))

    _, observation = await stored(
        server,
        an_update(patient | {"identifier": [an_identifier(after)]}),
        a_create(an_observation(f"Patient?identifier={after}")),
    )

    assert observation["subject"]["reference"] == reference(patient)


async def test_a_conditional_reference_does_not_find_what_the_transaction_deletes(
    server: Server,
) -> None:
    mark = unique()
    patient = await server.create(a_patient(mark))
    wanted = f"Patient?identifier={mark}"

    response = await server.post(
        "",
        a_transaction(an_entry("DELETE", reference(patient)), a_create(an_observation(wanted))),
    )

    assert_issue(
        response,
        412,
        "not-found",
        f"Entry 1, POST Observation: The reference {wanted} matches nothing.",
        "Bundle.entry[1].resource.subject.reference",
    )


async def test_a_conditional_reference_to_several_is_refused(server: Server) -> None:
    mark = unique()
    await server.create(a_patient(mark))
    wanted = f"Patient?identifier={mark}"

    response = await server.post(
        "", a_transaction(a_create(a_patient(mark)), a_create(an_observation(wanted)))
    )

    assert_issue(
        response,
        412,
        "multiple-matches",
        f"Entry 1, POST Observation: The reference {wanted} matches several resources.",
        "Bundle.entry[1].resource.subject.reference",
    )
    assert len(await server.found(f"Patient?identifier={mark}")) == 1
