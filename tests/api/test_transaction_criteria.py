"""https://hl7.org/fhir/R4/http.html#trules: conditional references in a transaction"""

from typing import Any
from unittest.mock import patch

import pytest

from fhir_server.interactions.repository import Repository
from fhir_server.search.matching import Candidate, meets
from fhir_server.storage.query import Plan
from tests.support.asserts import assert_issue, statuses
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
    urn,
)
from tests.support.server import BASE, Server, Start

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
    encounter = {"status": "planned", "class": {"code": "AMB"}, "subject": wanted}

    (observation,) = await stored(
        server,
        a_create(
            an_observation(
                extension=[{"url": "https://example.org/e", "valueReference": wanted}],
                contained=[{"resourceType": "Encounter", "id": "e", **encounter}],
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


@pytest.mark.parametrize("order", [1, -1])
async def test_a_conditional_reference_sees_the_links_of_all_entries(
    server: Server, order: int
) -> None:
    url, id_ = urn(), unique("pp")
    encounter = {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": url},
    }
    observation = an_observation(url, encounter={"reference": f"Encounter?subject=Patient/{id_}"})
    both = [a_create(observation), a_create(encounter)]

    response = await server.post(
        "",
        a_transaction(an_update(a_patient(id=id_), url), *both[::order]),
        prefer="return=representation",
    )

    assert statuses(response) == ["201 Created"] * 3
    stored = {
        entry["resource"]["resourceType"]: entry["resource"] for entry in response.json()["entry"]
    }
    expected = f"Encounter/{stored['Encounter']['id']}"
    assert stored["Observation"]["encounter"]["reference"] == expected


async def test_what_a_reference_leads_to_stays_until_the_commit(server: Server) -> None:
    """By criteria of a create, of a reference in a transaction, and of one sent alone."""
    mark, url = unique(), urn()
    reference = f"Patient?identifier={mark}"
    create = a_create(a_patient(mark), url, ifNoneExist=f"identifier={mark}")
    await server.create(a_patient(mark))

    for target, path, body in (
        ("create", "", a_transaction(create, a_create(an_observation(url, mark)))),
        ("entry", "", a_transaction(a_create(an_observation(reference, mark)))),
        ("alone", "Observation", an_observation(reference, mark)),
    ):
        with patch.object(Repository, "commit", _replacing(server, mark)):
            response = await server.post(path, body)

        assert response.status_code in {200, 201}, (target, response.text)
        (patient,) = await server.found(f"Patient?identifier={mark}")
        (observation,) = await server.found(f"Observation?identifier={mark}")
        assert observation["subject"]["reference"] == f"Patient/{patient['id']}", target
        await server.delete(f"Observation/{observation['id']}")


def _replacing(server: Server, mark: str) -> Any:
    """A commit before whose first try somebody else replaces the patient by another one."""
    real, calls = Repository.commit, 0

    async def commit(self: Repository, drafts: Any, guards: Any = ()) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            (patient,) = await server.found(f"Patient?identifier={mark}")
            await server.delete(f"Patient/{patient['id']}")
            await server.create(a_patient(mark))
        return await real(self, drafts, guards)

    return commit


@pytest.mark.parametrize(
    "condition", ["family=m{0}z&gender=male", "birthdate={1}", "gender=male&birthdate={1}"]
)
async def test_many_different_conditions_cost_no_more_than_they_must(
    start: Start, condition: str
) -> None:
    """Each looks at the drafts that may meet it, not at all of them."""
    number = 400
    entries = [
        a_create(
            a_patient(name=[{"family": f"m{n}x"}], birthDate=f"{1100 + 2 * n}"),
            ifNoneExist=condition.format(n, 1101 + 2 * n),
        )
        for n in range(number)
    ]
    looked = 0

    def counting(plan: Plan, candidate: Candidate) -> bool:
        nonlocal looked
        looked += 1
        return meets(plan, candidate)

    async with start() as server:
        with patch("fhir_server.interactions.drafted.meets", counting):
            response = await server.post("", a_transaction(*entries))

    assert statuses(response) == ["201 Created"] * number
    assert looked < 2 * number
