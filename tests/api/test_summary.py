"""https://hl7.org/fhir/R4/search.html#summary and #elements: a part in place of the whole"""

from typing import Any

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import unique
from tests.support.server import ON_ONE_STORE, Server

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]

SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
OWN_TAG = {"system": "http://example.org", "code": "kept"}
TEXT = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
REASON = {"extension": [{"url": "http://example.org/e", "valueString": "x"}]}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "meta": {"tag": [OWN_TAG]},
    "text": TEXT,
    "contained": [{"resourceType": "Patient", "id": "p"}],
    "extension": [{"url": "http://example.org/e", "valueString": "x"}],
    "modifierExtension": [{"url": "http://example.org/m", "valueString": "not"}],
    "status": "final",
    "_status": REASON,
    "code": {"coding": [{"system": "http://a", "code": "b"}], "extension": REASON["extension"]},
    "subject": {"reference": "#p"},
    "valueQuantity": {"value": 1.50, "unit": "kg", "extension": REASON["extension"]},
    "note": [{"text": "a note"}],
    "method": {"text": "by hand"},
    "component": [
        {"code": {"text": "c"}, "valueString": "d", "interpretation": [{"text": "high"}]}
    ],
}
WHOLE = set(OBSERVATION) - {"resourceType"} | {"id"}
SUMMARY = {"id", "meta", "modifierExtension", "status", "_status", "code", "subject"}
SUMMARY |= {"valueQuantity", "component"}
MANDATORY = {"id", "meta", "status", "_status", "code"}

FORMS = [
    ("_summary=false", WHOLE),
    ("_summary=true", SUMMARY),
    ("_summary=data", WHOLE - {"text"}),
    ("_summary=text", MANDATORY | {"text"}),
    ("_elements=note", MANDATORY | {"note", "modifierExtension"}),
    ("_elements=value,method", MANDATORY | {"valueQuantity", "method", "modifierExtension"}),
    ("_elements=value[x]", MANDATORY | {"valueQuantity", "modifierExtension"}),
    ("_elements=valueQuantity", MANDATORY | {"valueQuantity", "modifierExtension"}),
    ("_elements=valueString", MANDATORY | {"modifierExtension"}),
    ("_elements=id", MANDATORY | {"modifierExtension"}),
]


@pytest.mark.parametrize(("form", "members"), FORMS)
async def test_a_form_has_its_members_and_what_must_be_there(
    server: Server, form: str, members: set[str]
) -> None:
    stored = await server.create(OBSERVATION)
    path = f"Observation/{stored['id']}"
    (found,) = await server.found(f"Observation?_id={stored['id']}&{form}")
    (past,) = await server.found(f"{path}/_history?{form}")
    read = (await server.get(f"{path}?{form}")).json()
    vread = (await server.get(f"{path}/_history/1?{form}")).json()

    assert set(found) == members | {"resourceType"}
    assert read == vread == found == past
    tags = [OWN_TAG] if form == "_summary=false" else [OWN_TAG, SUBSETTED]
    assert found["meta"] == {**stored["meta"], "tag": tags}


async def test_a_summary_looks_below_the_top(server: Server) -> None:
    id_ = (await server.create(OBSERVATION))["id"]
    response = await server.get(f"Observation/{id_}?_summary=true")

    found = response.json()
    assert found["code"] == {"coding": [{"system": "http://a", "code": "b"}]}
    assert found["component"] == [{"code": {"text": "c"}, "valueString": "d"}]
    assert found["_status"] == REASON
    assert '"value":1.5,' in response.text or '"value":1.50,' in response.text


async def test_decimals_keep_their_digits(server: Server) -> None:
    body = (
        b'{"resourceType":"Observation","status":"final","code":{"text":"x"},'
        b'"valueQuantity":{"value":1.5000}}'
    )
    id_ = (await server.post("Observation", body)).json()["id"]
    for form in ("_summary=true", "_summary=data", "_elements=value"):
        assert '"value":1.5000' in (await server.get(f"Observation/{id_}?{form}")).text


async def test_what_is_included_is_shown_in_the_same_form(server: Server) -> None:
    patient = (await server.create({"resourceType": "Patient", "text": TEXT}))["id"]
    mark = unique()
    await server.create(
        OBSERVATION
        | {"subject": {"reference": f"Patient/{patient}"}}
        | {"identifier": [{"value": mark}]}
    )

    found = await server.found(
        f"Observation?identifier={mark}&_include=Observation:subject&_summary=data"
    )

    assert len(found) == 2
    assert all("text" not in each and SUBSETTED in each["meta"]["tag"] for each in found)


REFUSED = [
    (
        "Observation?_elements=nte",
        "_elements: Observation has no element 'nte'. Did you mean no",
    ),
    ("Observation?_elements=zzz", "_elements: Observation has no element 'zzz'."),
    ("?_type=Patient,Encounter&_elements=zzz", "_elements: Every type searched is without an el"),
    ("Observation/x?_elements=zzz", "_elements: Observation has no element 'zzz'."),
    ("Observation/_history?_elements=zzz", "_elements: Observation has no element 'zzz'."),
]


@pytest.mark.parametrize(("query", "words"), REFUSED)
async def test_an_element_that_is_none_is_refused(server: Server, query: str, words: str) -> None:
    response = await server.get(query)

    assert response.status_code == 400
    (issue,) = response.json()["issue"]
    assert issue["code"] == "not-supported"
    assert issue["diagnostics"].startswith(words)


async def test_text_and_inclusions_exclude_each_other(server: Server) -> None:
    assert_issue(
        await server.get("Observation?_summary=text&_include=Observation:subject"),
        400,
        "invalid",
        "_summary=text cannot be asked for together with _include or _revinclude.",
    )


@pytest.mark.parametrize("how", ["_summary=count", "_count=0"])
async def test_a_count_has_no_entries(server: Server, how: str) -> None:
    mark = unique()
    await server.create(OBSERVATION | {"identifier": [{"value": mark}]})

    found = (await server.get(f"Observation?identifier={mark}&{how}&_sort=-code")).json()

    assert found["total"] == 1
    assert "entry" not in found
    assert [each["relation"] for each in found["link"]] == ["self"]
