"""https://hl7.org/fhir/R4/search.html#reference"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.search_tables import Loaded, Row, labelled, load
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio

URN = "urn:uuid:0f0e0d0c-0b0a-4908-8706-050403020100"
SUBJECTS: Mapping[str, Mapping[str, Any]] = {
    "patient": {"reference": "Patient/1"},
    "versioned": {"reference": "Patient/1/_history/2"},
    "whole": {"reference": f"{BASE}/Patient/1"},
    "whole-versioned": {"reference": f"{BASE}/Patient/1/_history/7"},
    "elsewhere": {"reference": "https://elsewhere.example/fhir/Patient/1"},
    "group": {"reference": "Group/1"},
    "other": {"reference": "Patient/11"},
    "capital": {"reference": "Patient/A.b-C"},
    "urn": {"reference": URN},
    "contained": {"reference": "#p"},
    "logical": {"identifier": {"system": "http://example.org/mrn", "value": "M-7"}},
    "logical-bare": {"identifier": {"value": "M-7"}, "reference": "Patient/12"},
    "display": {"display": "Somebody"},
}
OBSERVATIONS: Mapping[str, Mapping[str, Any]] = {
    **{label: {"subject": subject} for label, subject in SUBJECTS.items()},
    "several": {
        "performer": [
            {"reference": "Practitioner/2"},
            {"reference": "Organization/2"},
            {"reference": "PractitionerRole/3"},
        ]
    },
    "nothing": {},
}
LOCAL = "patient versioned whole whole-versioned"
LITERAL: list[Row] = [
    # an id is one of any type that the parameter refers to
    ("Observation?subject=1", f"{LOCAL} group"),
    ("Observation?subject=Patient/1", LOCAL),
    ("Observation?subject=Group/1", "group"),
    (f"Observation?subject={BASE}/Patient/1", LOCAL),
    # the version is left aside on either side
    ("Observation?subject=Patient/1/_history/2", LOCAL),
    (f"Observation?subject={BASE}/Patient/1/_history/3", LOCAL),
    ("Observation?subject=https://elsewhere.example/fhir/Patient/1", "elsewhere"),
    ("Observation?subject=https://elsewhere.example/fhir/Patient/2", ""),
    ("Observation?subject=http://elsewhere.example/fhir/Patient/1", ""),
    ("Observation?subject=Patient/2", ""),
    ("Observation?subject=Device/1", ""),
    ("Observation?subject=A.b-C", "capital"),
    ("Observation?subject=a.b-c", ""),
    (f"Observation?subject={URN}", "urn"),
    # narrowed to one type
    ("Observation?patient=1", LOCAL),
    ("Observation?patient=Patient/1", LOCAL),
    ("Observation?patient=Group/1", ""),
    ("Observation?patient=11", "other"),
    # several
    ("Observation?performer=2", "several"),
    ("Observation?performer=Practitioner/2", "several"),
    ("Observation?performer=Practitioner/3", ""),
    ("Observation?performer=Practitioner/2&performer=Organization/2", "several"),
    ("Observation?performer=Practitioner/2&performer=Organization/3", ""),
    ("Observation?subject=Group/1,Patient/11", "group other"),
]
MISSING: list[Row] = [
    ("Observation?subject:missing=true", "several nothing"),
    ("Observation?performer:missing=false", "several"),
]
MISSING_NARROWED: list[Row] = [
    ("Observation?patient:missing=false", f"{LOCAL} elsewhere other capital logical-bare"),
    ("Observation?patient:missing=true", "group urn contained logical display several nothing"),
]
OF_TYPE: list[Row] = [
    ("Observation?subject:Patient=1", LOCAL),
    ("Observation?subject:Group=1", "group"),
    ("Observation?subject:Device=1", ""),
    ("Observation?subject:Patient=1,11", f"{LOCAL} other"),
    ("Observation?performer:Organization=2", "several"),
    ("Observation?performer:PractitionerRole=2", ""),
]
IDENTIFIER: list[Row] = [
    ("Observation?subject:identifier=M-7", "logical logical-bare"),
    ("Observation?subject:identifier=http://example.org/mrn|M-7", "logical"),
    ("Observation?subject:identifier=|M-7", "logical-bare"),
    ("Observation?subject:identifier=m-7", ""),
    ("Observation?subject:identifier=http://example.org/other|M-7", ""),
    ("Observation?subject:identifier=Patient/1", ""),
]
QUESTIONNAIRES: Mapping[str, Mapping[str, Any]] = {
    "plain": {"questionnaire": "http://example.org/q"},
    "pinned": {"questionnaire": "http://example.org/q|2.0"},
    "part": {"questionnaire": "http://example.org/q#part"},
    "here": {"questionnaire": f"{BASE}/Questionnaire/q"},
}
CANONICALS: list[Row] = [
    ("QuestionnaireResponse?questionnaire=http://example.org/q", "plain pinned part"),
    ("QuestionnaireResponse?questionnaire=http://example.org/q|2.0", "pinned"),
    ("QuestionnaireResponse?questionnaire=http://example.org/q|3.0", ""),
    ("QuestionnaireResponse?questionnaire=Questionnaire/q", "here"),
    ("QuestionnaireResponse?questionnaire=q", "here"),
    (f"QuestionnaireResponse?questionnaire={BASE}/Questionnaire/q", "here"),
]
REFUSED = [
    "Observation?subject=",
    "Observation?subject=Patient/",
    "Observation?subject=/1",
    "Observation?subject=Patient/1/2",
    "Observation?subject=a b",
    "Observation?subject=Patient/a_b",
    "Observation?subject=Patient|1",
    "Observation?subject=" + "a" * 65,
    "Observation?subject:exact=1",
    "Observation?subject:not=1",
    "Observation?subject:Nonsense=1",
    "Observation?subject:Organization=1",
    "Observation?subject:missing=1",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    patient = {"resourceType": "Patient", "id": "p"}
    observations = {
        label: {"status": "final", "code": {"text": "x"}, **members}
        for label, members in OBSERVATIONS.items()
    }
    observations["contained"]["contained"] = [patient]
    answers = {label: {"status": "completed", **each} for label, each in QUESTIONNAIRES.items()}
    resources = labelled("Observation", observations)
    return await load(server, [*resources, *labelled("QuestionnaireResponse", answers)])


@pytest.mark.parametrize(
    "row",
    LITERAL + MISSING + MISSING_NARROWED + OF_TYPE + IDENTIFIER + CANONICALS,
    ids=lambda row: row[0],
)
async def test_a_reference_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_a_reference_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
