"""https://hl7.org/fhir/R4/http.html#mime-type: the form of the answer"""

import json

import pytest

from fhir_server.api import negotiation
from tests.support.asserts import assert_issue
from tests.support.builders import a_patient, unique
from tests.support.server import ON_ONE_STORE, Server

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]

FHIR = "application/fhir+json;charset=utf-8"
JSON = "application/json;charset=utf-8"

ACCEPTED = [
    ("*/*", FHIR),
    ("application/fhir+json", FHIR),
    ("APPLICATION/FHIR+JSON", FHIR),
    ("application/json", JSON),
    ("text/json", JSON),
    ("application/*", FHIR),
    ("application/fhir+json; charset=utf-8", FHIR),
    ("application/fhir+json; fhirVersion=4.0", FHIR),
    ('application/fhir+json; fhirVersion="4.0"', FHIR),
    ("application/fhir+json;fhirVersion=4.0.1", FHIR),
    ("application/fhir+xml, application/fhir+json", FHIR),
    ("application/fhir+xml;q=1.0, application/json;q=0.1", JSON),
    ("application/json;q=0.2, application/fhir+json;q=0.8", FHIR),
    ("application/json;q=0.8, application/fhir+json;q=0.2", JSON),
    ("application/fhir+json;q=0, application/json", JSON),
    ("application/fhir+json;fhirVersion=5.0, application/json;fhirVersion=4.0", JSON),
    # what a browser asks for
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", FHIR),
    ("", FHIR),
]


@pytest.mark.parametrize(("accept", "content_type"), ACCEPTED)
async def test_the_answer_is_of_a_type_that_is_accepted(
    server: Server, accept: str, content_type: str
) -> None:
    response = await server.get("Patient?_id=x", accept=accept)

    assert response.status_code == 200
    assert response.headers["content-type"] == content_type


UNACCEPTABLE = [
    "application/fhir+xml",
    "application/xml",
    "text/html",
    "text/turtle",
    "application/fhir+json;q=0",
    "application/fhir+json;q=x",
    "application/fhir+json; fhirVersion=5.0",
    "application/fhir+json; fhirVersion=3.0",
    "application/fhir+ndjson",
    "json/application",
    "text/html, image/*",
]


@pytest.mark.parametrize("accept", UNACCEPTABLE)
async def test_what_cannot_be_answered_is_told(server: Server, accept: str) -> None:
    response = await server.get("Patient?_id=x", accept=accept)

    assert_issue(
        response,
        406,
        "not-supported",
        f"This server answers in application/fhir+json, version 4.0, not in {accept!r}.",
    )


FORMATS = [
    ("json", FHIR),
    ("application/fhir%2Bjson", FHIR),
    ("application/fhir+json", FHIR),
    ("application/json", JSON),
    ("text/json", JSON),
]


@pytest.mark.parametrize(("format_", "content_type"), FORMATS)
async def test_the_format_in_the_url_goes_before_the_header(
    server: Server, format_: str, content_type: str
) -> None:
    response = await server.get(f"Patient?_id=x&_format={format_}", accept="application/fhir+xml")

    assert response.status_code == 200
    assert response.headers["content-type"] == content_type


@pytest.mark.parametrize("format_", ["xml", "application/fhir+xml", "html", "ttl", "text/html"])
async def test_a_format_that_is_not_offered_is_told(server: Server, format_: str) -> None:
    response = await server.get(f"Patient?_id=x&_format={format_.replace('+', '%2B')}")

    assert_issue(
        response,
        406,
        "not-supported",
        f"This server answers in application/fhir+json, version 4.0, not in {format_!r}.",
    )


async def test_nothing_is_stored_when_the_answer_could_not_be_given(server: Server) -> None:
    mark = unique()

    response = await server.post("Patient?_format=xml", a_patient(mark))

    assert response.status_code == 406
    assert await server.found(f"Patient?identifier={mark}") == []


async def test_a_pretty_answer_is_the_same_over_several_lines(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]

    plain = await server.get(f"Patient/{id_}")
    pretty = await server.get(f"Patient/{id_}?_pretty=true")
    compact = await server.get(f"Patient/{id_}?_pretty=false")

    assert pretty.text.startswith('{\n  "resourceType": "Patient",\n  "id": ')
    assert pretty.json() == plain.json()
    assert compact.content == plain.content
    assert b"\n" not in plain.content


async def test_pretty_keeps_every_digit(server: Server) -> None:
    body = (
        b'{"resourceType":"Observation","status":"final","code":{"text":"x"},'
        b'"valueQuantity":{"value":1.500,"unit":"x"}}'
    )
    stored = (await server.post("Observation", body)).json()

    pretty = await server.get(f"Observation/{stored['id']}?_pretty=true")

    assert '"value": 1.500,' in pretty.text


async def test_pretty_is_true_or_false(server: Server) -> None:
    response = await server.get("Patient?_id=x&_pretty=1")

    assert_issue(response, 400, "invalid", "_pretty is true or false, not '1'.")


async def test_an_error_is_pretty_and_typed_as_asked(server: Server) -> None:
    response = await server.get("Patient/never-was?_pretty=true", accept="application/json")

    assert response.status_code == 404
    assert response.headers["content-type"] == JSON
    assert response.text.startswith("{\n")


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_a_large_answer_is_packed_as_accepted(server: Server, coding: str) -> None:
    stored = await server.create(a_patient(text={"status": "empty", "div": "x" * 5000}))
    url = f"Patient/{stored['id']}"

    response = await server.get(url, accept_encoding=coding)

    assert response.headers["content-encoding"] == coding
    assert int(response.headers["content-length"]) < 1000
    assert response.json() == stored
    assert "Accept-Encoding" in response.headers["vary"]


ENCODINGS = [
    ("identity", None),
    ("br", None),
    ("gzip, deflate, br", "gzip"),
    ("gzip, zstd", "zstd"),
    ("gzip;q=1.0, *;q=0", "gzip"),
    ("*", "zstd"),
    ("zstd;q=0, *", "gzip"),
    ("gzip;q=0", None),
]


@pytest.mark.parametrize(("accepted", "coding"), ENCODINGS)
async def test_the_encoding_is_one_that_is_accepted(
    server: Server, accepted: str, coding: str | None
) -> None:
    stored = await server.create(a_patient(text={"status": "empty", "div": "x" * 5000}))

    response = await server.get(f"Patient/{stored['id']}", accept_encoding=accepted)

    assert response.headers.get("content-encoding") == coding
    assert json.loads(response.text) == stored


async def test_a_small_answer_is_not_packed(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await server.get(f"Patient/{stored['id']}", accept_encoding="gzip, zstd")

    assert "content-encoding" not in response.headers


async def test_long_headers_are_not_remembered(server: Server) -> None:
    kept = [negotiation._kept_form_of, negotiation._kept_encoding_of]  # noqa: SLF001 -- memory is not seen from outside
    before = [each.cache_info().currsize for each in kept]

    for n in range(20):
        rest = f"application/x-{n}{'x' * 200}"
        response = await server.get(
            "metadata", accept=f"application/fhir+json, {rest}", accept_encoding=f"gzip, {rest}"
        )
        assert response.headers["content-type"] == FHIR
        assert response.headers["content-encoding"] == "gzip"

    assert [each.cache_info().currsize for each in kept] == before
