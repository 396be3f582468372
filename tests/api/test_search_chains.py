"""https://hl7.org/fhir/R4/search.html#chaining and #has: searches that need other searches"""

from typing import Any

import pytest

from tests.support.server import BASE, Server, Start

pytestmark = pytest.mark.anyio

LOINC = "http://loinc.org"


def _coded(code: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code}]}


def _to(reference: str) -> dict[str, str]:
    return {"reference": reference}


def _organization(id_: str, name: str, **members: Any) -> dict[str, Any]:
    return {"resourceType": "Organization", "id": id_, "name": name, **members}


WORLD: list[dict[str, Any]] = [
    _organization("acme", "Acme Trust"),
    _organization("north", "North", partOf=_to("Organization/acme")),
    _organization("ward", "Ward", partOf=_to("Organization/north")),
    _organization("other", "Other"),
    {"resourceType": "Practitioner", "id": "doc", "name": [{"family": "Smith"}]},
    {
        "resourceType": "Patient",
        "id": "peter",
        "identifier": [{"system": "urn:mrn", "value": "1"}],
        "name": [{"family": "Chalmers", "given": ["Peter"]}],
        "gender": "male",
        "birthDate": "1974-12-25",
        "managingOrganization": _to("Organization/north"),
        "generalPractitioner": [_to("Practitioner/doc")],
        "meta": {"tag": [{"system": "urn:tag", "code": "study"}]},
    },
    {
        "resourceType": "Patient",
        "id": "ann",
        "name": [{"family": "Smith", "given": ["Ann"]}],
        "gender": "female",
        "birthDate": "1980",
        "managingOrganization": _to(f"{BASE}/Organization/other"),
    },
    {"resourceType": "Patient", "id": "nobody", "gender": "female"},
    {"resourceType": "Group", "id": "herd", "type": "animal", "actual": True,
     "identifier": [{"system": "urn:mrn", "value": "1"}], "code": _coded("cows")},
    {"resourceType": "Device", "id": "pump",
     "deviceName": [{"name": "Peterson Pump", "type": "user-friendly-name"}]},
    {"resourceType": "Encounter", "id": "visit", "status": "finished", "class": {"code": "AMB"},
     "subject": _to("Patient/peter"), "serviceProvider": _to("Organization/ward"),
     "period": {"start": "2020-05-01", "end": "2020-05-03"}},
    {"resourceType": "Observation", "id": "weight", "status": "final", "code": _coded("29463-7"),
     "subject": _to("Patient/peter"), "encounter": _to("Encounter/visit"),
     "effectiveDateTime": "2020-05-02",
     "performer": [_to("Practitioner/doc"), _to("Organization/acme")]},
    {"resourceType": "Observation", "id": "height", "status": "final", "code": _coded("8302-2"),
     "subject": _to(f"{BASE}/Patient/ann/_history/1"), "effectiveDateTime": "2021-01-01"},
    {"resourceType": "Observation", "id": "milk", "status": "final", "code": _coded("29463-7"),
     "subject": _to("Group/herd")},
    {"resourceType": "Observation", "id": "pumped", "status": "final", "code": _coded("pump"),
     "subject": _to("Device/pump")},
    {"resourceType": "Observation", "id": "gone", "status": "final", "code": _coded("gone"),
     "subject": _to("Patient/never-stored")},
    {"resourceType": "Condition", "id": "cold", "subject": _to("Patient/ann"),
     "code": _coded("cold"), "encounter": _to("Encounter/visit")},
    {"resourceType": "AuditEvent", "id": "seen", "type": {"code": "rest"},
     "recorded": "2022-01-01T00:00:00Z",
     "agent": [{"who": _to("Practitioner/doc"), "requestor": True}],
     "source": {"observer": _to("Device/pump")},
     "entity": [{"what": _to("Observation/weight")}]},
    {"resourceType": "Questionnaire", "id": "q", "url": "http://example.org/q", "version": "2",
     "status": "active", "title": "Intake"},
    {"resourceType": "QuestionnaireResponse", "id": "answer", "status": "completed",
     "questionnaire": "http://example.org/q|2", "subject": _to("Patient/peter")},
    {"resourceType": "QuestionnaireResponse", "id": "local-answer", "status": "completed",
     "questionnaire": f"{BASE}/Questionnaire/q"},
    {"resourceType": "List", "id": "rounds", "status": "current", "mode": "working",
     "entry": [{"item": _to("Patient/peter")}, {"item": _to("Patient/ann")},
               {"item": _to("Observation/weight")}, {"item": _to("Patient/never-stored")}]},
    {"resourceType": "List", "id": "empty", "status": "current", "mode": "working"},
]  # fmt: skip

FINDS = [
    # one link, with its type and without
    ("Observation?patient.name=chalmers", {"weight"}),
    ("Observation?subject:Patient.name=chalmers", {"weight"}),
    ("Observation?patient.family=smith,chalmers", {"weight", "height"}),
    ("Observation?patient.name=nemo", set()),
    ("Observation?subject:Patient.identifier=urn:mrn|1", {"weight"}),
    ("Observation?subject:Group.identifier=urn:mrn|1", {"milk"}),
    ("Observation?subject.identifier=urn:mrn|1", {"weight", "milk"}),
    ("Observation?subject.device-name=peter", {"pumped"}),
    ("Observation?subject:Device._id=pump", {"pumped"}),
    ("Observation?performer.name=smith", {"weight"}),
    ("Observation?performer:Organization.name=acme", {"weight"}),
    # what stands at the end of a chain is any criterion
    ("Observation?patient._id=peter", {"weight"}),
    ("Observation?patient._id=never-stored", set()),
    ("Observation?patient._tag=urn:tag|study", {"weight"}),
    ("Observation?patient._lastUpdated=ge2000", {"weight", "height"}),
    ("Observation?patient._lastUpdated=lt2000", set()),
    ("Observation?patient.birthdate=ge1975", {"height"}),
    ("Observation?patient.birthdate=lt1975", {"weight"}),
    ("Observation?patient.birthdate:missing=true", set()),
    ("Observation?patient.birthdate:missing=false", {"weight", "height"}),
    ("Observation?encounter.date=2020-05", {"weight"}),
    ("Observation?encounter.date=sa2020-05-02", set()),
    ("QuestionnaireResponse?subject.gender=male", {"answer"}),
    # deeper
    ("Observation?patient.organization.name=north", {"weight"}),
    ("Observation?patient.organization.name=other", {"height"}),
    ("Observation?patient.organization.partof.name=acme", {"weight"}),
    ("Observation?subject:Patient.organization:Organization.partof:Organization.name=acme",
     {"weight"}),
    ("Observation?encounter.service-provider.partof.partof.name=acme", {"weight"}),
    ("AuditEvent?entity:Observation.patient.general-practitioner.name=smith", {"seen"}),
    # with others
    ("Observation?patient.name=chalmers&code=29463-7", {"weight"}),
    (f"Observation?patient.name=chalmers&code={LOINC}|29463-7", {"weight"}),
    (f"Observation?patient.name=smith&code={LOINC}|29463-7", set()),
    (f"Observation?patient.gender=male,female&code={LOINC}|8302-2&date=ge2020&date=lt2022",
     {"height"}),
    ("Observation?patient.name=chalmers&patient.gender=male", {"weight"}),
    ("Observation?patient.name=chalmers&patient.gender=female", set()),
    # canonicals, by url and by id
    ("QuestionnaireResponse?questionnaire.title=intake", {"answer", "local-answer"}),
    ("QuestionnaireResponse?questionnaire:Questionnaire.title=other", set()),
    ("QuestionnaireResponse?questionnaire._id=q", {"answer", "local-answer"}),
    ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed", {"q"}),
    ("Questionnaire?_has:QuestionnaireResponse:questionnaire:subject=Patient/peter", {"q"}),
    ("Questionnaire?_has:QuestionnaireResponse:questionnaire:subject=Patient/ann", set()),
    # backward
    (f"Patient?_has:Observation:patient:code={LOINC}|29463-7", {"peter"}),
    ("Patient?_has:Observation:patient:code=29463-7,8302-2", {"peter", "ann"}),
    ("Patient?_has:Observation:subject:code=29463-7", {"peter"}),
    ("Group?_has:Observation:subject:code=29463-7", {"herd"}),
    ("Patient?_has:Observation:patient:code=gone", set()),
    ("Patient?_has:Observation:patient:code=29463-7&_has:Condition:patient:code=cold", set()),
    ("Patient?_has:Observation:patient:date=ge2020&gender=female", {"ann"}),
    ("Patient?_has:Observation:patient:code:missing=false", {"peter", "ann"}),
    ("Organization?_has:Patient:organization:birthdate=1980", {"other"}),
    ("Practitioner?_has:Patient:general-practitioner:name=peter", {"doc"}),
    # both, one in the other
    ("Patient?_has:Observation:patient:_has:AuditEvent:entity:agent=Practitioner/doc", {"peter"}),
    ("Patient?_has:Observation:patient:_has:AuditEvent:entity:agent=Practitioner/nobody", set()),
    ("Patient?_has:Observation:patient:encounter.service-provider.name=ward", {"peter"}),
    ("Observation?patient._has:Condition:patient:code=cold", {"height"}),
    ("Observation?subject:Patient._has:Condition:patient:code=cold", {"height"}),
    ("Organization?_has:Patient:organization:_has:Observation:patient:code=8302-2", {"other"}),
    ("Condition?encounter._has:Observation:encounter:code=29463-7", {"cold"}),
    ("Patient?_has:Condition:patient:encounter.patient._has:Observation:patient:code=29463-7",
     {"ann"}),
    # lists
    ("Patient?_list=rounds", {"peter", "ann"}),
    ("Patient?_list=List/rounds", {"peter", "ann"}),
    ("Observation?_list=rounds", {"weight"}),
    ("Patient?_list=empty", set()),
    ("Patient?_list=unknown", set()),
    ("Patient?_list=unknown,rounds&gender=male", {"peter"}),
    ("Observation?patient._list=rounds", {"weight", "height"}),
    ("Condition?_list=rounds", set()),
]  # fmt: skip


@pytest.fixture(scope="module")
async def world(start: Start, anyio_backend: str) -> Any:
    async with start() as server:
        for resource in WORLD:
            await server.update(resource)
        yield server


@pytest.mark.parametrize(("query", "expected"), FINDS, ids=[query for query, _ in FINDS])
async def test_a_join_finds(world: Server, query: str, expected: set[str]) -> None:
    found = [resource["id"] for resource in await world.found(query)]
    assert sorted(found) == sorted(expected)
    assert await world.count(query) == len(expected)
