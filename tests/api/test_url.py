"""https://hl7.org/fhir/R4/http.html#general: URLs that are too long, not UTF-8, or lead nowhere"""

import json

import pytest

from tests.support.asserts import assert_issue
from tests.support.server import ON_ONE_STORE, Server

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]


async def test_a_url_over_the_limit_is_refused(server: Server) -> None:
    response = await server.get(f"Patient?name={'x' * 9000}")

    assert_issue(
        response,
        414,
        "too-long",
        "The URL has 9018 bytes; at most 8192 are taken. Long searches can be posted to _search.",
    )


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        (b"/fhir/Patient/%ff", b"", "The path of the URL is not UTF-8, percent-encoded."),
        (b"/fhir/Patient/\xff", b"", "The path of the URL is not UTF-8, percent-encoded."),
        (b"/fhir/Patient", b"name=%ff", "The query is not UTF-8, percent-encoded."),
        (b"/fhir/Patient", b"name=\xff", "The query is not UTF-8, percent-encoded."),
        (b"/fhir/Patient", b"%ed%a0%80=x", "The query is not UTF-8, percent-encoded."),
    ],
)
async def test_a_url_that_is_not_utf8_is_refused(
    server: Server, path: bytes, query: bytes, words: str
) -> None:
    response = await server.raw("GET", path, query=query)

    assert response.status == 400
    assert json.loads(response.body)["issue"] == [
        {"severity": "error", "code": "invalid", "diagnostics": words}
    ]


@pytest.mark.parametrize(
    "path",
    [
        b"/fhir/Patient/..%2f..%2fetc%2fpasswd",
        b"/fhir/%2e%2e/secret",
        b"/fhir/Patient/1/../../x",
        b"/fhir/Patient//1",
        b"/fhir/Patient/1;x=y",
        b"/fhir/Patient/1%00",
        b"/fhir/Patient/1%0d%0aset-cookie:x",
        b"/fhir/%5Btype%5D/%5Bid%5D",
        b"/fhir/Patient/1/_history/1/2",
    ],
)
async def test_odd_paths_lead_nowhere(server: Server, path: bytes) -> None:
    response = await server.raw("GET", path)

    assert response.status == 404
    assert json.loads(response.body)["issue"][0]["code"] == "not-found"
    assert b"set-cookie" not in [name for name, _ in response.headers]
