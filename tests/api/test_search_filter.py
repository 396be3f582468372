"""https://hl7.org/fhir/R4/search_filter.html: what `_filter` finds and refuses"""

from typing import Any

import pytest

from tests.support.server import Server, Start

pytestmark = pytest.mark.anyio

LOINC = "http://loinc.org"


def _patient(id_: str, *given: str, family: str = "", **members: Any) -> dict[str, Any]:
    name = {"given": list(given), **({"family": family} if family else {})}
    return {"resourceType": "Patient", "id": id_, "name": [name], **members}


def _observation(id_: str, subject: str, code: str, **members: Any) -> dict[str, Any]:
    coding = {"system": LOINC, "code": code}
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"coding": [coding]},
        "subject": {"reference": subject},
        **members,
    }


WORLD: list[dict[str, Any]] = [
    {"resourceType": "Organization", "id": "org", "name": "Acme", "active": True},
    _patient("peter", "Peter", "James", family="Chalmers", birthDate="1974-12-25", gender="male",
             active=True, managingOrganization={"reference": "Organization/org"}),
    _patient("petra", "Pétra", family="Müller", birthDate="1980-03-01", gender="female",
             active=False),
    _patient("ann", "Ann Marie", gender="female"),
    _observation("w1", "Patient/peter", "29463-7", effectiveDateTime="2020-05-01",
                 valueQuantity={"value": 70, "unit": "kg"}),
    _observation("w2", "Patient/petra", "29463-7",
                 effectivePeriod={"start": "2021-01-01", "end": "2021-01-31"},
                 valueQuantity={"value": 60, "unit": "kg"}),
    _observation("h1", "Patient/ann", "8302-2", effectiveDateTime="2021-01-15"),
]  # fmt: skip

FINDS = [
    # the examples of the specification
    ("Patient", 'name co "pet"', {"peter", "petra"}),
    ("Patient", 'given eq "peter" and birthdate ge 1970-10-10', {"peter"}),
    ("Observation", f"code eq {LOINC}|29463-7", {"w1", "w2"}),
    ("Observation", 'subject.name co "pet"', {"w1", "w2"}),
    # texts
    ("Patient", "given eq peter", {"peter"}),
    ("Patient", "given eq PETRA", {"petra"}),
    ("Patient", "given eq pet", set()),
    ("Patient", 'given eq "ann marie"', {"ann"}),
    ("Patient", "given sw pet", {"peter", "petra"}),
    ("Patient", "given sw ET", set()),
    ("Patient", "given co ET", {"peter", "petra"}),
    ("Patient", "given ne peter", {"petra", "ann"}),
    ("Patient", "family ne chalmers", {"petra"}),
    # tokens
    ("Patient", "gender eq male", {"peter"}),
    ("Patient", "gender ne male", {"petra", "ann"}),
    ("Patient", "active ne true", {"petra"}),
    ("Patient", "active eq false", {"petra"}),
    # presence
    ("Patient", "birthdate pr true", {"peter", "petra"}),
    ("Patient", "birthdate pr false", {"ann"}),
    ("Patient", "organization pr true", {"peter"}),
    ("Patient", "_id pr true", {"peter", "petra", "ann"}),
    ("Patient", "_id pr false", set()),
    # dates and numbers
    ("Patient", "birthdate eq 1974", {"peter"}),
    ("Patient", "birthdate ne 1974", {"petra"}),
    ("Patient", "birthdate gt 1975", {"petra"}),
    ("Patient", "birthdate lt 1975", {"peter"}),
    ("Patient", "birthdate le 1974-12-25", {"peter"}),
    ("Patient", "birthdate sa 1979", {"petra"}),
    ("Patient", "birthdate eb 1980", {"peter"}),
    ("Patient", "birthdate ap 1975", {"peter", "petra"}),
    ("Observation", "date po 2021-01-10", {"w2"}),
    ("Observation", "date eq 2021-01-10", set()),
    ("Observation", "date po 2021-01-15", {"w2", "h1"}),
    ("Observation", "date po 2021", {"w2", "h1"}),
    ("Observation", "date po 2020", {"w1"}),
    ("Observation", "value-quantity gt 65", {"w1"}),
    ("Observation", "value-quantity lt 65", {"w2"}),
    ("Observation", "value-quantity ne 60", {"w1"}),
    # references
    ("Observation", "subject re Patient/peter", {"w1"}),
    ("Observation", "patient eq peter", {"w1"}),
    ("Observation", "patient ne peter", {"w2", "h1"}),
    # what the store keeps
    ("Patient", "_id eq ann", {"ann"}),
    ("Patient", "_id ne ann", {"peter", "petra"}),
    ("Patient", "_lastUpdated gt 2000", {"peter", "petra", "ann"}),
    ("Patient", "_lastUpdated lt 2000", set()),
    # logic
    ("Patient", "not (gender eq male)", {"petra", "ann"}),
    ("Patient", "gender eq male or birthdate pr false", {"peter", "ann"}),
    ("Patient", "gender eq male or gender eq female and birthdate pr true", {"peter", "petra"}),
    ("Patient", "gender eq male or (gender eq female and birthdate pr false)", {"peter", "ann"}),
    ("Patient", "not (gender eq male or birthdate pr false)", {"petra"}),
    ("Patient", "not (gender eq female and birthdate pr false)", {"peter", "petra"}),
    ("Patient", "gender eq female and not (given eq petra)", {"ann"}),
    ("Patient", "_id eq ann or _id eq peter or given eq nobody", {"ann", "peter"}),
    # chains, conditions on what is referred to, and reverse chains
    ("Observation", "patient.organization.name eq acme", {"w1"}),
    ("Observation", "subject:Patient.gender eq female", {"w2", "h1"}),
    ("Observation", "subject[gender eq female].birthdate pr true", {"w2"}),
    ("Observation", "subject[gender eq female and active eq false].name co et", {"w2"}),
    ("Observation", "patient[organization.name eq acme].gender eq male", {"w1"}),
    ("Observation", "not (patient.gender eq female)", {"w1"}),
    ("Observation", "patient.gender eq male or code eq 8302-2", {"w1", "h1"}),
    ("Observation", "patient.gender eq male or patient.active eq false", {"w1", "w2"}),
    ("Patient", f"_has:Observation:patient:code eq {LOINC}|29463-7", {"peter", "petra"}),
    ("Patient", "_has:Observation:patient:value-quantity gt 65", {"peter"}),
    ("Organization", "_has:Patient:organization:_has:Observation:patient:code eq 29463-7", {"org"}),
    ("Patient", "gender eq female and _has:Observation:patient:date po 2021-01-15",
     {"petra", "ann"}),
]  # fmt: skip


@pytest.fixture(scope="module")
async def world(start: Start, anyio_backend: str) -> Any:
    async with start() as server:
        for resource in WORLD:
            await server.update(resource)
        yield server


@pytest.mark.parametrize(("type_", "filter_", "expected"), FINDS, ids=[case[1] for case in FINDS])
async def test_a_filter_finds(world: Server, type_: str, filter_: str, expected: set[str]) -> None:
    query = await world.client.get(type_, params={"_filter": filter_})
    assert query.status_code == 200, query.text
    found = [entry["resource"]["id"] for entry in query.json().get("entry", ())]
    assert sorted(found) == sorted(expected)


async def test_a_filter_goes_with_other_parameters_and_behind_chains(world: Server) -> None:
    found = await world.found('Patient?_filter=given co "et"&gender=female')
    assert [each["id"] for each in found] == ["petra"]
    found = await world.found("Observation?patient._filter=gender eq male or active eq false")
    assert {each["id"] for each in found} == {"w1", "w2"}
    found = await world.found("Patient?_filter=gender eq female&_filter=birthdate pr false")
    assert [each["id"] for each in found] == ["ann"]


REFUSED = [
    ("Patient", "gender equals male", "invalid", "_filter: at character 8 an operator"),
    ("Patient", "nam eq x", "not-supported", "Patient has no search parameter 'nam'. Did you mean"),
    ("Patient", "gender gt male", "not-supported", "gender is a token, and takes eq, ne, pr"),
    ("Patient", "name ew er", "not-supported", "name is a string, and takes eq, ne, co, sw, pr."),
    ("Patient", "birthdate eq someday", "invalid", "'eqsomeday' is no value"),
    ("Patient", "birthdate pr maybe", "invalid", "pr is followed by true or false"),
    ("Patient", "name[given eq x].family eq y", "not-supported", "name[…] is not supported"),
    ("Patient", "gender.x eq y", "not-supported", "gender of Patient is a token, no reference"),
    ("Observation", "subject:Practitioner.name eq y", "not-supported", "not to Practitioner."),
    ("Observation", "subject.zzz eq y", "not-supported", "none of them has a search parameter"),
    ("Patient", "_has:Observation:code eq y", "not-supported", "_has is written _has:Type"),
    ("Patient", "_id gt y", "not-supported", "Not supported: '_id gt y'"),
]


@pytest.mark.parametrize(
    ("type_", "filter_", "code", "message"), REFUSED, ids=[case[1] for case in REFUSED]
)
async def test_a_filter_that_cannot_be_is_refused(
    world: Server, type_: str, filter_: str, code: str, message: str
) -> None:
    response = await world.client.get(type_, params={"_filter": filter_})
    (issue,) = response.json()["issue"]
    assert (response.status_code, issue["code"]) == (400, code)
    assert issue["diagnostics"].startswith("_filter: ")
    assert message in issue["diagnostics"]
