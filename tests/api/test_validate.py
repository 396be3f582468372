"""https://hl7.org/fhir/R4/resource-operation-validate.html"""

from typing import Any

import httpx
import pytest

from fhir_server.definitions.registry import load_definitions
from tests.support.asserts import assert_issue
from tests.support.builders import a_batch, a_patient, an_observation, unique
from tests.support.server import Server

pytestmark = pytest.mark.anyio

MESSAGE_ID = "http://hl7.org/fhir/StructureDefinition/operationoutcome-message-id"
BASE = "http://hl7.org/fhir/StructureDefinition/Patient"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">test</div>'
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
RELATION = "http://terminology.hl7.org/CodeSystem/v2-0131"

Told = tuple[str, str, str, list[str]]
RIGHT: Told = ("information", "informational", "nothing-wrong", [])
CLAIMED: Told = (
    "information",
    "not-supported",
    "profiles-not-checked",
    ["Patient.meta.profile"],
)


def narrated(**members: Any) -> dict[str, Any]:
    """A patient with a narrative, of whom there is nothing to tell."""
    return a_patient(text={"status": "generated", "div": DIV}, **members)


def condition(code: str, **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "text": {"status": "generated", "div": DIV},
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": code}]},
        "subject": {"reference": "Patient/1"},
        **members,
    }


def related(code: str) -> list[dict[str, Any]]:
    """Contacts of whom the first has a relationship; its binding is extensible."""
    coding = {"system": RELATION, "code": code}
    return [{"relationship": [{"coding": [coding]}], "name": {"text": "n"}}]


def wrapped(resource: Any = None, **values: str) -> dict[str, Any]:
    """Parameters with a resource, a mode, a profile."""
    types = {"mode": "valueCode", "profile": "valueUri"}
    given = [{"name": "resource", "resource": resource}] if resource else []
    further = [{"name": name, types[name]: value} for name, value in values.items()]
    return {"resourceType": "Parameters", "parameter": [*given, *further]}


def issues(told: dict[str, Any]) -> list[Told]:
    """Of an outcome each severity, code, message id and place."""
    assert told["resourceType"] == "OperationOutcome"
    found = []
    for each in told["issue"]:
        (extension,) = each["extension"]
        assert extension["url"] == MESSAGE_ID
        assert each["diagnostics"]
        at = each.get("expression", [])
        found.append((each["severity"], each["code"], extension["valueString"], at))
    return found


def told(response: httpx.Response) -> list[Told]:
    assert response.status_code == 200, response.text
    return issues(response.json())


CONTENT: dict[str, tuple[str, Any, list[Told]]] = {
    "right": ("Patient", narrated(), [RIGHT]),
    "right by its base definition": ("Patient?profile=" + BASE, narrated(), [RIGHT]),
    "right in Parameters": ("Patient", wrapped(narrated(), profile=BASE + "|4.0.1"), [RIGHT]),
    "a code that is met": ("Condition", condition("active"), [RIGHT]),
    "two defects of structure": (
        "Patient",
        narrated(birthdate="2020", gender="M"),
        [
            ("error", "structure", "unknown-element", ["Patient.birthdate"]),
            ("error", "code-invalid", "not-in-value-set", ["Patient.gender"]),
        ],
    ),
    "an invariant in Parameters": (
        "Patient",
        wrapped(narrated(contact=[{"gender": "male"}])),
        [("error", "invariant", "pat-1", ["Patient.contact[0]"])],
    ),
    "a required binding": (
        "Condition",
        condition("nonsense"),
        [("error", "code-invalid", "not-in-value-set", ["Condition.clinicalStatus"])],
    ),
    "an extensible binding": (
        "Patient",
        narrated(contact=related("nonsense")),
        [
            (
                "warning",
                "code-invalid",
                "not-in-extensible",
                ["Patient.contact[0].relationship[0]"],
            )
        ],
    ),
    "no narrative": ("Patient", a_patient(), [("warning", "invariant", "dom-6", ["Patient"])]),
    "a claimed profile": (
        "Patient",
        narrated(meta={"profile": ["http://example.org/p"]}),
        [RIGHT, CLAIMED],
    ),
    "of another type": (
        "Patient",
        condition("active"),
        [("error", "invalid", "wrong-type", ["Condition"])],
    ),
    "of no known type": (
        "Patient",
        {"resourceType": "Nobody"},
        [("error", "structure", "unknown-resource-type", ["resourceType"])],
    ),
    "to be created": ("Patient?mode=create", narrated(id="x"), [RIGHT]),
    "to be created, broken": (
        "Patient",
        wrapped(narrated(gender="M"), mode="create"),
        [("error", "code-invalid", "not-in-value-set", ["Patient.gender"])],
    ),
}


@pytest.mark.parametrize("case", CONTENT)
async def test_content_is_judged_by_structure_invariants_and_bindings(
    server: Server, case: str
) -> None:
    path, body, expected = CONTENT[case]
    type_, _, query = path.partition("?")
    before = await server.count(type_)
    response = await server.post(f"{type_}/$validate?{query}", body)

    assert told(response) == expected
    assert await server.count(type_) == before


async def test_what_is_right_is_said_in_plain_words(server: Server) -> None:
    answer = (await server.post("Patient/$validate", narrated())).json()

    (issue,) = answer["issue"]
    assert issue["diagnostics"] == "Nothing is wrong by the base specification of FHIR R4."


async def test_a_stored_resource_is_judged_without_sending_it(server: Server) -> None:
    stored = await server.create(narrated())
    path = f"Patient/{stored['id']}/$validate"

    assert told(await server.get(path)) == [RIGHT]
    assert told(await server.get(f"{path}?mode=profile&profile={BASE}")) == [RIGHT]
    assert told(await server.post(path, wrapped(mode="profile"))) == [RIGHT]
    assert (await server.head(path)).content == b""
    missing = await server.get("Patient/nowhere/$validate")
    assert missing.status_code == 404


async def test_an_update_must_have_the_id_of_the_url(server: Server) -> None:
    path, wrong = "Patient/a/$validate?mode=update", ("error", "invalid", "wrong-id")

    assert told(await server.post(path, narrated(id="a"))) == [RIGHT]
    assert told(await server.post(path, narrated(id="b"))) == [(*wrong, ["Patient.id"])]
    assert told(await server.post(path, narrated())) == [(*wrong, ["Patient.id"])]
    both = await server.post(path, narrated(id="b", gender="M"))
    assert [each[2] for each in told(both)] == ["wrong-id", "not-in-value-set"]
    assert told(await server.post("Patient/a/$validate", narrated(id="b"))) == [RIGHT]
    assert (await server.get("Patient/a")).status_code == 404


async def test_of_a_deletion_it_is_told_whether_there_is_something_to_delete(
    server: Server,
) -> None:
    id_ = unique()
    path = f"Patient/{id_}/$validate"
    nothing: list[Told] = [("warning", "not-found", "nothing-to-delete", [])]

    assert told(await server.get(f"{path}?mode=delete")) == nothing
    await server.update(narrated(id=id_))
    assert told(await server.get(f"{path}?mode=delete")) == [RIGHT]
    assert told(await server.post(path, wrapped(mode="delete"))) == [RIGHT]
    await server.delete(f"Patient/{id_}")
    assert told(await server.get(f"{path}?mode=delete")) == nothing
    assert (await server.get(path)).status_code == 410


async def test_it_is_carried_out_in_a_batch(server: Server) -> None:
    stored = await server.create(narrated())
    post = {"method": "POST", "url": "Patient/$validate"}
    batch = a_batch(
        {"request": post, "resource": narrated()},
        {"request": post, "resource": wrapped(narrated(gender="M"))},
        {"request": {"method": "GET", "url": f"Patient/{stored['id']}/$validate"}},
    )
    response = await server.post("", batch)

    assert response.status_code == 200, response.text
    entries = response.json()["entry"]
    assert [each["response"]["status"] for each in entries] == ["200 OK"] * 3
    right, wrong, again = (issues(each["resource"]) for each in entries)
    assert right == again == [RIGHT]
    assert wrong == [("error", "code-invalid", "not-in-value-set", ["Patient.gender"])]


GIVE = "Give the resource that is to be validated, as the body or in Parameters."
REFUSED = {
    "Patient/$validate": (wrapped(), "invalid", GIVE),
    "Patient/a/$validate?mode=update": (wrapped(), "invalid", GIVE),
    "Patient/$validate?mode=remove": (
        narrated(),
        "invalid",
        "There is no mode remove; there are create, update, delete, profile.",
    ),
    "Patient/$validate?mode=update": (
        narrated(),
        "invalid",
        "The mode update is about one resource: name it in the URL, as in Patient/1/$validate.",
    ),
    "Patient/$validate?profile=http://example.org/p": (
        narrated(),
        "not-supported",
        (
            "Profiles are not checked yet, so whether the resource conforms to "
            f"http://example.org/p cannot be told. What can be checked is {BASE}."
        ),
    ),
    "Patient/$validate?strict=yes": (
        narrated(),
        "not-supported",
        "'strict' is not a parameter of [type]/$validate; mode, profile, resource are.",
    ),
}


@pytest.mark.parametrize("path", REFUSED)
async def test_what_cannot_be_told_is_refused_with_what_can_be(server: Server, path: str) -> None:
    body, code, words = REFUSED[path]

    assert_issue(await server.post(path, body), 400, code, words)


async def test_it_is_not_called_on_the_system(server: Server) -> None:
    response = await server.post("$validate", an_observation())

    assert response.status_code == 404
    assert "[type]/$validate" in response.json()["issue"][0]["diagnostics"]


async def test_the_capability_statement_lists_it_at_every_type(server: Server) -> None:
    (rest,) = (await server.get("metadata")).json()["rest"]
    listed = {
        "name": "validate",
        "definition": "http://hl7.org/fhir/OperationDefinition/Resource-validate",
    }

    assert {each["type"] for each in rest["resource"]} == load_definitions().resource_types
    assert all(listed in each["operation"] for each in rest["resource"])
    assert listed not in rest.get("operation", [])
