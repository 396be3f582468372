"""What is said of codes: https://hl7.org/fhir/R4/terminologies.html#binding."""

from collections.abc import Sequence
from time import monotonic
from typing import Any

import msgspec
import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.terminology.library import Held
from fhir_server.terminology.service import Terminology
from fhir_server.validation.rules import Rules

pytestmark = pytest.mark.anyio

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
RELATION = "http://terminology.hl7.org/CodeSystem/v2-0131"
UCUM = "http://unitsofmeasure.org"
STRANGE = "http://example.org/codes"
SET = "http://hl7.org/fhir/ValueSet/condition-clinical"


class Shelf:
    """A library that holds what a test has put there."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], dict[str, Any]] = {}

    async def by_canonical(self, type_: str, url: str, version: str) -> Held | None:
        resource = self.held.get((type_, url))
        if resource is None or version not in {"", resource.get("version", "")}:
            return None
        content = msgspec.json.encode({"resourceType": type_, "url": url, **resource})
        return Held(type_, "x", 1, content)

    async def versions(self, type_: str, url: str) -> Sequence[str]:
        return []

    async def by_id(self, type_: str, id_: str) -> Held | None:
        return None


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def rules() -> Rules:
    definitions = load_definitions()
    return Rules(definitions, Terminology(definitions))


def concept(*codings: tuple[str, str] | tuple[str, str, str], **members: Any) -> dict[str, Any]:
    names = ("system", "code", "display")
    return {"coding": [dict(zip(names, each, strict=False)) for each in codings], **members}


def condition(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, **members}


def contact(*codings: tuple[str, str] | tuple[str, str, str]) -> dict[str, Any]:
    """Bound to patient-contactrelationship, which is extensible, of v2-0131."""
    relationship = [concept(*codings)]
    contact_ = {"relationship": relationship, "name": {"text": "n"}}
    return {"resourceType": "Patient", "contact": [contact_]}


AT_STATUS = "Condition.clinicalStatus"
AT_CONTACT = "Patient.contact[0].relationship[0]"
REQUIRED = [
    (condition(clinicalStatus=concept((CLINICAL, "active"))), []),
    (condition(clinicalStatus=concept((STRANGE, "a"), (CLINICAL, "active"))), []),
    (condition(clinicalStatus=concept((CLINICAL, "nonsense"))), [("not-in-value-set", AT_STATUS)]),
    (condition(clinicalStatus=concept((STRANGE, "active"))), [("not-in-value-set", AT_STATUS)]),
    (condition(clinicalStatus={"coding": [{"code": "active"}]}), [("not-in-value-set", AT_STATUS)]),
    (condition(clinicalStatus={"text": "active"}), [("not-in-value-set", AT_STATUS)]),
    (condition(clinicalStatus={"extension": [{"url": "http://a", "valueCode": "unknown"}]}), []),
    (contact((STRANGE, "a")), []),
    ({"resourceType": "Binary", "contentType": "text/plain"}, []),
    (
        {"resourceType": "Binary", "contentType": "nonsense"},
        [("not-in-value-set", "Binary.contentType")],
    ),
]
WARNINGS = [
    (contact((RELATION, "N")), []),
    (contact((RELATION, "nonsense")), [("not-in-extensible", AT_CONTACT)]),
    (contact((STRANGE, "a")), [("unknown-code-system", AT_CONTACT)]),
    (contact((CATEGORY, "vital-signs")), []),
    (contact((RELATION, "N", "Next-of-Kin")), []),
    (contact((RELATION, "N", "next-of-kin")), []),
    (contact((RELATION, "N", "Friend")), [("wrong-display", f"{AT_CONTACT}.coding[0].display")]),
    (contact((STRANGE, "a", "b")), [("unknown-code-system", AT_CONTACT)]),
    ({"resourceType": "Observation", "dataAbsentReason": concept((UCUM, "mg"))}, []),
    ({"resourceType": "Binary", "contentType": "text/plain"}, []),
]


@pytest.mark.parametrize(("resource", "expected"), REQUIRED)
async def test_a_required_binding_is_met_or_an_error(
    rules: Rules, shelf: Shelf, resource: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    for _ in range(2):  # the second time from what is remembered
        found = await rules.issues(resource, shelf)
        assert [(each.message_id, *each.expression) for each in found] == expected
        assert {each.severity for each in found} <= {"error"}
        assert {each.code for each in found} <= {"code-invalid"}


@pytest.mark.parametrize(("resource", "expected"), WARNINGS)
async def test_what_only_a_person_can_tell_is_a_warning(
    rules: Rules, shelf: Shelf, resource: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = await rules.issues(resource, shelf, warnings=True)
    told = [(each.message_id, *each.expression) for each in found if each.message_id != "dom-6"]
    assert told == expected
    assert {each.severity for each in found} <= {"warning"}
    assert await rules.issues(resource, shelf) == []


async def test_no_issue_says_which_code_it_was(rules: Rules, shelf: Shelf) -> None:
    secret = "secret-condition"
    resource = contact((RELATION, secret, secret)) | condition(
        clinicalStatus=concept((CLINICAL, secret, secret)), resourceType="Condition"
    )
    for type_ in ("Patient", "Condition"):
        found = await rules.issues(resource | {"resourceType": type_}, shelf, warnings=True)
        assert found
        assert not any(secret in each.diagnostics for each in found)


async def test_what_is_known_to_be_right_is_told_at_once_until_it_is_forgotten(
    rules: Rules, shelf: Shelf
) -> None:
    resource = condition(clinicalStatus=concept((CLINICAL, "active")))
    assert not rules.accepts(resource)
    assert await rules.issues(resource, shelf) == []
    assert rules.accepts(resource)
    shelf.held["ValueSet", SET] = {
        "version": "4.0.1",
        "compose": {"include": [{"system": CLINICAL, "concept": [{"code": "resolved"}]}]},
    }
    rules.forget()
    assert not rules.accepts(resource)
    assert [each.message_id for each in await rules.issues(resource, shelf)] == ["not-in-value-set"]


async def test_what_is_known_is_asked_again_after_a_while_for_warnings_too(
    rules: Rules, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = condition(clinicalStatus=concept((CLINICAL, "active")))

    async def told() -> set[str]:
        return {each.message_id for each in await rules.issues(resource, shelf, warnings=True)}

    assert "not-in-value-set" not in await told()
    shelf.held["ValueSet", SET] = {
        "version": "4.0.1",
        "compose": {"include": [{"system": CLINICAL, "concept": [{"code": "resolved"}]}]},
    }
    assert "not-in-value-set" not in await told()
    later = monotonic() + 60
    monkeypatch.setattr("fhir_server.validation.rules.monotonic", lambda: later)
    assert "not-in-value-set" in await told()


CANNOT_BE_TOLD = {
    "version": "4.0.1",
    "compose": {
        "include": [{"system": STRANGE, "filter": [{"property": "a", "op": "=", "value": "b"}]}]
    },
}


async def test_what_cannot_be_told_is_asked_once(rules: Rules, shelf: Shelf) -> None:
    shelf.held["ValueSet", SET] = CANNOT_BE_TOLD
    resource = condition(clinicalStatus=concept((STRANGE, "a")))
    assert not rules.accepts(resource)
    found = await rules.issues(resource, shelf, warnings=True)
    assert ("untold-binding", "warning") in {(each.message_id, each.severity) for each in found}
    assert rules.accepts(resource)
    rules.forget()
    assert not rules.accepts(resource)


async def test_a_concept_without_a_code_is_wrong_even_where_no_code_can_be_told(
    rules: Rules, shelf: Shelf
) -> None:
    shelf.held["ValueSet", SET] = CANNOT_BE_TOLD
    for status, told in ((concept((STRANGE, "a")), []), ({"text": "g"}, ["not-in-value-set"])):
        found = await rules.issues(condition(clinicalStatus=status), shelf)
        assert [each.message_id for each in found] == told


async def test_a_capability_statement_names_formats_as_its_definition_says(
    rules: Rules, shelf: Shelf
) -> None:
    short = ["json", "application/fhir+json"]
    statement = {"resourceType": "CapabilityStatement", "format": short, "patchFormat": short}
    found = await rules.issues(statement, shelf)
    assert [each.expression for each in found if each.message_id == "not-in-value-set"] == [
        ("CapabilityStatement.patchFormat[0]",)
    ]


async def test_very_many_issues_are_cut_short(rules: Rules, shelf: Shelf) -> None:
    wrong = {"resourceType": "Patient", "contact": [{"gender": "male"}] * 1_000}
    found = await rules.issues(wrong, shelf)
    assert [each.message_id for each in found] == ["pat-1"] * 100 + ["and-more"]


async def test_displays_are_those_of_a_code_system_stored_here(rules: Rules, shelf: Shelf) -> None:
    shelf.held["CodeSystem", STRANGE] = {
        "content": "complete",
        "concept": [
            {"code": "a", "concept": [{"code": "b", "designation": [{"value": "Word  Two"}]}]}
        ],
    }
    for display, wrong in (("word two", False), ("other", True)):
        found = await rules.issues(contact((STRANGE, "b", display)), shelf, warnings=True)
        assert ("wrong-display" in {each.message_id for each in found}) is wrong


async def test_a_stored_system_without_concepts_does_not_hide_the_published_displays(
    rules: Rules, shelf: Shelf
) -> None:
    shelf.held["CodeSystem", RELATION] = {"content": "not-present"}
    found = await rules.issues(contact((RELATION, "N", "rubbish")), shelf, warnings=True)
    assert "wrong-display" in {each.message_id for each in found}
