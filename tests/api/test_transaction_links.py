"""https://hl7.org/fhir/R4/http.html#trules: links between the entries of a transaction"""

from typing import Any

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import (
    a_create,
    a_patient,
    a_transaction,
    an_entry,
    an_observation,
    an_update,
    unique,
    urn,
)
from tests.support.custom_parameters import a_parameter
from tests.support.server import Server

pytestmark = pytest.mark.anyio

REPRESENTATION = {"prefer": "return=representation"}


async def stored(server: Server, *entries: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources that a transaction of these entries stored, in their order."""
    response = await server.post("", a_transaction(*entries), **REPRESENTATION)
    assert response.status_code == 200, response.text
    return [entry["resource"] for entry in response.json()["entry"]]


def reference(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


async def test_a_urn_becomes_the_id_that_the_server_gave(server: Server) -> None:
    url = urn()

    patient, observation = await stored(
        server, a_create(a_patient(), url), a_create(an_observation(url))
    )

    assert observation["subject"]["reference"] == reference(patient)
    assert (await server.get(reference(observation))).json() == observation


async def test_the_order_of_entries_does_not_matter(server: Server) -> None:
    url = urn()

    observation, patient = await stored(
        server, a_create(an_observation(url)), a_create(a_patient(), url)
    )

    assert observation["subject"]["reference"] == reference(patient)


async def test_entries_may_point_at_each_other_and_at_themselves(server: Server) -> None:
    one, two = urn(), urn()

    first, second = await stored(
        server,
        a_create(a_patient(link=[{"other": {"reference": two}, "type": "seealso"}]), one),
        a_create(
            a_patient(
                link=[
                    {"other": {"reference": one}, "type": "seealso"},
                    {"other": {"reference": two}, "type": "seealso"},
                ]
            ),
            two,
        ),
    )

    assert first["link"][0]["other"]["reference"] == reference(second)
    assert [link["other"]["reference"] for link in second["link"]] == [
        reference(first),
        reference(second),
    ]


async def test_a_urn_may_be_of_an_updated_resource(server: Server) -> None:
    url, id_ = urn(), unique("mine")

    _, observation = await stored(
        server, an_update(a_patient(id=id_), url), a_create(an_observation(url))
    )

    assert observation["subject"]["reference"] == f"Patient/{id_}"


async def test_a_urn_may_be_of_what_a_condition_finds(server: Server) -> None:
    created, updated = unique(), unique()
    there = await server.create(a_patient(created))
    other = await server.create(a_patient(updated))
    one, two = urn(), urn()

    *_, observation = await stored(
        server,
        a_create(a_patient(created), one, ifNoneExist=f"identifier={created}"),
        an_entry("PUT", f"Patient?identifier={updated}", a_patient(updated), two),
        a_create(an_observation(one, focus=[{"reference": two}])),
    )

    assert observation["subject"]["reference"] == reference(there)
    assert observation["focus"][0]["reference"] == reference(other)


async def test_a_urn_may_be_of_the_second_of_two_with_the_same_condition(server: Server) -> None:
    mark, one, two = unique(), urn(), urn()

    first, _, observation = await stored(
        server,
        a_create(a_patient(mark), one, ifNoneExist=f"identifier={mark}"),
        a_create(a_patient(mark), two, ifNoneExist=f"identifier={mark}"),
        a_create(an_observation(two)),
    )

    assert observation["subject"]["reference"] == reference(first)


async def test_an_absolute_url_becomes_the_id_that_the_server_gave(server: Server) -> None:
    url = "https://elsewhere.example/fhir/Patient/7"

    patient, observation = await stored(
        server, a_create(a_patient(), url), a_create(an_observation(url))
    )

    assert observation["subject"]["reference"] == reference(patient)


async def test_a_relative_reference_is_relative_to_the_full_url_of_its_entry(
    server: Server,
) -> None:
    root = "https://elsewhere.example/fhir"

    patient, near, far = await stored(
        server,
        a_create(a_patient(), f"{root}/Patient/7"),
        a_create(an_observation("Patient/7"), f"{root}/Observation/1"),
        a_create(an_observation("Patient/7"), "https://other.example/fhir/Observation/1"),
    )

    assert near["subject"]["reference"] == reference(patient)
    assert far["subject"]["reference"] == "Patient/7"


async def test_links_are_followed_inside_extensions_and_contained_resources(
    server: Server,
) -> None:
    url = urn()
    extension = {"url": "https://example.org/e", "valueReference": {"reference": url}}
    inner = {
        "resourceType": "Encounter",
        "id": "inner",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": url},
        "extension": [{"url": "https://example.org/n", "extension": [extension]}],
    }

    patient, observation = await stored(
        server,
        a_create(a_patient(), url),
        a_create(
            an_observation(
                contained=[inner],
                extension=[extension],
                _status={"extension": [extension]},
                encounter={"reference": "#inner"},
            )
        ),
    )

    expected = {"reference": reference(patient)}
    contained = observation["contained"][0]
    assert observation["extension"][0]["valueReference"] == expected
    assert observation["_status"]["extension"][0]["valueReference"] == expected
    assert contained["subject"] == expected
    assert contained["extension"][0]["extension"][0]["valueReference"] == expected
    assert observation["encounter"] == {"reference": "#inner"}


async def test_elements_that_hold_a_uri_are_links_too(server: Server) -> None:
    url = urn()

    binary, document, provenance = await stored(
        server,
        a_create({"resourceType": "Binary", "contentType": "text/plain"}, url),
        a_create(
            {
                "resourceType": "DocumentReference",
                "status": "current",
                "content": [{"attachment": {"url": url}}],
            }
        ),
        a_create(
            {
                "resourceType": "Provenance",
                "target": [{"reference": url}],
                "recorded": "2024-01-01T00:00:00Z",
                "policy": ["https://example.org/policy", url],
                "agent": [{"who": {"display": "x"}}],
                "extension": [{"url": "https://example.org/e", "valueUri": url}],
            }
        ),
    )

    assert document["content"][0]["attachment"]["url"] == reference(binary)
    assert provenance["target"][0]["reference"] == reference(binary)
    assert provenance["policy"] == ["https://example.org/policy", reference(binary)]
    assert provenance["extension"][0]["valueUri"] == reference(binary)


async def test_a_url_is_a_link_to_an_entry_of_another_server_but_a_name_is_none(
    server: Server,
) -> None:
    url = "https://elsewhere.example/fhir/Binary/7"
    code = {"coding": [{"system": url, "code": "a system may be called anything"}]}

    binary, document = await stored(
        server,
        a_create({"resourceType": "Binary", "contentType": "text/plain"}, url),
        a_create(
            {
                "resourceType": "DocumentReference",
                "status": "current",
                "type": code,
                "extension": [{"url": url, "valueUrl": url}],
                "content": [{"attachment": {"url": url}}],
            }
        ),
    )

    assert document["content"][0]["attachment"]["url"] == reference(binary)
    assert document["extension"][0] == {"url": url, "valueUrl": reference(binary)}
    assert document["type"] == code


async def test_texts_canonicals_and_narrative_are_left_alone(server: Server) -> None:
    url = urn()
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{url}">{url}</a></div>'
    sent = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": url,
        "text": {"status": "generated", "div": div},
        "item": [{"linkId": url, "text": url, "answer": [{"valueString": url}]}],
        "identifier": {"system": "urn:ietf:rfc:3986", "value": url},
    }

    _, response = await stored(server, a_create(a_patient(), url), a_create(sent))

    assert {name: response[name] for name in sent} == sent


async def test_the_canonical_url_of_a_definition_is_its_own(server: Server) -> None:
    """Packages of definitions have each one's canonical url for its fullUrl."""
    url = f"https://example.org/fhir/SearchParameter/{unique()}"
    component = f"https://example.org/fhir/SearchParameter/{unique()}"

    part, whole = await stored(
        server,
        a_create(a_parameter("part", "x", status="retired", url=component), component),
        a_create(
            a_parameter(
                "whole",
                "x",
                status="retired",
                url=url,
                derivedFrom=component,
                component=[{"definition": component, "expression": "x"}],
                contained=[{"resourceType": "ValueSet", "status": "active", "url": url}],
            ),
            url,
        ),
    )

    assert part["url"] == component
    assert whole["url"] == url
    assert whole["derivedFrom"] == component
    assert whole["component"][0]["definition"] == component
    assert whole["contained"][0]["url"] == url


async def test_a_dangling_urn_is_refused_with_its_place(server: Server) -> None:
    patient, dangling, mark = urn(), urn(), unique()

    response = await server.post(
        "",
        a_transaction(
            a_create(a_patient(mark), patient),
            a_create(
                an_observation(patient, performer=[{"display": "x"}, {"reference": dangling}])
            ),
        ),
    )

    assert_issue(
        response,
        400,
        "invalid",
        f"Entry 1, POST Observation: No entry of the transaction has the fullUrl {dangling}.",
        "Bundle.entry[1].resource.performer[1].reference",
    )
    assert await server.found(f"Patient?identifier={mark}") == []


async def test_a_urn_of_what_is_deleted_dangles(server: Server) -> None:
    doomed, url = await server.create(a_patient()), urn()

    response = await server.post(
        "",
        a_transaction(
            an_entry("DELETE", reference(doomed), full_url=url), a_create(an_observation(url))
        ),
    )

    assert_issue(
        response,
        400,
        "invalid",
        f"Entry 1, POST Observation: No entry of the transaction has the fullUrl {url}.",
        "Bundle.entry[1].resource.subject.reference",
    )


async def test_other_references_are_kept_as_they_are(server: Server) -> None:
    for kept in ("Patient/1", "#", "https://elsewhere.example/fhir/Patient/1", "urn:isbn:1"):
        (observation,) = await stored(server, a_create(an_observation(kept)))
        assert observation["subject"] == {"reference": kept}


@pytest.mark.parametrize("type_", [["x"], 5, {"a": 1}, "a.b"], ids=str)
async def test_a_contained_type_that_is_none_is_refused_with_its_place(
    server: Server, type_: Any
) -> None:
    url = urn()
    contained = [{"resourceType": type_, "implicitRules": url}]

    response = await server.post("", a_transaction(a_create(a_patient(contained=contained), url)))

    assert response.status_code == 400
    (issue,) = response.json()["issue"]
    assert issue["expression"] == ["Bundle.entry[0].resource.contained[0].resourceType"]
