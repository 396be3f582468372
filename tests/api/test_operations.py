"""https://hl7.org/fhir/R4/operations.html: how operations are found and called"""

from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.interactions.operations.operation import ANY
from fhir_server.interactions.operations.table import OPERATIONS, definition_of
from tests.support.asserts import assert_issue
from tests.support.builders import a_batch, a_transaction
from tests.support.server import Server, Start

pytestmark = pytest.mark.anyio

GENDER = "http://hl7.org/fhir/administrative-gender"
LOOKUP = f"CodeSystem/$lookup?system={GENDER}&code=male"


def parameters(**values: Any) -> dict[str, Any]:
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": name, "valueCoding" if isinstance(value, dict) else "valueString": value}
            for name, value in values.items()
        ],
    }


def told(answer: dict[str, Any], name: str) -> Any:
    """The value of a parameter of an answer."""
    (found,) = (each for each in answer["parameter"] if each["name"] == name)
    (value,) = (content for member, content in found.items() if member != "name")
    return value


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_an_operation_is_defined_by_r4_and_takes_what_the_definition_says(operation: Any) -> None:
    definition = definition_of(operation, load_definitions())

    assert definition.levels
    assert not operation.without & set(definition.parameters)
    assert set(operation.further) <= set(definition.parameters)


async def test_an_operation_is_called_by_get_and_by_post(server: Server) -> None:
    got = await server.get(LOOKUP)
    posted = await server.post("CodeSystem/$lookup", parameters(system=GENDER, code="male"))
    mixed = await server.post(f"CodeSystem/$lookup?system={GENDER}", parameters(code="male"))
    coded = parameters(coding={"system": GENDER, "code": "male"})
    coded_answer = await server.post("CodeSystem/$lookup", coded)

    assert got.status_code == 200
    assert told(got.json(), "display") == "Male"
    assert got.json() == posted.json() == mixed.json() == coded_answer.json()
    assert (await server.head(LOOKUP)).content == b""


async def test_an_operation_is_called_on_one_resource_stored_or_published(server: Server) -> None:
    published = await server.get("CodeSystem/administrative-gender/$validate-code?code=male")
    system = {
        "resourceType": "CodeSystem",
        "id": "on-one",
        "url": "http://example.org/on-one",
        "status": "active",
        "content": "complete",
        "concept": [{"code": "a"}],
    }
    await server.update(system)
    stored = await server.get("CodeSystem/on-one/$validate-code?code=b")
    neither = await server.get("CodeSystem/nowhere/$validate-code?code=b")

    assert told(published.json(), "result") is True
    assert told(stored.json(), "result") is False
    assert_issue(neither, 404, "not-found", "There is no CodeSystem/nowhere.")


async def test_a_resource_may_be_the_body(server: Server) -> None:
    value_set = {
        "resourceType": "ValueSet",
        "status": "active",
        "compose": {"include": [{"system": GENDER}]},
    }
    response = await server.post("ValueSet/$expand?count=2", value_set)

    assert response.status_code == 200
    assert response.json()["expansion"]["total"] == 4
    assert len(response.json()["expansion"]["contains"]) == 2


async def test_operations_are_carried_out_in_batches_and_transactions(server: Server) -> None:
    entries: list[Any] = [
        {"request": {"method": "GET", "url": LOOKUP}},
        {
            "request": {"method": "POST", "url": "CodeSystem/$lookup"},
            "resource": parameters(system=GENDER, code="female"),
        },
    ]
    for bundle in (a_batch(*entries), a_transaction(*entries)):
        response = await server.post("", bundle)
        assert response.status_code == 200, response.text
        answers = [entry["resource"] for entry in response.json()["entry"]]
        assert [told(each, "display") for each in answers] == ["Male", "Female"]


REFUSED = {
    "CodeSystem/$other": (404, "not-supported", "There is no operation $other on CodeSystem; "),
    "Patient/$other": (404, "not-supported", "There is no operation $other on Patient; there are"),
    "$other": (404, "not-supported", "There is no operation $other on the system as a whole"),
    "Nobody/$other": (404, "not-found", "'Nobody' is not a resource type"),
    "CodeSystem/x/$lookup": (404, "not-supported", "CodeSystem/$lookup is called on the type, "),
    f"{LOOKUP}&nonsense=1": (400, "not-supported", "nonsense is not a parameter of CodeSystem/"),
    f"{LOOKUP}&date=2020": (400, "not-supported", "date is not a parameter of CodeSystem/$loo"),
    f"{LOOKUP}&code=female": (400, "invalid", "The parameter code of CodeSystem/$lookup may be"),
    f"CodeSystem/$lookup?system={GENDER}": (400, "invalid", "Give system and code, or coding"),
    "CodeSystem/$lookup?coding=x": (400, "invalid", "The parameter coding must be an object"),
    "ValueSet/administrative-gender/$expand?count=-1": (
        400,
        "invalid",
        "The parameter count must be a whole",
    ),
    "ValueSet/administrative-gender/$expand?activeOnly=y": (
        400,
        "invalid",
        "The parameter activeOnly must be",
    ),
}


@pytest.mark.parametrize("path", REFUSED)
async def test_what_cannot_be_called_is_refused_with_what_can_be(server: Server, path: str) -> None:
    status, code, words = REFUSED[path]
    response = await server.get(path)
    (issue,) = response.json()["issue"]

    assert (response.status_code, issue["code"]) == (status, code)
    assert words in issue["diagnostics"].replace("'nonsense'", "nonsense").replace("'date'", "date")


async def test_an_unknown_parameter_is_passed_over_when_that_is_preferred(server: Server) -> None:
    response = await server.get(f"{LOOKUP}&nonsense=1", prefer="handling=lenient")

    assert response.status_code == 200


BODIES: list[tuple[Any, str]] = [
    ([], "The body of an operation is a resource"),
    ({"resourceType": "Patient"}, "The body must be Parameters, not 'Patient'."),
    ({"resourceType": "Parameters", "parameter": {}}, "must be a list"),
    ({"resourceType": "Parameters", "parameter": [{}]}, "parameter[0] has no name"),
    ({"resourceType": "Parameters", "parameter": [{"name": "code"}]}, "needs one value"),
    (
        {
            "resourceType": "Parameters",
            "parameter": [{"name": "code", "valueCode": "a", "valueString": "b"}],
        },
        "needs one value",
    ),
    (
        {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "code", "valueBoolean": True},
                {"name": "system", "valueUri": "x"},
            ],
        },
        "The parameter code must be a text.",
    ),
]


@pytest.mark.parametrize(("body", "words"), BODIES, ids=[words for _, words in BODIES])
async def test_a_body_that_is_no_parameters_is_refused(
    server: Server, body: Any, words: str
) -> None:
    response = await server.post("CodeSystem/$lookup", body)

    assert response.status_code == 400
    assert words in response.json()["issue"][0]["diagnostics"]


async def test_the_capability_statement_lists_the_operations_there_are(server: Server) -> None:
    (rest,) = (await server.get("metadata")).json()["rest"]
    listed = {
        (resource["type"], operation["name"], operation["definition"])
        for resource in rest["resource"]
        for operation in resource.get("operation", ())
    }
    listed |= {("", each["name"], each["definition"]) for each in rest.get("operation", ())}

    types = load_definitions().resource_types
    assert listed == {
        (type_, each.code, each.url)
        for each in OPERATIONS
        for type_ in (types if each.type == ANY else [each.type])
    }


async def test_answers_of_operations_count_as_what_a_bundle_may_hold(start: Start) -> None:
    expand = {"method": "POST", "url": "ValueSet/$expand"}
    asked = parameters(url="http://hl7.org/fhir/ValueSet/administrative-gender")
    bundle = a_batch(*({"request": expand, "resource": asked} for _ in range(5)))
    async with start(max_bundle_answer=2_000) as server:
        response = await server.post("", bundle)

    statuses = [entry["response"]["status"][:3] for entry in response.json()["entry"]]
    assert statuses[0] == "200"
    assert statuses[-1] == "400"
    assert response.json()["entry"][-1]["response"]["outcome"]["issue"][0]["code"] == "too-costly"
