"""https://hl7.org/fhir/R4/http.html#mime-type: what a body may be; and design.md 10"""

import json

import httpx
import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient
from tests.support.server import FHIR_JSON, ON_ONE_STORE, Server

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]

PATIENT = json.dumps(a_patient()).encode()


async def post(server: Server, body: bytes, **headers: str) -> httpx.Response:
    return await server.post("Patient", body, **headers)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/fhir+json",
        "application/json",
        "text/json",
        "Application/FHIR+JSON; Charset=UTF-8",
        'application/fhir+json; charset="utf-8"',
        "application/fhir+json; fhirVersion=4.0",
        "application/json;charset=us-ascii",
    ],
)
async def test_json_is_taken_by_any_of_its_names(server: Server, content_type: str) -> None:
    response = await post(server, PATIENT, content_type=content_type)

    assert response.status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "application/fhir+xml",
        "application/xml",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/fhir+json, application/json",
        "json",
    ],
)
async def test_another_type_is_refused(server: Server, content_type: str) -> None:
    response = await post(server, PATIENT, content_type=content_type)

    name = content_type.partition(";")[0]
    assert_issue(
        response,
        415,
        "not-supported",
        f"The body must be application/fhir+json, not {name!r}.",
    )


async def test_a_body_without_a_type_is_refused(server: Server) -> None:
    response = await server.raw("POST", b"/fhir/Patient", body=[PATIENT])

    issue = json.loads(response.body)["issue"][0]
    assert response.status == 415
    assert issue["code"] == "not-supported"
    assert issue["diagnostics"] == (
        "The body must be application/fhir+json, and Content-Type says nothing."
    )


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "no-such"])
async def test_another_charset_is_refused(server: Server, charset: str) -> None:
    response = await post(server, PATIENT, content_type=f"{FHIR_JSON}; charset={charset}")

    assert_issue(response, 415, "not-supported", f"The body must be in UTF-8, not in {charset!r}.")


async def test_another_version_of_fhir_is_refused(server: Server) -> None:
    response = await post(server, PATIENT, content_type=f"{FHIR_JSON}; fhirVersion=5.0")

    assert_issue(response, 415, "not-supported", "The body must be of FHIR version 4.0, not '5.0'.")


WRONG: list[tuple[str, bytes, str]] = [
    ("empty", b"", "There is no content where JSON was expected."),
    ("blank", b" \n\t ", "There is no content where JSON was expected."),
    (
        "truncated",
        b'{"resourceType":"Patient","name":[{"family":"Cha',
        "The content is not JSON: the content ends too early (line 1, column 48).",
    ),
    (
        "truncated after a value",
        b'{"resourceType":"Patient"',
        "The content is not JSON: the content ends too early (line 1, column 25).",
    ),
    (
        "two values",
        b'{"resourceType":"Patient"}{"resourceType":"Patient"}',
        "The content is not JSON: something follows the end of the value (line 1, column 27).",
    ),
    (
        "a name twice",
        b'{"resourceType":"Patient",\n"gender":"male","gender":"female"}',
        "The name 'gender' occurs twice in one object (line 2, column 26).",
    ),
    (
        "a name twice, deep inside",
        b'{"resourceType":"Patient","name":[{"family":"a","\\u0066amily":"b"}]}',
        "The name 'family' occurs twice in one object (line 1, column 63).",
    ),
    (
        "not a number",
        b'{"resourceType":"Observation","valueQuantity":{"value":NaN}}',
        "The content is not JSON: a value was expected (line 1, column 56).",
    ),
    (
        "infinite",
        b'{"resourceType":"Observation","valueQuantity":{"value":-Infinity}}',
        "The content is not JSON: the number is not written as JSON asks (line 1, column 57).",
    ),
    (
        "a lone surrogate",
        b'{"resourceType":"Patient","name":[{"family":"\\ud800"}]}',
        "The content is not JSON: half of a surrogate pair stands alone (line 1, column 52).",
    ),
    (
        "not UTF-8",
        b'{"resourceType":"Patient","name":[{"family":"\xff"}]}',
        "The content is not JSON: the text is not UTF-8 (line 1, column 46).",
    ),
    (
        "a byte order mark inside",
        b'{"resourceType":\xef\xbb\xbf"Patient"}',
        "The content is not JSON: a value was expected (line 1, column 17).",
    ),
    (
        "a control character",
        b'{"resourceType":"Patient","name":[{"family":"a\x01b"}]}',
        (
            "The content is not JSON: a control character in a text must be escaped "
            "(line 1, column 47)."
        ),
    ),
    (
        "a comma too many",
        b'{"resourceType":"Patient",}',
        "The content is not JSON: a comma is followed by no value (line 1, column 27).",
    ),
    (
        "xml",
        b'<Patient xmlns="http://hl7.org/fhir"/>',
        "The content is not JSON: a value was expected (line 1, column 1).",
    ),
    (
        "too deep",
        b'{"resourceType":"Patient","a":' + b"[" * 64 + b"]" * 64 + b"}",
        "The content is nested 65 levels deep; at most 64 are allowed.",
    ),
    (
        "far too deep",
        b"[" * 100_000,
        "The content is nested more than 200 levels deep; at most 64 are allowed.",
    ),
    ("an array", b"[]", "A resource is a JSON object; the body is something else."),
    ("a text", b'"Patient"', "A resource is a JSON object; the body is something else."),
    ("a number", b"1", "A resource is a JSON object; the body is something else."),
    ("null", b"null", "The request has no body; a resource was expected."),
    ("false", b"false", "A resource is a JSON object; the body is something else."),
]


@pytest.mark.parametrize(
    ("body", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
async def test_what_is_no_resource_is_refused_with_its_place(
    server: Server, body: bytes, words: str
) -> None:
    for path in ("Patient", "Patient/1", ""):
        method = "PUT" if path == "Patient/1" else "POST"
        assert_issue(await server.send(method, path, body), 400, "structure", words)


async def test_a_byte_order_mark_in_front_is_passed_over(server: Server) -> None:
    assert (await post(server, b"\xef\xbb\xbf" + PATIENT)).status_code == 201


async def test_64_levels_are_taken(server: Server) -> None:
    begin, end = b'"extension":[{"url":"urn:x",', b"}]"
    innermost = b'"valueReference":{"display":"x"}'
    body = b'{"resourceType":"Patient",' + begin * 31 + innermost + end * 31 + b"}"

    assert (await post(server, body)).status_code == 201
