"""https://hl7.org/fhir/R4/search.html#chaining, and `_has`, `_list`, compartments, all types"""

from typing import Any

import pytest

from tests.support.search_tables import Loaded, Row, load
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio


def resource(type_: str, id_: str, **members: Any) -> dict[str, Any]:
    return {"resourceType": type_, "id": id_, **members}


def to(place: str) -> dict[str, str]:
    return {"reference": place}


def observation(id_: str, subject: str, code: str, **members: Any) -> dict[str, Any]:
    return resource(
        "Observation",
        id_,
        status="final",
        code={"coding": [{"system": "http://loinc.org", "code": code}]},
        subject=to(subject),
        **members,
    )


ENCOUNTER = {"status": "finished", "class": {"code": "AMB"}}
RESOURCES = [
    resource("Organization", "clinic", name="Clinic", partOf=to("Organization/trust")),
    resource("Organization", "trust", name="Trust", address=[{"city": "Leeds"}]),
    # it is part of itself
    resource("Organization", "circle", name="Circle", partOf=to("Organization/circle")),
    resource("Practitioner", "house", name=[{"family": "House"}]),
    resource(
        "Patient",
        "ann",
        name=[{"family": "Ann"}],
        gender="female",
        birthDate="1980-05-05",
        managingOrganization=to("Organization/clinic"),
        generalPractitioner=[to("Practitioner/house"), to("Organization/trust")],
    ),
    resource(
        "Patient",
        "bob",
        name=[{"family": "Bob"}],
        gender="male",
        managingOrganization=to(f"{BASE}/Organization/circle"),
        link=[{"other": to("Patient/ann"), "type": "seealso"}],
    ),
    resource("Patient", "eve", name=[{"family": "Eve"}]),
    resource("Group", "ann", type="person", actual=True, member=[{"entity": to("Patient/ann")}]),
    resource("Encounter", "visit", **ENCOUNTER, subject=to("Patient/ann")),
    resource("Encounter", "stay", **ENCOUNTER, subject=to("Patient/bob")),
    observation("pulse", "Patient/ann", "8867-4", encounter=to("Encounter/visit")),
    observation("weight", "Patient/ann", "29463-7", effectiveDateTime="2020-05-05"),
    observation("height", "Patient/bob", "8302-2", performer=[to("Practitioner/house")]),
    observation("old", "Patient/bob/_history/1", "8867-4"),
    observation("gone", "Patient/nobody", "8867-4"),
    observation("group", "Group/ann", "8867-4"),
    observation("panel", "Patient/eve", "panel", hasMember=[to("Observation/height")]),
    resource(
        "AuditEvent",
        "seen",
        type={"code": "rest"},
        recorded="2020-01-01T00:00:00Z",
        agent=[{"requestor": True, "who": to("Practitioner/house")}],
        source={"observer": to("Organization/clinic")},
        entity=[{"what": to("Observation/height")}],
    ),
    resource(
        "List",
        "chosen",
        status="current",
        mode="working",
        entry=[{"item": to("Patient/ann")}, {"item": to("Observation/height")}],
    ),
]
CHAINS: list[Row] = [
    ("Observation?subject:Patient.name=ann", "pulse weight"),
    ("Observation?patient.name=ann", "pulse weight"),
    ("Observation?patient.name=bob", "height old"),
    ("Observation?subject.name=bob", "height old"),
    ("Observation?patient.family:exact=Ann", "pulse weight"),
    ("Observation?patient.family:exact=ann", ""),
    ("Observation?patient.gender=female,male", "pulse weight height old"),
    ("Observation?patient.birthdate=lt1981", "pulse weight"),
    ("Observation?patient._id=ann", "pulse weight"),
    ("Observation?subject._id=ann", "pulse weight group"),
    ("Observation?subject:Group._id=ann", "group"),
    ("Observation?patient.name=nobody", ""),
    ("Observation?patient.gender:missing=true", "panel"),
    ("Observation?patient.gender:not=male", "pulse weight panel"),
    # each link by itself
    ("Observation?patient.organization.name=clinic", "pulse weight"),
    ("Observation?patient.organization.partof.name=trust", "pulse weight"),
    ("Observation?patient.organization.partof.address-city=leeds", "pulse weight"),
    ("Observation?patient.organization.name=circle", "height old"),
    ("Observation?patient.organization.partof.partof.partof.name=circle", "height old"),
    ("Observation?patient.general-practitioner:Practitioner.name=house", "pulse weight"),
    ("Observation?patient.general-practitioner:Organization.name=trust", "pulse weight"),
    ("Observation?patient.general-practitioner.name=trust", "pulse weight"),
    ("Patient?link.name=ann", "bob"),
    ("Observation?encounter.patient.name=ann", "pulse"),
    ("Observation?has-member.code=8302-2", "panel"),
    ("Observation?has-member:Observation.patient.name=bob", "panel"),
    # two chains need not mean the same one
    ("Patient?general-practitioner.name=house&general-practitioner.name=trust", "ann"),
    ("Observation?patient.name=ann&code=8867-4", "pulse"),
    ("Observation?patient.name=ann,bob&date=ge2020", "weight"),
]
HAS: list[Row] = [
    ("Patient?_has:Observation:patient:code=8867-4", "ann bob"),
    ("Patient?_has:Observation:subject:code=8867-4", "ann bob"),
    ("Group?_has:Observation:subject:code=8867-4", "ann"),
    ("Patient?_has:Observation:patient:code=http://loinc.org|29463-7", "ann"),
    ("Patient?_has:Observation:patient:code=29463-7,8302-2", "ann bob"),
    ("Patient?_has:Observation:patient:code=29463-7&_has:Observation:patient:code=8302-2", ""),
    ("Patient?_has:Observation:patient:date=2020", "ann"),
    ("Patient?_has:Observation:patient:date:missing=true", "ann bob eve"),
    ("Patient?_has:Observation:patient:code=nothing", ""),
    ("Patient?_has:Observation:patient:code=8302-2&gender=male", "bob"),
    ("Patient?_has:Observation:patient:_id=pulse", "ann"),
    # nested
    ("Patient?_has:Observation:patient:_has:AuditEvent:entity:agent=Practitioner/house", "bob"),
    ("Organization?_has:Patient:organization:_has:Observation:patient:code=29463-7", "clinic"),
    ("Practitioner?_has:Patient:general-practitioner:name=ann", "house"),
    # mixed with chains
    ("Patient?_has:Observation:patient:performer.name=house", "bob"),
    ("Encounter?patient._has:Group:member:_id=ann", "visit"),
    ("Observation?patient._has:Group:member:type=person", "pulse weight"),
    ("Observation?patient.organization._has:Organization:partof:name=circle", "height old"),
]
LISTS: list[Row] = [
    ("Patient?_list=chosen", "ann"),
    ("Observation?_list=chosen", "height"),
    ("Observation?_list=chosen&code=8867-4", ""),
    ("Patient?_list=nothing", ""),
    ("Patient?_list=chosen&gender=female", "ann"),
]
SCOPES: list[Row] = [
    ("Patient/ann/Observation?", "pulse weight"),
    ("Patient/ann/Observation?code=8867-4", "pulse"),
    ("Patient/ann/Encounter?", "visit"),
    ("Patient/ann/Patient?", "ann bob"),
    ("Patient/ann/Group?", "ann"),
    ("Patient/nobody/Encounter?", ""),
    ("Encounter/visit/Observation?", "pulse"),
    ("Practitioner/house/Observation?", "height"),
]
EVERYTHING: list[Row] = [
    ("?_id=ann", "ann ann"),
    ("?_type=Patient,Practitioner", "ann bob eve house"),
    ("?_type=Patient&gender=female", "ann"),
    ("?_type=Patient,Group&_id=ann", "ann ann"),
]
REFUSED = [
    "Observation?code.name=x",
    "Observation?date.name=x",
    "Observation?patient.nonsense=x",
    "Observation?patient:Practitioner.name=x",
    "Observation?subject:Nonsense.name=x",
    "Observation?patient.=x",
    "Observation?patient.name.given=x",
    "Observation?patient.birthdate=yesterday",
    "Patient?_has:Observation:patient=x",
    "Patient?_has:Observation:nonsense:code=x",
    "Patient?_has:Observation:patient:nonsense=x",
    "Patient?_has:Nonsense:patient:code=x",
    "Patient?_has:Observation:performer-nonsense:code=x",
    "Organization?_has:Observation:patient:code=x",
    "Patient?_has=x",
    "Patient?_has:Observation:code:code=x",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    return await load(server, RESOURCES)


@pytest.mark.parametrize("row", CHAINS + HAS + LISTS + SCOPES + EVERYTHING, ids=lambda row: row[0])
async def test_a_join_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_a_join_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    response = await loaded.server.get(url)
    assert response.status_code == 400, response.text
