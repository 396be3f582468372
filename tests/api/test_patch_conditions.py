"""Patches by criteria, and in bundles.

https://hl7.org/fhir/R4/http.html#patch, https://hl7.org/fhir/R4/http.html#trules
"""

from typing import Any

import pytest

from tests.support.asserts import assert_issue, statuses
from tests.support.builders import (
    SYSTEM,
    a_batch,
    a_create,
    a_patient,
    a_transaction,
    an_entry,
    an_observation,
    an_update,
    unique,
    urn,
)
from tests.support.patches import (
    AS_FHIRPATH,
    FORMS,
    GENDER,
    a_fhirpath_patch,
    in_binary,
    patched,
    replacing,
)
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("body", FORMS)
async def test_criteria_may_stand_for_the_id(server: Server, body: Any) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    response = await patched(server, f"Patient?identifier={SYSTEM}|{mark}", body)

    assert response.status_code == 200
    assert response.headers["location"] == f"{BASE}/Patient/{stored['id']}/_history/2"
    assert response.json()["gender"] == "other"


async def test_criteria_that_nothing_meets_patch_nothing(server: Server) -> None:
    response = await patched(server, f"Patient?identifier={unique()}", GENDER)

    words = "No Patient meets the criteria, so there is nothing to patch."
    assert_issue(response, 404, "not-found", words)


async def test_criteria_that_several_meet_patch_none(server: Server) -> None:
    mark = unique()
    for _ in range(2):
        await server.create(a_patient(mark))

    response = await patched(server, f"Patient?identifier={mark}", GENDER)

    words = f"Several Patient resources match identifier={mark}; criteria must select at most one."
    assert_issue(response, 412, "multiple-matches", words)
    assert await server.found(f"Patient?identifier={mark}&gender=other") == []


async def test_a_conditional_reference_in_a_patch_is_resolved(server: Server) -> None:
    mark = unique()
    patient = await server.create(a_patient(mark))
    stored = await server.create(an_observation())
    subject = {"reference": f"Patient?identifier={mark}"}

    response = await patched(
        server, f"Observation/{stored['id']}", [{"op": "add", "path": "/subject", "value": subject}]
    )

    assert response.json()["subject"] == {"reference": f"Patient/{patient['id']}"}


@pytest.mark.parametrize("bundle", [a_batch, a_transaction])
@pytest.mark.parametrize("body", [in_binary(GENDER), AS_FHIRPATH])
@pytest.mark.parametrize("by", ["id", "criteria"])
async def test_a_bundle_may_patch(
    server: Server, bundle: Any, body: dict[str, Any], by: str
) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))
    url = f"Patient?identifier={mark}" if by == "criteria" else f"Patient/{stored['id']}"

    response = await server.post(
        "", bundle(an_entry("PATCH", url, body, ifMatch='W/"1"')), prefer="return=representation"
    )

    assert statuses(response) == ["200 OK"]
    entry = response.json()["entry"][0]
    assert entry["response"]["etag"] == 'W/"2"'
    assert entry["resource"]["gender"] == "other"


async def test_a_patch_in_a_transaction_may_refer_to_its_entries(server: Server) -> None:
    stored, patient = await server.create(an_observation()), urn()
    subject = {"op": "add", "path": "/subject", "value": {"reference": patient}}

    response = await server.post(
        "",
        a_transaction(
            an_entry("PATCH", f"Observation/{stored['id']}", in_binary([subject])),
            a_create(a_patient(), patient),
        ),
    )

    assert statuses(response) == ["200 OK", "201 Created"]
    id_ = response.json()["entry"][1]["response"]["location"].split("/")[-3]
    after = (await server.get(f"Observation/{stored['id']}")).json()
    assert after["subject"] == {"reference": f"Patient/{id_}"}


async def test_a_reference_that_was_there_does_not_become_one_of_the_bundle(
    server: Server,
) -> None:
    patient = await server.create(a_patient())
    stored = await server.create(an_observation(f"Patient/{patient['id']}"))
    elsewhere = "http://elsewhere.example.org"

    response = await server.post(
        "",
        a_transaction(
            an_entry(
                "PATCH",
                f"Observation/{stored['id']}",
                in_binary([{"op": "add", "path": "/language", "value": "de"}]),
                f"{elsewhere}/Observation/1",
            ),
            a_create(a_patient(), f"{elsewhere}/Patient/{patient['id']}"),
        ),
    )

    assert statuses(response) == ["200 OK", "201 Created"]
    after = (await server.get(f"Observation/{stored['id']}")).json()
    assert after["subject"] == {"reference": f"Patient/{patient['id']}"}


@pytest.mark.parametrize("by", ["id", "criteria"])
async def test_a_transaction_writes_what_it_patches_once(server: Server, by: str) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))
    url = f"Patient?identifier={mark}" if by == "criteria" else f"Patient/{stored['id']}"

    response = await server.post(
        "",
        a_transaction(
            an_entry("PATCH", url, in_binary(GENDER)), an_update(stored | {"language": "de"})
        ),
    )

    words = (
        f"Entries 0 and 1 both write Patient/{stored['id']}; a transaction may write a resource "
        "once."
    )
    assert_issue(response, 400, "invalid", words, "Bundle.entry[0]", "Bundle.entry[1]")
    assert (await server.get(f"Patient/{stored['id']}")).json() == stored


async def test_a_patch_that_fails_fails_its_transaction(server: Server) -> None:
    mark, stored = unique(), await server.create(a_patient())

    response = await server.post(
        "",
        a_transaction(
            a_create(a_patient(mark)),
            an_entry(
                "PATCH",
                f"Patient/{stored['id']}",
                a_fhirpath_patch(replacing("Patient.id", valueId="other")),
            ),
        ),
    )

    words = (
        f"Entry 1, PATCH Patient/{stored['id']}: A patch cannot change id of "
        f"Patient/{stored['id']}."
    )
    assert_issue(response, 422, "processing", words, "Bundle.entry[1]")
    assert await server.found(f"Patient?identifier={mark}") == []


async def test_a_patch_that_fails_in_a_batch_disturbs_no_other(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await server.post(
        "",
        a_batch(
            an_entry("PATCH", f"Patient/{unique()}", in_binary(GENDER)),
            an_entry("PATCH", f"Patient/{stored['id']}"),
            an_entry("PATCH", f"Patient/{stored['id']}", in_binary(GENDER)),
        ),
    )

    assert statuses(response) == ["404 Not Found", "400 Bad Request", "200 OK"]
