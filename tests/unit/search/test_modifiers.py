"""Modifiers: what each finds and what it leaves, on the terms of whole resources."""

from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.errors import BadRequest
from fhir_server.search.indexing import Indexer
from fhir_server.search.searching import Searching
from fhir_server.storage.versions import Version
from tests.support.oracle import Row, holds
from tests.support.searching import plain_criteria

BASE = "http://h/fhir"
LONG = "A line of prose, " * 12 + "the needle and then " + "more " * 40

ANNA: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "anna",
    "identifier": [
        {
            "type": {
                "coding": [{"system": "http://t", "code": "MR"}],
                "text": "Record number",
            },
            "system": "urn:mrn",
            "value": "Abc-1",
        },
        {"system": "urn:other", "value": "2"},
    ],
    "name": [{"family": "Müller", "given": ["Anna", "Zoë"]}],
    "gender": "female",
    "generalPractitioner": [
        {"reference": "Practitioner/1", "identifier": {"system": "urn:npi", "value": "77"}}
    ],
}
GLUCOSE: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "glucose",
    "status": "final",
    "code": {
        "coding": [{"system": "http://loinc.org", "code": "2339-0", "display": "Glucose in Blood"}],
        "text": "Blood sugar",
    },
    "subject": {"reference": "https://elsewhere.org/fhir/Patient/9"},
}
GROUPED: dict[str, Any] = {**GLUCOSE, "subject": {"reference": "Group/1"}}
SET: dict[str, Any] = {
    "resourceType": "ValueSet",
    "id": "set",
    "url": "http://a.org/fhir/ValueSet/x",
    "description": LONG,
}

CASES: list[tuple[dict[str, Any], str, str, bool]] = [
    (ANNA, "name:exact", "Müller", True),
    (ANNA, "name:exact", "Zoë", True),
    (ANNA, "name:exact", "Muller", False),
    (ANNA, "name:exact", "müller", False),
    (ANNA, "name:exact", "Müll", False),
    (ANNA, "name:exact", "x,Anna", True),
    (ANNA, "name:contains", "ULL", True),
    (ANNA, "name:contains", "nna", True),
    (ANNA, "name:contains", "nnaz", False),
    (ANNA, "name:contains", ".", False),
    (ANNA, "gender:not", "male", True),
    (ANNA, "gender:not", "female", False),
    (ANNA, "gender:not", "male,female", False),
    (ANNA, "language:not", "en", True),
    (ANNA, "identifier:of-type", "http://t|MR|Abc-1", True),
    (ANNA, "identifier:of-type", "http://t|mr|Abc-1", True),
    (ANNA, "identifier:of-type", "http://t|MR|abc-1", False),
    (ANNA, "identifier:of-type", "http://t|MR|2", False),
    (ANNA, "identifier:of-type", "|MR|Abc-1", False),
    (ANNA, "identifier:text", "record", True),
    (ANNA, "identifier:text", "number", False),
    (ANNA, "general-practitioner:identifier", "urn:npi|77", True),
    (ANNA, "general-practitioner:identifier", "77", True),
    (ANNA, "general-practitioner:identifier", "urn:npi|7", False),
    (ANNA, "general-practitioner:Practitioner", "1", True),
    (ANNA, "general-practitioner:Organization", "1", False),
    (ANNA, "general-practitioner:missing", "false", True),
    (GLUCOSE, "code:text", "blood s", True),
    (GLUCOSE, "code:text", "GLUCOSE", True),
    (GLUCOSE, "code:text", "sugar", False),
    (GLUCOSE, "code:not", "http://loinc.org|2339-0", False),
    (GLUCOSE, "combo-code:not", "http://loinc.org|2339-0", False),
    (GLUCOSE, "combo-code:text", "glucose", True),
    (GLUCOSE, "patient:missing", "false", True),
    (GLUCOSE, "patient", "9", False),
    (GROUPED, "patient:missing", "true", True),
    (GROUPED, "subject:Group", "1", True),
    (GROUPED, "subject:Patient", "1", False),
    (SET, "url:below", "http://a.org/fhir/", True),
    (SET, "url:below", "http://a.org/fhir/ValueSet/x", True),
    (SET, "url:below", "http://A.org", False),
    (SET, "url:above", "http://a.org/fhir/ValueSet/x/_history/5", True),
    (SET, "url:above", "http://a.org/fhir/ValueSet/x", True),
    (SET, "url:above", "http://a.org/fhir/ValueSet", False),
    (SET, "description:contains", "the NEEDLE and", True),
    (SET, "description:contains", "prose, the needle", True),
    (SET, "description:contains", "needles", False),
    (SET, "description:exact", LONG.replace(",", r"\,"), True),
]


@pytest.fixture(scope="module")
def searching() -> Searching:
    return Searching(load_definitions(), BASE, b"0" * 16)


@pytest.fixture(scope="module")
def indexer() -> Indexer:
    return Indexer(load_definitions(), BASE)


@pytest.mark.parametrize(("resource", "name", "value", "found"), CASES)
def test_a_modifier_finds_what_it_means(
    resource: dict[str, Any],
    name: str,
    value: str,
    found: bool,  # noqa: FBT001 -- a column of the table
    searching: Searching,
    indexer: Indexer,
) -> None:
    (criterion,) = plain_criteria(searching, resource["resourceType"], [(name, value)])
    version = Version(resource["resourceType"], resource["id"], 1, 1, 1, "PUT", b"{}")
    assert holds(criterion.test, Row(version, indexer.terms(resource))) is found


WRONG = [
    ("Patient", "identifier:of-type", "MR|1", "write `system|code|value`"),
    ("Patient", "identifier:of-type", "http://t||1", "write `system|code|value`"),
    ("Patient", "name:contains", "x" * 65, "at most 64 characters"),
    ("ValueSet", "url:below", "h" * 256, "at most 255 characters"),
    ("Patient", "gender:missing", "maybe", "gender:missing is either true or false"),
]


@pytest.mark.parametrize(("type_", "name", "value", "advice"), WRONG)
def test_a_wrong_value_is_told_with_what_would_be_right(
    type_: str, name: str, value: str, advice: str, searching: Searching
) -> None:
    with pytest.raises(BadRequest) as caught:
        searching.prepare_criteria(type_, [(name, value)])
    assert advice in caught.value.message
