"""What terminology operations tell, beyond what the public cases compare."""

from typing import Any

import pytest

from tests.support.search_tables import labelled, load
from tests.support.server import Server
from tests.support.terminologies import SETS, code_system, concept, of, value_set

pytestmark = pytest.mark.anyio

SYSTEM, OTHER = "http://example.org/cs/answers", "http://example.org/cs/others"
ACTS = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def values(answer: dict[str, Any], name: str) -> list[Any]:
    """All values of a parameter of an answer; of one with parts, those by name."""
    found = []
    for each in answer["parameter"]:
        if each["name"] == name and "part" in each:
            found.append({part["name"]: value(part) for part in each["part"]})
        elif each["name"] == name:
            found.append(value(each))
    return found


def value(parameter: dict[str, Any]) -> Any:
    return next(content for name, content in parameter.items() if name != "name")


async def ask(server: Server, path: str) -> dict[str, Any]:
    response = await server.get(path.replace("?fhir_vs", "%3Ffhir_vs"))
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_lookup_tells_where_a_code_stands(server: Server) -> None:
    answer = await ask(server, f"CodeSystem/$lookup?system={ACTS}&code=_ActAccountCode")
    only = await ask(server, f"CodeSystem/$lookup?system={ACTS}&code=AMB&property=parent")

    assert values(answer, "name") == ["v3.ActCode"]
    assert values(answer, "abstract") == [True]
    children = [each for each in values(answer, "property") if each["code"] == "child"]
    assert {"code": "child", "value": "ACCTRECEIVABLE", "description": "account receivable"} in (
        children
    )
    assert [each["value"] for each in values(only, "property")] == ["_ActEncounterCode"]


async def test_an_answer_changes_as_soon_as_a_definition_does(server: Server) -> None:
    system = {"resourceType": "CodeSystem", "id": "at-once", **code_system(SYSTEM, concept("a"))}
    listed = {"resourceType": "ValueSet", "id": "at-once", **value_set("at-once", of(SYSTEM))}
    await server.update(system)
    await server.update(listed)
    path = f"ValueSet/$validate-code?url={SETS}/at-once&system={SYSTEM}&code=b"

    assert values(await ask(server, path), "result") == [False]
    await server.update({**system, "concept": [{"code": "a"}, {"code": "b"}]})
    assert values(await ask(server, path), "result") == [True]
    await server.update({**listed, "compose": {"include": [of(SYSTEM, "a")]}})
    assert values(await ask(server, path), "result") == [False]
    await server.delete("ValueSet/at-once")
    assert (await server.get(path)).status_code == 404


async def test_a_code_system_that_is_not_here_is_told_and_no_yes(server: Server) -> None:
    by_rule = {"resourceType": "ValueSet", **value_set("rule", of(OTHER))}
    listing = {"resourceType": "ValueSet", **value_set("list", of(OTHER, "a"))}
    coding = {"name": "coding", "valueCoding": {"system": OTHER, "code": "a"}}

    async def asked(resource: dict[str, Any]) -> dict[str, Any]:
        given = [coding, {"name": "valueSet", "resource": resource}]
        body = {"resourceType": "Parameters", "parameter": given}
        answer: dict[str, Any] = (await server.post("ValueSet/$validate-code", body)).json()
        return answer

    unknown, known = await asked(by_rule), await asked(listing)
    assert values(unknown, "result") == [False]
    assert values(unknown, "x-caused-by-unknown-system") == [OTHER]
    assert values(known, "result") == [True]


RULES = [
    ("urn:ietf:bcp:13", "text/plain", True),
    ("urn:ietf:bcp:13", "application/fhir+json;fhirVersion=4.0", True),
    ("urn:ietf:bcp:13", 'text/plain; charset="utf-8"', True),
    ("urn:ietf:bcp:13", "text", False),
    ("urn:ietf:bcp:13", "food/plain", False),
    ("urn:ietf:bcp:13", "text/plain;", False),
    ("urn:ietf:bcp:47", "de-CH", True),
    ("urn:ietf:bcp:47", "zh-Hant-TW", True),
    ("urn:ietf:bcp:47", "sl-rozaj-biske-1994", True),
    ("urn:ietf:bcp:47", "de-DE-u-co-phonebk", True),
    ("urn:ietf:bcp:47", "x-whatever", True),
    ("urn:ietf:bcp:47", "d", False),
    ("urn:ietf:bcp:47", "de_CH", False),
    ("urn:ietf:bcp:47", "de-", False),
    ("http://unitsofmeasure.org", "mmol/L", True),
    ("http://unitsofmeasure.org", "mm[Hg]", True),
    ("http://unitsofmeasure.org", "{score}", True),
    ("http://unitsofmeasure.org", "mmHg", False),
    ("http://unitsofmeasure.org", "Celsius", False),
    ("urn:iso:std:iso:4217", "EUR", True),
    ("urn:iso:std:iso:4217", "eur", False),
    ("urn:iso:std:iso:3166", "CH", True),
]


@pytest.mark.parametrize(("system", "code", "result"), RULES)
async def test_codes_are_checked_by_rule(
    server: Server, system: str, code: str, result: object
) -> None:
    coding = {"name": "coding", "valueCoding": {"system": system, "code": code}}
    named = {"name": "url", "valueUri": f"{system}?fhir_vs"}
    for operation, given in (
        ("CodeSystem/$validate-code", [coding]),
        ("ValueSet/$validate-code", [coding, named]),
    ):
        body = {"resourceType": "Parameters", "parameter": given}
        response = await server.post(operation, body)
        assert values(response.json(), "result") == [result], operation


MAP: dict[str, Any] = {
    "resourceType": "ConceptMap",
    "url": f"{SETS}/map",
    "status": "active",
    "group": [
        {
            "source": SYSTEM,
            "target": OTHER,
            "element": [
                {
                    "code": "a",
                    "target": [
                        {"code": "1", "equivalence": "wider"},
                        {
                            "code": "2",
                            "equivalence": "equal",
                            "dependsOn": [{"property": "http://e.org/sex", "value": "female"}],
                        },
                    ],
                },
                {"code": "b", "target": [{"equivalence": "unmatched"}]},
            ],
            "unmapped": {"mode": "other-map", "url": f"{SETS}/next"},
        }
    ],
}


async def test_a_translation_depends_on_what_it_says_and_goes_on_in_other_maps(
    server: Server,
) -> None:
    following = {
        **MAP,
        "url": f"{SETS}/next",
        "group": [{"source": SYSTEM, "target": OTHER, "unmapped": {"mode": "provided"}}],
    }
    sex = {"coding": [{"code": "female"}]}
    dependency = {
        "name": "dependency",
        "part": [
            {"name": "element", "valueUri": "http://e.org/sex"},
            {"name": "concept", "valueCodeableConcept": sex},
        ],
    }

    async def translated(code: str, *given: dict[str, Any]) -> tuple[bool, list[tuple[str, Any]]]:
        parameters = [
            {"name": "coding", "valueCoding": {"system": SYSTEM, "code": code}},
            {"name": "conceptMap", "resource": MAP},
            {"name": "tx-resource", "resource": following},
            *given,
        ]
        body = {"resourceType": "Parameters", "parameter": parameters}
        response = await server.post("ConceptMap/$translate", body)
        assert response.status_code == 200, response.text
        matches = values(response.json(), "match")
        (result,) = values(response.json(), "result")
        told = [(each["equivalence"], each.get("concept", {}).get("code")) for each in matches]
        return result, told

    assert await translated("a") == (True, [("wider", "1")])
    assert await translated("a", dependency) == (True, [("wider", "1"), ("equal", "2")])
    assert await translated("b") == (False, [("unmatched", None)])
    assert await translated("other") == (True, [("equal", "other")])


async def test_maps_that_lead_back_to_themselves_are_refused(server: Server) -> None:
    (group,) = MAP["group"]
    circle = {**MAP, "group": [{**group, "unmapped": {"mode": "other-map", "url": f"{SETS}/map"}}]}
    await load(server, labelled("ConceptMap", {"circle": circle}))
    response = await server.get(f"ConceptMap/$translate?url={SETS}/map&system={SYSTEM}&code=other")

    assert response.status_code == 400
    assert response.json()["issue"][0]["code"] == "processing"
