"""What is written must be right by the base specification; an outcome says what to mend.

https://hl7.org/fhir/R4/http.html#create
"""

from typing import Any

import pytest

from tests.support.asserts import statuses, without_meta
from tests.support.builders import (
    a_batch,
    a_create,
    a_patient,
    a_transaction,
    an_entry,
    unique,
)
from tests.support.server import Server

pytestmark = pytest.mark.anyio

_WRONG: dict[str, Any] = {
    "resourceType": "Patient",
    "birthdate": "2020-01-01",
    "gender": "M",
    "name": [{"family": "Chalmers", "given": ["Peter", ""]}],
}
_TOLD = (
    (
        "unknown-element",
        "structure",
        "Patient.birthdate",
        "Patient has no element 'birthdate'; did you mean birthDate?",
    ),
    (
        "wrong-form",
        "value",
        "Patient.name[0].given[1]",
        (
            "given must be a string that is not empty, of at most 1048576 characters, none a "
            "control one."
        ),
    ),
    (
        "not-in-value-set",
        "code-invalid",
        "Patient.gender",
        (
            "gender must be a code of http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1: "
            "female, male, other, unknown."
        ),
    ),
)


def _issues(prefix: str = "", root: str = "Patient") -> list[dict[str, Any]]:
    """All that is told of what is wrong; root is the place of the resource."""
    return [
        {
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/operationoutcome-message-id",
                    "valueString": id_,
                }
            ],
            "severity": "error",
            "code": code,
            "diagnostics": f"{prefix}{words}",
            "expression": [place.replace("Patient", root, 1)],
        }
        for id_, code, place, words in _TOLD
    ]


def _outcome(*issues: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


async def test_all_that_is_wrong_is_told_at_once_and_nothing_is_stored(server: Server) -> None:
    before = await server.count("Patient")

    response = await server.post("Patient", _WRONG)

    assert response.status_code == 400
    assert response.json() == _outcome(*_issues())
    assert await server.count("Patient") == before


async def test_an_update_is_checked_as_well(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await server.put(f"Patient/{stored['id']}", {**_WRONG, "id": stored["id"]})

    assert response.status_code == 400
    assert response.json() == _outcome(*_issues())
    assert (await server.get(f"Patient/{stored['id']}")).json() == stored


async def test_a_conditional_update_is_checked_as_well(server: Server) -> None:
    response = await server.put(f"Patient?identifier={unique()}", _WRONG)

    assert response.status_code == 400
    assert response.json() == _outcome(*_issues())


async def test_what_a_patch_makes_must_be_right(server: Server) -> None:
    stored = await server.create(a_patient())
    patch = [{"op": "replace", "path": "/birthDate", "value": "2023-02-29"}]

    response = await server.send(
        "PATCH",
        f"Patient/{stored['id']}",
        patch,
        content_type="application/json-patch+json",
    )

    assert response.status_code == 422
    (issue,) = response.json()["issue"]
    assert (issue["code"], issue["expression"]) == ("value", ["Patient.birthDate"])
    assert (await server.get(f"Patient/{stored['id']}")).json() == stored


async def test_a_transaction_with_a_wrong_entry_stores_nothing(server: Server) -> None:
    mark = unique()

    response = await server.post("", a_transaction(a_create(a_patient(mark)), a_create(_WRONG)))

    assert response.status_code == 400
    place = "Bundle.entry[1].resource"
    assert response.json() == _outcome(*_issues("Entry 1, POST Patient: ", place))
    assert await server.count(f"Patient?identifier={mark}") == 0


async def test_a_batch_stores_what_is_right(server: Server) -> None:
    mark = unique()

    response = await server.post("", a_batch(a_create(_WRONG), a_create(a_patient(mark))))

    assert statuses(response) == ["400 Bad Request", "201 Created"]
    refused = response.json()["entry"][0]["response"]["outcome"]
    place = "Bundle.entry[0].resource"
    assert refused == _outcome(*_issues("Entry 0, POST Patient: ", place))
    assert await server.count(f"Patient?identifier={mark}") == 1


async def test_what_is_wrong_in_a_patch_of_an_entry_has_no_place_in_the_bundle(
    server: Server,
) -> None:
    stored = await server.create(a_patient())
    operation = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "Patient.gender"},
        {"name": "value", "valueCode": "M"},
    ]
    patch = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": operation}]}
    entry = an_entry("PATCH", f"Patient/{stored['id']}", patch)

    response = await server.post("", a_transaction(entry))

    assert response.status_code == 422
    (issue,) = response.json()["issue"]
    assert issue["code"] == "code-invalid"
    assert issue["expression"] == ["Bundle.entry[0]"]


async def test_a_bundle_that_is_stored_is_checked_down_to_its_entries(server: Server) -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": _WRONG}]}

    response = await server.post("Bundle", bundle)

    assert response.status_code == 400
    assert response.json() == _outcome(*_issues(root="Bundle.entry[0].resource"))


async def test_a_resource_that_the_slow_pass_judges_right_is_stored_as_it_is(
    server: Server,
) -> None:
    absent = {
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                "valueCode": "masked",
            }
        ]
    }
    sent = a_patient(name=[{"given": ["Ann", None], "_given": [None, absent]}])

    assert without_meta(await server.create(sent)) == sent
