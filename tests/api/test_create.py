"""https://hl7.org/fhir/R4/http.html#create"""

import re

import pytest

from tests.support.asserts import assert_issue, without_meta
from tests.support.builders import a_basic, a_patient, an_observation, unique, urn
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio

UUID_7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_a_created_resource_is_answered_with_where_it_is(server: Server) -> None:
    response = await server.post("Patient", a_patient())

    stored = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"{BASE}/Patient/{stored['id']}/_history/1"
    assert response.headers["etag"] == 'W/"1"'
    assert "last-modified" in response.headers


async def test_the_server_gives_id_version_and_time(server: Server) -> None:
    sent = a_patient()

    stored = await server.create(sent)

    assert UUID_7.fullmatch(stored["id"])
    assert stored["meta"]["versionId"] == "1"
    assert INSTANT.fullmatch(stored["meta"]["lastUpdated"])
    assert without_meta(stored) == sent


async def test_what_the_caller_says_of_id_version_and_time_is_not_taken(server: Server) -> None:
    meta = {"versionId": "7", "lastUpdated": "1999-01-01T00:00:00Z"}

    stored = await server.create(a_patient(id="mine", meta=meta))

    assert stored["id"] != "mine"
    assert stored["meta"]["versionId"] == "1"
    assert stored["meta"]["lastUpdated"] > "2020"


async def test_the_rest_of_meta_is_kept(server: Server) -> None:
    meta = {
        "profile": ["http://example.org/p"],
        "tag": [{"system": "http://example.org/t", "code": "a"}],
        "security": [{"code": "R"}],
        "source": "#1",
    }

    stored = await server.create(a_patient(meta=meta))

    assert {name: stored["meta"][name] for name in meta} == meta


async def test_any_type_of_fhir_can_be_created(server: Server) -> None:
    linked = {"type": "source", "resource": {"display": "x"}}
    for sent in (
        a_basic(),
        {"resourceType": "Binary", "contentType": "text/plain"},
        {"resourceType": "Bundle", "type": "collection"},
        {"resourceType": "Linkage", "item": [linked, linked]},
        {"resourceType": "Parameters"},
    ):
        stored = await server.create(sent)
        path = f"{sent['resourceType']}/{stored['id']}"
        assert (await server.get(path)).json() == stored


async def test_ids_rise_with_time(server: Server) -> None:
    ids = [(await server.create(a_patient()))["id"] for _ in range(3)]

    assert sorted(id_[:13] for id_ in ids) == [id_[:13] for id_ in ids]


async def test_the_body_must_be_of_the_type_in_the_url(server: Server) -> None:
    response = await server.post("Observation", a_patient())

    assert_issue(
        response,
        400,
        "invalid",
        "The URL is for Observation, but the body is a Patient.",
        "resourceType",
    )


@pytest.mark.parametrize("type_", ["Patientt", "DomainResource", "patient", "", 7, None, ["a"]])
async def test_the_body_must_be_of_a_type_that_fhir_has(server: Server, type_: object) -> None:
    response = await server.post("Patient", {"resourceType": type_})

    if type_ is None:
        assert_issue(response, 400, "structure", "The body has no resourceType.", "resourceType")
        return
    shown = repr(str(type_))
    assert_issue(
        response, 400, "invalid", f"{shown} is not a resource type of FHIR R4.", "resourceType"
    )


async def test_a_body_without_a_type_is_refused(server: Server) -> None:
    response = await server.post("Patient", {"id": "1"})

    assert_issue(response, 400, "structure", "The body has no resourceType.", "resourceType")


@pytest.mark.parametrize("meta", ["text", ["a"], 1, True])
async def test_meta_must_be_an_object(server: Server, meta: object) -> None:
    response = await server.post("Patient", a_patient(meta=meta))

    assert_issue(response, 400, "structure", "meta must be an object.", "Patient.meta")


async def test_nothing_is_created_at_an_id(server: Server) -> None:
    response = await server.post("Patient/1", a_patient())

    assert_issue(
        response,
        405,
        "not-supported",
        "POST is not possible here. Possible: DELETE, GET, HEAD, PATCH, PUT.",
    )
    assert response.headers["allow"] == "DELETE, GET, HEAD, PATCH, PUT"


async def test_a_reference_to_a_bundle_entry_is_kept_as_it_is(server: Server) -> None:
    subject = urn()

    stored = await server.create(an_observation(subject))

    assert stored["subject"] == {"reference": subject}


async def test_such_a_reference_is_told_to_who_asks_for_an_outcome(server: Server) -> None:
    subject = urn()

    response = await server.post(
        "Observation", an_observation(subject), prefer="return=OperationOutcome"
    )

    told, warning = response.json()["issue"]
    assert told["severity"] == "information"
    assert warning == {
        "severity": "warning",
        "code": "incomplete",
        "diagnostics": (
            f"Observation.subject.reference: {subject} names an entry of a bundle, which only a "
            "transaction resolves; it was stored as it is."
        ),
    }


async def test_a_conditional_reference_is_resolved(server: Server) -> None:
    mark = unique()
    patient = await server.create(a_patient(mark))

    stored = await server.create(an_observation(f"Patient?identifier={mark}"))

    assert stored["subject"] == {"reference": f"Patient/{patient['id']}"}


async def test_a_conditional_reference_to_nothing_is_refused(server: Server) -> None:
    subject = f"Patient?identifier={unique()}"

    response = await server.post("Observation", an_observation(subject))

    assert_issue(
        response,
        412,
        "not-found",
        f"The reference {subject} matches nothing.",
        "Observation.subject.reference",
    )


async def test_a_conditional_reference_to_several_is_refused(server: Server) -> None:
    mark = unique()
    await server.create(a_patient(mark))
    await server.create(a_patient(mark))
    subject = f"Patient?identifier={mark}"

    response = await server.post("Observation", an_observation(subject))

    assert_issue(
        response,
        412,
        "multiple-matches",
        f"The reference {subject} matches several resources.",
        "Observation.subject.reference",
    )


async def test_a_conditional_reference_by_an_unknown_parameter_is_refused(server: Server) -> None:
    response = await server.post("Observation", an_observation("Patient?no-such=1"))

    issue = response.json()["issue"][0]
    assert response.status_code == 400
    assert issue["code"] == "not-supported"
    assert issue["expression"] == ["Observation.subject.reference"]
    assert "no-such" in issue["diagnostics"]


async def test_a_conditional_reference_to_a_type_that_is_none_is_refused(server: Server) -> None:
    response = await server.post("Observation", an_observation("Patientt?identifier=1"))

    assert_issue(
        response,
        400,
        "invalid",
        "The reference Patientt?identifier=1 is to 'Patientt', which is not a resource type of "
        "FHIR R4.",
        "Observation.subject.reference",
    )


async def test_where_a_reference_is_wrong_is_told_inside_contained_and_extensions(
    server: Server,
) -> None:
    wanted = f"Practitioner?identifier={unique()}"
    inner = an_observation(id="inner", performer=[{"reference": "#"}, {"reference": wanted}])

    response = await server.post("Observation", an_observation(contained=[inner]))

    assert_issue(
        response,
        412,
        "not-found",
        f"The reference {wanted} matches nothing.",
        "Observation.contained[0].performer[1].reference",
    )


async def test_other_references_are_kept_as_they_are(server: Server) -> None:
    for reference in ("Patient/1", "#", "https://elsewhere.example/fhir/Patient?x=1", "urn:isbn:1"):
        stored = await server.create(an_observation(reference))
        assert stored["subject"] == {"reference": reference}
