"""https://hl7.org/fhir/R4/http.html#trules: what is stored is answered, what is refused is told"""

from typing import Any
from unittest.mock import patch

import pytest

from fhir_server.interactions.repository import Repository
from fhir_server.search.matching import Candidate, meets
from fhir_server.storage.base import StoreError
from fhir_server.storage.query import Plan
from fhir_server.storage.versions import Version
from tests.support.asserts import assert_issue, statuses
from tests.support.builders import (
    a_create,
    a_patient,
    a_transaction,
    an_entry,
    an_observation,
    an_update,
    unique,
    urn,
)
from tests.support.server import Server, Start

pytestmark = pytest.mark.anyio


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


@pytest.mark.parametrize("type_", [["x"], 5, {"a": 1}, "a.b"], ids=str)
async def test_a_resource_type_that_is_none_is_refused_or_kept_but_breaks_nothing(
    server: Server, type_: Any
) -> None:
    url = urn()
    inner = {"resourceType": type_, "implicitRules": url}

    itself = await server.post(
        "", a_transaction(an_entry("POST", "Patient", {"resourceType": type_}))
    )
    contained = await server.post("", a_transaction(a_create(a_patient(contained=[inner]), url)))

    assert itself.status_code == 400
    assert contained.status_code < 500


@pytest.mark.parametrize(
    ("element", "value", "words"),
    [
        ("ifNoneExist", None, "ifNoneExist is not text."),
        ("ifMatch", 1, "ifMatch is not text."),
        ("ifModifiedSince", "2024", "'2024' is not an instant."),
        ("ifModifiedSince", "never", "'never' is not an instant."),
    ],
)
async def test_a_condition_that_is_none_is_refused(
    server: Server, element: str, value: Any, words: str
) -> None:
    entry = an_entry("GET", "Patient/x", **{element: value})

    response = await server.post("", a_transaction(entry))

    assert_issue(
        response, 400, "invalid", f"Entry 0: {words}", f"Bundle.entry[0].request.{element}"
    )


async def test_a_read_may_ask_for_what_changed_since_an_instant(server: Server) -> None:
    url = f"Patient/{(await server.create(a_patient()))['id']}"

    response = await server.post(
        "",
        a_transaction(
            an_entry("GET", url, ifModifiedSince="2099-01-01T00:00:00.000+01:00"),
            an_entry("GET", url, ifModifiedSince="2001-01-01T00:00:00Z"),
        ),
    )

    assert statuses(response) == ["304 Not Modified", "200 OK"]


async def test_of_several_entries_that_fail_the_first_is_told(server: Server) -> None:
    bad = a_patient(id="not an id")
    slow = an_entry("PUT", f"Patient?identifier={unique()}", bad)

    response = await server.post(
        "", a_transaction(slow, an_entry("PUT", "Patient/other", a_patient(id="x")))
    )

    assert response.json()["issue"][0]["diagnostics"].startswith("Entry 0, PUT Patient:")


async def test_a_warning_does_not_hide_the_resource_asked_for(server: Server) -> None:
    bundle = a_transaction(a_create(an_observation(urn()))) | {"type": "batch"}

    response = await server.post("", bundle, prefer="return=representation")

    (entry,) = response.json()["entry"]
    assert entry["resource"]["resourceType"] == "Observation"
    assert entry["response"]["outcome"]["issue"][0]["severity"] == "warning"


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
