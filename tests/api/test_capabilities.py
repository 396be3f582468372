"""https://hl7.org/fhir/R4/http.html#capabilities: what is listed is done"""

from typing import Any

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from tests.support.asserts import assert_issue
from tests.support.builders import a_batch, a_patient, a_transaction, unique
from tests.support.server import BASE, ON_ONE_STORE, Server, Start

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]


@pytest.fixture(scope="module")
async def statement(server: Server) -> dict[str, Any]:
    response = await server.get("metadata")
    assert response.status_code == 200
    statement: dict[str, Any] = response.json()
    return statement


def of_type(statement: dict[str, Any], type_: str) -> dict[str, Any]:
    (found,) = (r for r in statement["rest"][0]["resource"] if r["type"] == type_)
    return dict(found)


async def test_the_statement_is_of_this_server(statement: dict[str, Any]) -> None:
    assert statement["resourceType"] == "CapabilityStatement"
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["kind"] == "instance"
    assert statement["implementation"]["url"] == BASE
    assert "application/fhir+json" in statement["format"]
    assert "xml" not in str(statement["format"])


async def test_the_statement_is_a_valid_resource(statement: dict[str, Any]) -> None:
    # R4B and R4 do not differ in CapabilityStatement but for the versions they may name.
    CapabilityStatement.model_validate(statement | {"fhirVersion": "4.3.0"})


async def test_every_type_of_r4_is_listed(statement: dict[str, Any]) -> None:
    types = [resource["type"] for resource in statement["rest"][0]["resource"]]

    assert len(types) == 146
    assert types == sorted(set(types))
    assert {"Patient", "Bundle", "Binary", "Parameters", "OperationOutcome"} <= set(types)
    assert not {"Resource", "DomainResource", "MetadataResource"} & set(types)


async def test_what_is_listed_for_a_type_is_done(server: Server, statement: dict[str, Any]) -> None:
    mark = unique()
    id_ = (await server.create(a_patient(mark)))["id"]
    ways: dict[str, tuple[str, str, Any]] = {
        "read": ("GET", f"Patient/{id_}", None),
        "vread": ("GET", f"Patient/{id_}/_history/1", None),
        "history-instance": ("GET", f"Patient/{id_}/_history", None),
        "history-type": ("GET", "Patient/_history", None),
        "search-type": ("GET", f"Patient?identifier={mark}", None),
        "create": ("POST", "Patient", a_patient()),
        "update": ("PUT", f"Patient/{id_}", a_patient(id=id_)),
        "patch": ("PATCH", f"Patient/{id_}", {"resourceType": "Parameters"}),
        "delete": ("DELETE", f"Patient/{id_}", None),
    }

    listed = [each["code"] for each in of_type(statement, "Patient")["interaction"]]

    assert sorted(listed) == sorted(ways)
    for code in listed:
        response = await server.send(*ways[code])
        assert response.is_success, code


async def test_what_is_listed_for_the_whole_is_done(
    server: Server, statement: dict[str, Any]
) -> None:
    ways: dict[str, tuple[str, str, Any]] = {
        "search-system": ("GET", "?_type=Patient,Device", None),
        "history-system": ("GET", "_history", None),
        "batch": ("POST", "", a_batch()),
        "transaction": ("POST", "", a_transaction()),
    }

    listed = [each["code"] for each in statement["rest"][0]["interaction"]]

    assert sorted(listed) == sorted(ways)
    for code in listed:
        response = await server.send(*ways[code])
        assert response.status_code == 200, code


async def test_what_is_listed_of_conditions_is_done(
    server: Server, statement: dict[str, Any]
) -> None:
    listed = of_type(statement, "Patient")
    mark = unique()

    assert listed["conditionalCreate"] is listed["conditionalUpdate"] is True
    assert listed["updateCreate"] is listed["readHistory"] is True
    assert listed["versioning"] == "versioned-update"
    assert listed["conditionalRead"] == "full-support"
    assert listed["conditionalDelete"] == "single"
    condition = f"identifier={mark}"
    first = await server.post("Patient", a_patient(mark), if_none_exist=condition)
    second = await server.put(f"Patient?{condition}", a_patient(mark))
    third = await server.delete(f"Patient?{condition}")
    assert [r.status_code for r in (first, second, third)] == [201, 200, 204]


async def test_the_statement_follows_the_settings(start: Start) -> None:
    async with start(conditional_delete="many", base_url="https://other.example/x") as server:
        statement = (await server.get("metadata")).json()

        assert of_type(statement, "Patient")["conditionalDelete"] == "multiple"
        assert statement["implementation"]["url"] == "https://other.example/x/fhir"


MODIFIERS = [
    ("Patient", "name", {"missing", "exact", "contains"}),
    ("Patient", "identifier", {"missing", "not", "text", "of-type"}),
    ("Observation", "subject", {"missing", "identifier", "Patient", "Group", "Device", "Location"}),
    ("Observation", "patient", {"missing", "identifier"}),
    ("ValueSet", "url", {"missing", "above", "below"}),
]


@pytest.mark.parametrize(("type_", "code", "modifiers"), MODIFIERS)
def test_modifiers_are_listed_with_the_parameter(
    statement: dict[str, Any], type_: str, code: str, modifiers: set[str]
) -> None:
    (parameter,) = (p for p in of_type(statement, type_)["searchParam"] if p["name"] == code)

    listed = set(parameter["documentation"].removeprefix("Modifiers: :").split(", :"))

    assert modifiers <= listed


VALUES = {
    "token": "x",
    "string": "x",
    "reference": "Patient/1",
    "uri": "urn:x",
    "date": "2024",
    "number": "1",
    "quantity": "1",
}
"""A value that any parameter of the type takes."""


async def test_every_parameter_that_is_listed_can_be_searched_by(
    server: Server, statement: dict[str, Any]
) -> None:
    refused = []
    for resource in statement["rest"][0]["resource"]:
        for parameter in resource["searchParam"]:
            value = VALUES.get(parameter["type"])
            if value is None:
                continue
            query = f"{parameter['name']}={value}&_count=1".encode()
            response = await server.raw("GET", f"/fhir/{resource['type']}".encode(), query=query)
            # A token may be a boolean, which is one of two words.
            if response.status != 200 and b"either true or false" not in response.body:
                refused.append((resource["type"], query, response.body))

    assert refused == []
    listed = [p["name"] for p in of_type(statement, "Patient")["searchParam"]]
    assert {"_id", "_lastUpdated", "identifier", "name", "birthdate", "organization"} <= set(listed)
    assert "_filter" in listed
    assert len(listed) == len(set(listed))


async def test_parameters_have_their_definitions(statement: dict[str, Any]) -> None:
    parameters = {p["name"]: p for p in of_type(statement, "Patient")["searchParam"]}

    assert parameters["birthdate"] == {
        "name": "birthdate",
        "definition": "http://hl7.org/fhir/SearchParameter/individual-birthdate",
        "type": "date",
        "documentation": "Modifiers: :missing",
    }


async def test_only_the_full_statement_is_offered(server: Server) -> None:
    full = await server.get("metadata?mode=full")
    other = await server.get("metadata?mode=terminology")

    assert full.status_code == 200
    assert_issue(
        other,
        400,
        "invalid",
        "mode=terminology is not offered; leave it out or ask for full.",
    )


async def test_what_is_listed_to_be_included_can_be(
    server: Server, statement: dict[str, Any]
) -> None:
    for type_ in ("Patient", "Encounter", "Provenance", "ValueSet", "Bundle"):
        listed = of_type(statement, type_)
        assert "*" in listed["searchInclude"]
        for control, name in (("_include", "searchInclude"), ("_revinclude", "searchRevInclude")):
            for inclusion in listed[name]:
                response = await server.get(f"{type_}?_id=x&{control}={inclusion}")
                assert response.status_code == 200, (control, inclusion)
    assert "Observation:encounter" in of_type(statement, "Encounter")["searchRevInclude"]
    assert "Encounter:service-provider" in of_type(statement, "Encounter")["searchInclude"]
    assert "Observation:encounter" not in of_type(statement, "Patient")["searchRevInclude"]


async def test_every_compartment_is_listed(statement: dict[str, Any]) -> None:
    names = [url.rpartition("/")[2] for url in statement["rest"][0]["compartment"]]

    assert names == ["device", "encounter", "patient", "practitioner", "relatedPerson"]
