"""https://hl7.org/fhir/R4/http.html#general: what headers say"""

import re
from email.utils import parsedate_to_datetime
from time import perf_counter

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient, unique
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio

ANY = ["Patient?_id=x", "Patient/never-was", "metadata", "nowhere/at/all", "_history?_count=1"]


async def test_last_modified_is_the_time_of_the_version(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await server.get(f"Patient/{stored['id']}")

    modified = parsedate_to_datetime(response.headers["last-modified"])
    assert stored["meta"]["lastUpdated"].startswith(modified.strftime("%Y-%m-%dT%H:%M:%S."))


async def test_locations_are_of_the_version(server: Server) -> None:
    created = await server.post("Patient", a_patient())
    path = f"{BASE}/Patient/{created.json()['id']}/_history"
    updated = await server.put(f"Patient/{created.json()['id']}", created.json())
    read = await server.get(f"Patient/{created.json()['id']}")

    assert created.headers["location"] == f"{path}/1"
    assert created.headers["content-location"] == f"{path}/1"
    assert updated.headers["location"] == f"{path}/2"
    assert updated.headers["content-location"] == f"{path}/2"
    assert read.headers["content-location"] == f"{path}/2"


@pytest.mark.parametrize("path", ANY)
async def test_nothing_may_be_kept_by_caches(server: Server, path: str) -> None:
    response = await server.get(path)

    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("path", ANY)
async def test_every_answer_has_a_request_id(server: Server, path: str) -> None:
    first, second = await server.get(path), await server.get(path)

    assert re.fullmatch(r"[0-9a-f]{16,64}", first.headers["x-request-id"])
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_a_request_id_of_the_caller_is_returned(server: Server) -> None:
    response = await server.get("metadata", x_request_id="0123456789-abcdef_XYZ")

    assert response.headers["x-request-id"] == "0123456789-abcdef_XYZ"


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space and more", "a;b=c;d=e;f=g;h"])
async def test_what_does_not_look_like_a_request_id_is_replaced(server: Server, given: str) -> None:
    response = await server.get("metadata", x_request_id=given)

    assert re.fullmatch(r"[0-9a-f]{16,64}", response.headers["x-request-id"])


async def test_head_is_get_without_the_body(server: Server) -> None:
    mark = unique()
    id_ = (await server.create(a_patient(mark)))["id"]

    for path in (
        f"Patient/{id_}",
        f"Patient/{id_}/_history/1",
        f"Patient/{id_}/_history",
        f"Patient?identifier={mark}",
        "metadata",
        "Patient/never-was",
        "Patientt/1",
        "Patient?no-such=1",
    ):
        got = await server.get(path, accept_encoding="identity")
        headed = await server.head(path, accept_encoding="identity")
        assert headed.status_code == got.status_code, path
        assert headed.content == b"", path
        assert _lasting(headed.headers) == _lasting(got.headers), path
        assert headed.headers["content-length"] == str(len(got.content)), path


def _lasting(headers: object) -> dict[str, str]:
    return {k: v for k, v in dict(headers).items() if k != "x-request-id"}  # type: ignore[call-overload] # headers are a mapping


ALLOWED = [
    ("POST", "Patient/1", "DELETE, GET, HEAD, PATCH, PUT"),
    ("OPTIONS", "Patient/1", "DELETE, GET, HEAD, PATCH, PUT"),
    ("OPTIONS", "Patient", "DELETE, GET, HEAD, PATCH, POST, PUT"),
    ("PUT", "Patient/1/_history/1", "GET, HEAD"),
    ("DELETE", "Patient/1/_history", "GET, HEAD"),
    ("POST", "metadata", "GET, HEAD"),
    ("GET", "Patient/_search", "POST"),
    ("PATCH", "metadata", "GET, HEAD"),
    ("PUT", "", "GET, HEAD, POST"),
    ("DELETE", "_history", "GET, HEAD"),
    ("BREW", "Patient/1", "DELETE, GET, HEAD, PATCH, PUT"),
]


@pytest.mark.parametrize(("method", "path", "allowed"), ALLOWED)
async def test_what_is_possible_there_is_told(
    server: Server, method: str, path: str, allowed: str
) -> None:
    response = await server.send(method, path)

    assert_issue(
        response,
        405,
        "not-supported",
        f"{method} is not possible here. Possible: {allowed}.",
    )
    assert response.headers["allow"] == allowed


async def test_links_never_follow_the_host_that_was_asked(server: Server) -> None:
    mark = unique()

    created = await server.post("Patient", a_patient(mark), host="localhost:1")
    found = await server.get(
        f"Patient?identifier={mark}",
        host="localhost:1",
        x_forwarded_host="evil.example",
        forwarded="host=evil.example",
    )

    assert created.headers["location"].startswith(f"{BASE}/Patient/")
    assert found.status_code == 200
    assert "evil" not in found.text
    assert "localhost" not in found.text


async def test_a_header_that_comes_twice_counts_as_a_list(server: Server) -> None:
    id_ = (await server.create(a_patient()))["id"]

    response = await server.raw(
        "GET",
        f"/fhir/Patient/{id_}".encode(),
        headers=[(b"if-none-match", b'W/"1"'), (b"if-none-match", b'W/"7"')],
    )

    assert response.status == 304


async def test_the_method_cannot_be_overridden(server: Server) -> None:
    stored = await server.create(a_patient())

    await server.send(
        "POST", "Patient/_search", x_http_method_override="DELETE", x_http_method="DELETE"
    )
    response = await server.get(f"Patient/{stored['id']}", x_http_method_override="DELETE")

    assert response.json() == stored


LIMITS = [
    ([(b"x-a", b"1")] * 200, "The request has 201 headers; at most 200 are taken."),
    ([(b"x-a", b"1" * 65_534)], "The headers have 65550 bytes; at most 65536 are taken."),
]


@pytest.mark.parametrize(("headers", "words"), LIMITS, ids=["count", "bytes"])
async def test_headers_are_bounded(
    server: Server, headers: list[tuple[bytes, bytes]], words: str
) -> None:
    response = await server.raw("GET", b"/fhir/metadata", headers=headers)

    assert response.status == 431
    assert f'"too-long","diagnostics":"{words}"'.encode() in response.body


async def test_as_many_headers_as_allowed_are_taken_even_if_all_are_one(server: Server) -> None:
    headers = [(b"x-a", b"1" * 100)] * 199

    assert (await server.raw("GET", b"/fhir/metadata", headers=headers)).status == 200


async def test_headers_by_the_thousand_cost_no_more_than_reading_them(server: Server) -> None:
    headers = [(b"x-%d" % n, b"1") for n in range(20_000)] * 2
    began = perf_counter()

    await server.raw("GET", b"/fhir/metadata", headers=headers)

    assert perf_counter() - began < 5
