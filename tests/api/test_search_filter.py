"""https://hl7.org/fhir/R4/search_filter.html: what `_filter` finds and refuses"""

from typing import Any

import pytest

from tests.support.server import Server, Start

pytestmark = pytest.mark.anyio

LOINC = "http://loinc.org"


def _patient(id_: str, *given: str, family: str = "", **members: Any) -> dict[str, Any]:
    name = {**({"given": list(given)} if given else {}), **({"family": family} if family else {})}
    named = {"name": [name]} if name else {}
    return {"resourceType": "Patient", "id": id_, **named, **members}


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


PERCENT = {"system": "http://unitsofmeasure.org", "code": "%"}
WORLD: list[dict[str, Any]] = [
    _patient("long", address=[{"city": "a" * 200 + "b" * 100}], deceasedBoolean=True),
    {"resourceType": "RiskAssessment", "id": "risk", "status": "final",
     "subject": {"reference": "Patient/peter"},
     "prediction": [{"probabilityDecimal": 5.4}, {"probabilityRange": {
         "low": {"value": 20, **PERCENT}, "high": {"value": 30, **PERCENT}}}]},
    {"resourceType": "Group", "id": "group", "type": "person", "actual": False,
     "characteristic": [
         {"code": {"coding": [{"system": LOINC, "code": "a"}]}, "exclude": False,
          "valueCodeableConcept": {"coding": [{"code": "x"}]}},
         {"code": {"coding": [{"system": LOINC, "code": "b"}]}, "exclude": False,
          "valueCodeableConcept": {"coding": [{"code": "y"}]}}]},
    {"resourceType": "List", "id": "list", "status": "current", "mode": "working",
     "entry": [{"item": {"reference": "Patient/ann"}}]},
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
    ("Patient", "given ew er", {"peter"}),
    ("Patient", "given ew MARIE", {"ann"}),
    ("Patient", "given ew pet", set()),
    ("Patient", "name ew ER", {"peter", "petra"}),
    ("Patient", "family gt chalmers", {"petra"}),
    ("Patient", "family ge Chalmers", {"peter", "petra"}),
    ("Patient", "family lt muller", {"peter"}),
    ("Patient", "family le muller", {"peter", "petra"}),
    ("Patient", "family gt chal", {"peter", "petra"}),
    ("Patient", "given lt annabel", {"ann"}),
    (r"Organization", r'name eq "Acme"', {"org"}),
    # long texts: whole, by their end and their order
    ("Patient", "address-city pr true", {"long"}),
    ("Patient", f'address-city ew "{"b" * 64}"', {"long"}),
    ("Patient", f'address-city ew "{"b" * 63}a"', set()),
    ("Patient", f'address-city ew "{"a" * 64}"', set()),
    ("Patient", f'address-city eq "{"a" * 128}"', set()),
    ("Patient", f'address-city gt "{"a" * 128}"', {"long"}),
    ("Patient", f'address-city le "{"a" * 128}"', set()),
    # tokens
    ("Patient", "gender eq male", {"peter"}),
    ("Patient", "gender ne male", {"petra", "ann"}),
    ("Patient", "active ne true", {"petra"}),
    ("Patient", "active eq false", {"petra"}),
    ("Patient", "deceased eq TRUE", {"long"}),
    ("Observation", "code eq loinc|29463-7", {"w1", "w2"}),
    ("Observation", "code ne loinc|29463-7", {"h1"}),
    ("Observation", "code eq snomed|29463-7", set()),
    ("Observation", "code-value-quantity eq loinc|29463-7$gt65", {"w1"}),
    ("Observation", "value-quantity eq 70||kg", {"w1"}),
    # presence
    ("Patient", "birthdate pr true", {"peter", "petra"}),
    ("Patient", "birthdate pr false", {"ann", "long"}),
    ("Patient", "organization pr true", {"peter"}),
    ("Patient", "_id pr TRUE", {"peter", "petra", "ann", "long"}),
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
    ("Observation", "date co 2021-01-10", {"w2"}),
    ("Observation", "date co 2020-05-01", {"w1"}),
    ("Observation", "date co 2020-05-01T10:00:00Z", {"w1"}),
    ("Observation", "date co 2020-05", set()),
    ("RiskAssessment", "probability co 5.42", {"risk"}),
    ("RiskAssessment", "probability co 5.46", set()),
    ("RiskAssessment", "probability co 25", {"risk"}),
    ("RiskAssessment", "probability co 31", set()),
    ("RiskAssessment", "probability eq 5", {"risk"}),
    ("RiskAssessment", "probability ne 5", {"risk"}),
    ("Observation", "value-quantity gt 65", {"w1"}),
    ("Observation", "value-quantity lt 65", {"w2"}),
    ("Observation", "value-quantity ne 60", {"w1"}),
    # references
    ("Observation", "subject re Patient/peter", {"w1"}),
    ("Observation", "patient eq peter", {"w1"}),
    ("Observation", "patient ne peter", {"w2", "h1"}),
    # what the store keeps
    ("Patient", "_id eq ann", {"ann"}),
    ("Patient", "_id ne ann", {"peter", "petra", "long"}),
    ("Patient", "_list eq list", {"ann"}),
    ("Patient", "_list ne list", {"peter", "petra", "long"}),
    ("Patient", "_lastUpdated gt 2000", {"peter", "petra", "ann", "long"}),
    ("Patient", "_lastUpdated lt 2000", set()),
    ("Patient", "_lastUpdated po 2000", set()),
    ("Patient", "_lastUpdated pr false", set()),
    # logic
    ("Patient", "not (gender eq male)", {"petra", "ann", "long"}),
    ("Patient", "not (not (gender eq male))", {"peter"}),
    ("Patient", "gender eq male or birthdate pr false", {"peter", "ann", "long"}),
    ("Patient", "gender eq male or gender eq female and birthdate pr true", {"peter", "petra"}),
    ("Patient", "gender eq male or (gender eq female and birthdate pr false)", {"peter", "ann"}),
    ("Patient", "not (gender eq male or birthdate pr false)", {"petra"}),
    ("Patient", "not (gender eq female and birthdate pr false)", {"peter", "petra", "long"}),
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
    # what a filter has beside search parameters
    ("Group", "characteristic[code eq loinc|a].value eq x", {"group"}),
    ("Group", "characteristic[value eq x].code eq loinc|a", {"group"}),
    ("Group", "characteristic[code eq loinc|a].value eq y", set()),
    ("Patient", "gender eq female and _has:Observation:patient:date po 2021-01-15",
     {"petra", "ann"}),
]  # fmt: skip


@pytest.fixture(scope="module")
async def world(start: Start, anyio_backend: str) -> Any:
    async with start() as server:
        for resource in WORLD:
            await server.update(resource)
        yield server


@pytest.mark.parametrize(
    ("type_", "filter_", "expected"), FINDS, ids=[case[1][:60] for case in FINDS]
)
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
    found = await world.found('Observation?patient._filter=name eq "a,,b\\\\" or gender eq male')
    assert {each["id"] for each in found} == {"w1"}
    found = await world.found("Patient?_has:Observation:patient:_filter=code eq loinc|8302-2")
    assert [each["id"] for each in found] == ["ann"]
    found = await world.found("Patient?_filter=gender eq female&_filter=birthdate pr false")
    assert [each["id"] for each in found] == ["ann"]
    found = await world.found("Patient?_filter=gender eq female&_sort=-birthdate&_count=1")
    assert [each["id"] for each in found] == ["petra"]


async def test_a_filter_goes_wherever_a_search_goes(world: Server) -> None:
    found = await world.found("Patient/peter/Observation?_filter=code eq loinc|29463-7")
    assert [each["id"] for each in found] == ["w1"]
    found = await world.found("?_type=Patient,Organization&_filter=active eq true")
    assert {each["id"] for each in found} == {"peter", "org"}
    form = {"_filter": "given eq peter or gender eq female", "birthdate": "gt1970"}
    for path in ("Patient/_search", "_search"):
        extra = {} if path.startswith("Patient") else {"_type": "Patient"}
        response = await world.client.post(path, data=form | extra)
        assert response.status_code == 200, response.text
        ids = {entry["resource"]["id"] for entry in response.json()["entry"]}
        assert ids == {"peter", "petra"}


async def test_lenient_handling_leaves_out_a_filter_of_what_is_unknown(world: Server) -> None:
    lenient = {"Prefer": "handling=lenient"}
    unknown = await world.client.get("Patient?_filter=zzz eq 1", headers=lenient)
    outcomes = [each for each in unknown.json()["entry"] if each["search"]["mode"] == "outcome"]
    assert unknown.status_code == 200
    assert "_filter" in outcomes[0]["resource"]["issue"][0]["diagnostics"]
    wrong = await world.client.get("Patient?_filter=zzz eq", headers=lenient)
    assert wrong.status_code == 400


REFUSED = [
    ("Patient", r'name eq "\ud800"', "invalid", "a JSON string before this place"),
    ("Patient", r'_id eq "x\udfff"', "invalid", "a JSON string before this place"),
    ("Task", "focus." * 14 + "zzz eq 1", "too-costly", "more than 200 searches"),
    ("Patient", "gender equals male", "invalid", "at character 8 an operator"),
    ("Patient", "nam eq x", "not-supported",
     "at character 1: Patient has no search parameter 'nam'. Did you mean"),
    ("Patient", "gender eq male and nam eq x", "not-supported", "at character 20: Patient has no"),
    ("Patient", "gender gt male", "not-supported",
     "at character 8: gt is not supported for gender, which is a token and takes eq, ne, pr"),
    ("Patient", "name po er", "not-supported",
     "for name, which is a string and takes eq, ne, co, sw, ew, gt, lt, ge, le, pr."),
    ("Patient", "birthdate sw 19", "not-supported",
     "a date and takes eq, ne, co, gt, lt, ge, le, ap, sa, eb, pr, po."),
    ("Patient", "organization sw Org", "not-supported", "is a reference and takes eq, ne, pr, re."),
    ("Observation", "value-quantity co 5", "not-supported",
     "is a quantity and takes eq, ne, gt, lt, ge, le, ap, sa, eb, pr."),
    ("Patient", "birthdate eq someday", "invalid", "at character 14: 'someday' is no value"),
    ("Patient", "birthdate eq ge2014", "invalid",
     "at character 14: the operator says how to compare, so no prefix belongs in 'ge2014'."),
    ("Patient", "_lastUpdated eq ge2014", "invalid", "no prefix belongs in 'ge2014'."),
    ("Patient", "birthdate pr maybe", "invalid", "at character 14: pr is followed by true or"),
    ("Patient", "name:exact eq Peter", "not-supported", "at character 1: name:exact has a modif"),
    ("Patient", "name[given eq x].family eq y", "not-supported", "name of Patient is a string"),
    ("Patient", "gender.x eq y", "not-supported", "gender of Patient is a token, no reference"),
    ("Observation", "subject:Practitioner.name eq y", "not-supported", "not to Practitioner."),
    ("Observation", "subject.zzz eq y", "not-supported", "none of them has a search parameter"),
    ("Observation", "patient[zzz eq 1].name eq y", "not-supported", "at character 9: Patient has"),
    ("Observation", "patient.gender gt y", "not-supported", "at character 16: gt is not supported"),
    ("Patient", "_has:Observation:code eq y", "not-supported", "_has is written _has:Type"),
    ("Patient", "_id gt y", "not-supported", "_id, which is a token and takes eq, ne, pr."),
    ("Patient", f"address-city ew {'x' * 65}", "invalid", "at most 64 characters"),
    ("Group", "characteristic[code gt a].value eq x", "not-supported",
     "by its code and its value together, as in characteristic[code eq x].value eq y."),
    ("Observation", "related[type eq has-component].target pr true", "not-supported",
     "Observation has no search parameter 'related'"),
    ("Patient", "(" * 33 + "gender eq male" + ")" * 33, "too-costly", "at character 32 the filter"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "filter_", "code", "message"), REFUSED, ids=[case[1][:40] for case in REFUSED]
)
async def test_a_filter_that_cannot_be_is_refused(
    world: Server, type_: str, filter_: str, code: str, message: str
) -> None:
    response = await world.client.get(type_, params={"_filter": filter_})
    (issue,) = response.json()["issue"]
    assert (response.status_code, issue["code"]) == (400, code)
    assert issue["diagnostics"].startswith("_filter: at character ")
    assert message in issue["diagnostics"]
