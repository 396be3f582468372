"""https://hl7.org/fhir/R4/search.html: what is found"""

from typing import Any

import pytest

from tests.support.builders import SYSTEM, a_patient, an_observation, unique
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio


async def ids(server: Server, query: str) -> set[str]:
    return {found["id"] for found in await server.found(query)}


PATIENT: dict[str, Any] = {
    "active": True,
    "name": [{"use": "official", "family": "Müller-Strauß", "given": ["Zoë", "Ann Marie"]}],
    "gender": "female",
    "birthDate": "1980-02-29",
    "telecom": [{"system": "phone", "value": "+49 30 1234"}],
    "address": [{"city": "São Paulo", "country": "BR", "line": ["Rua 5"]}],
    "generalPractitioner": [{"reference": "Practitioner/gp-1"}],
    "managingOrganization": {"reference": f"{BASE}/Organization/org-1"},
    "meta": {
        "tag": [{"system": f"{SYSTEM}/tag", "code": "blue"}],
        "profile": ["https://example.org/StructureDefinition/p"],
        "source": "https://example.org/source/1",
    },
}

FINDS = [
    # token
    "gender=female",
    "gender=http://hl7.org/fhir/administrative-gender|female",
    "active=true",
    "telecom=%2B49 30 1234",
    "phone=%2B49 30 1234",
    "_tag=blue",
    f"_tag={SYSTEM}/tag|blue",
    f"_tag={SYSTEM}/tag|",
    "gender=male,female",
    # string
    "family=müller",
    "family=MULLER",
    "family=Müller-Strauss",
    "given=zoe",
    "given=ann",
    "name=muller",
    "name=Ann Marie",
    "address-city=sao",
    "address=rua",
    "address-country=br",
    # reference
    "general-practitioner=gp-1",
    "general-practitioner=Practitioner/gp-1",
    f"general-practitioner={BASE}/Practitioner/gp-1",
    "organization=Organization/org-1",
    "organization=org-1",
    # uri
    "_profile=https://example.org/StructureDefinition/p",
    "_source=https://example.org/source/1",
    # date
    "birthdate=1980-02-29",
    "birthdate=1980-02",
    "birthdate=1980",
    "birthdate=eq1980",
    "birthdate=ne1981",
    "birthdate=gt1980-02-28",
    "birthdate=ge1980-02-29",
    "birthdate=lt1980-03",
    "birthdate=le1980-02-29",
    "birthdate=sa1979",
    "birthdate=eb1981",
    # repetition: both hold
    "birthdate=ge1980&birthdate=lt1981",
    "given=zoe&given=ann",
    "gender=female&active=true",
]

FINDS_NOT = [
    "gender=male",
    "gender=http://example.org|female",
    "active=false",
    "telecom=phone|1234",
    "_tag=red",
    f"_tag={SYSTEM}|blue",
    "family=uller",
    "given=marie",
    "family=zoe",
    "address-city=paulo",
    "general-practitioner=Patient/gp-1",
    "general-practitioner=gp",
    "general-practitioner=https://elsewhere.example/Practitioner/gp-1",
    "_profile=https://example.org/StructureDefinition",
    "_source=https://example.org/source",
    "birthdate=1980-03",
    "birthdate=1981",
    "birthdate=ne1980",
    "birthdate=gt1980-02-29",
    "birthdate=lt1980-02-29",
    "birthdate=sa1980",
    "birthdate=eb1980",
    "birthdate=ge1981,lt1980",
    "given=zoe&given=bob",
    "gender=female&active=false",
]


@pytest.mark.parametrize("query", FINDS)
async def test_a_search_finds(server: Server, query: str) -> None:
    mark = unique()
    id_ = (await server.create(a_patient(mark) | PATIENT))["id"]
    await server.create(a_patient(unique()) | PATIENT)

    assert await ids(server, f"Patient?identifier={mark}&{query}") == {id_}
    assert id_ in await ids(server, f"Patient?{query}&_count=1000")


@pytest.mark.parametrize("query", FINDS_NOT)
async def test_a_search_does_not_find(server: Server, query: str) -> None:
    mark = unique()
    id_ = (await server.create(a_patient(mark) | PATIENT))["id"]

    assert await ids(server, f"Patient?identifier={mark}&{query}") == set()
    assert id_ not in await ids(server, f"Patient?{query}&_count=1000")


async def test_values_with_separators_are_escaped(server: Server) -> None:
    mark = unique()
    code = {"coding": [{"system": f"{SYSTEM}/a,b", "code": "M|,$\\x"}]}
    id_ = (await server.create(an_observation(mark=mark, code=code)))["id"]

    # Each sign of M|,$\x would separate something.
    query = f"Observation?identifier={mark}&code="
    assert await ids(server, query + r"M\|\,\$\\x") == {id_}
    assert await ids(server, query + r"x,M\|\,\$\\x") == {id_}
    assert await ids(server, query + f"{SYSTEM}/a\\,b" + r"|M\|\,\$\\x") == {id_}
    assert await ids(server, query + r"M\|\,\$") == set()


async def test_a_comma_separates_alternatives(server: Server) -> None:
    one, two = unique(), unique()
    first = await server.create(a_patient(one))
    second = await server.create(a_patient(two))

    assert await ids(server, f"Patient?identifier={one},{two},{unique()}") == {
        first["id"],
        second["id"],
    }


async def test_ids_are_searched_for(server: Server) -> None:
    first, second = await server.create(a_patient()), await server.create(a_patient())
    gone = await server.create(a_patient())
    await server.delete(f"Patient/{gone['id']}")

    listed = f"{first['id']},{second['id']},{gone['id']},never-was"
    assert await ids(server, f"Patient?_id={first['id']}") == {first["id"]}
    assert await ids(server, f"Patient?_id={listed}") == {first["id"], second["id"]}
    assert await ids(server, f"Patient?_id={first['id']}&_id={second['id']}") == set()
    assert await ids(server, f"Observation?_id={first['id']}") == set()


async def test_the_time_of_the_last_change_is_searched_for(server: Server) -> None:
    mark = unique()
    first = await server.create(a_patient(mark))
    second = await server.create(a_patient(mark))
    earlier, later = (each["meta"]["lastUpdated"] for each in (first, second))
    query = f"Patient?identifier={mark}&_lastUpdated="

    assert await ids(server, f"{query}{earlier}") >= {first["id"]}
    assert await ids(server, f"{query}ge{earlier}") == {first["id"], second["id"]}
    assert first["id"] not in await ids(server, f"{query}gt{earlier}")
    assert await ids(server, f"{query}le{later}") == {first["id"], second["id"]}
    assert second["id"] not in await ids(server, f"{query}lt{later}")
    assert await ids(server, f"{query}lt2020") == set()
    assert await ids(server, f"{query}{earlier[:10]}") >= {first["id"]}


async def test_a_zone_in_a_date_counts(server: Server) -> None:
    mark = unique()
    observation = an_observation(mark=mark, effectiveDateTime="2024-01-01T00:30:00+02:00")
    id_ = (await server.create(observation))["id"]

    assert await ids(server, f"Observation?identifier={mark}&date=2023-12-31") == {id_}
    assert await ids(server, f"Observation?identifier={mark}&date=2024-01-01") == set()
    assert await ids(server, f"Observation?identifier={mark}&date=2024-01-01T00:30:00%2B02:00") == {
        id_
    }


async def test_a_patients_observations_are_found_by_code_and_date(server: Server) -> None:
    patient = (await server.create(a_patient()))["id"]
    old, new = [
        await server.create(an_observation(f"Patient/{patient}", effectiveDateTime=day))
        for day in ("2023-05-01", "2024-05-01")
    ]
    await server.create(an_observation("Patient/other", effectiveDateTime="2024-05-01"))

    query = f"Observation?patient={patient}&code=http://loinc.org|29463-7"
    assert await ids(server, query) == {old["id"], new["id"]}
    assert await ids(server, f"{query}&date=ge2024") == {new["id"]}
    assert await ids(server, f"Observation?subject=Patient/{patient}&date=lt2024") == {old["id"]}
    assert await ids(server, f"Observation?patient={patient}&code=other") == set()


async def test_an_update_moves_a_resource_from_one_search_to_the_other(server: Server) -> None:
    before, after = unique(), unique()
    stored = await server.create(a_patient(before))

    await server.update(stored | {"identifier": [{"value": after}]})

    assert await ids(server, f"Patient?identifier={before}") == set()
    assert await ids(server, f"Patient?identifier={after}") == {stored["id"]}


async def test_what_is_contained_is_not_found(server: Server) -> None:
    mark = unique()
    await server.create(an_observation(contained=[a_patient(mark, id="inner")]))

    assert await ids(server, f"Patient?identifier={mark}") == set()


async def test_texts_that_look_like_operators_are_texts(server: Server) -> None:
    mark = unique()
    for text in ('{"$gt":""}', "$where", "%", "_", "' or '1'='1", "\\\\", "*", "a.b", "[$ne]"):
        stored = await server.create(a_patient(mark, name=[{"family": text}]))
        found = await server.client.get(
            "Patient", params={"identifier": mark, "family": text, "_id": stored["id"]}
        )
        assert [e["resource"]["id"] for e in found.json()["entry"]] == [stored["id"]], text
    other = await server.client.get("Patient", params={"identifier": mark, "family": "zzz%"})
    assert other.json()["total"] == 0
