"""https://www.rfc-editor.org/rfc/rfc9110#section-8.4: bodies packed, in parts, and too large"""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient, unique
from tests.support.server import FHIR_JSON, ON_ONE_STORE, Server, Start

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]

PATIENT = json.dumps(a_patient()).encode()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("encoding", PACKERS)
async def test_a_packed_body_is_unpacked(server: Server, encoding: str) -> None:
    mark = unique()
    body = json.dumps(a_patient(mark)).encode()

    response = await server.post("Patient", PACKERS[encoding](body), content_encoding=encoding)

    assert response.status_code == 201
    assert response.json()["identifier"][0]["value"] == mark


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "no-such"])
async def test_another_encoding_is_refused(server: Server, encoding: str) -> None:
    response = await server.post("Patient", PATIENT, content_encoding=encoding)

    assert_issue(
        response,
        415,
        "not-supported",
        f"Content-Encoding {encoding!r} is not understood; gzip and zstd are.",
    )


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_body_that_is_not_packed_as_it_says_is_refused(
    server: Server, encoding: str
) -> None:
    response = await server.post("Patient", PATIENT, content_encoding=encoding)

    assert_issue(response, 400, "invalid", "The body is not packed as Content-Encoding says.")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_packed_body_that_ends_too_early_is_refused(server: Server, encoding: str) -> None:
    body = PACKERS[encoding](PATIENT * 1000)[:-3]

    response = await server.post("Patient", body, content_encoding=encoding)

    assert_issue(response, 400, "invalid", "The packed body ends too early.")


def _headers(encoding: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", FHIR_JSON.encode()), (b"content-encoding", encoding.encode())]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_a_packed_body_may_have_several_members(
    server: Server, encoding: str, size: int
) -> None:
    pack = PACKERS[encoding]
    packed = pack(PATIENT[:20]) + pack(b"") + pack(PATIENT[20:]) + pack(b"")
    parts = [packed[at : at + size] for at in range(0, len(packed), size)]

    response = await server.raw("POST", b"/fhir/Patient", headers=_headers(encoding), body=parts)

    assert response.status == 201


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("parts", [1, 2])
async def test_what_follows_a_packed_body_is_refused(
    server: Server, encoding: str, parts: int
) -> None:
    packed, more = PACKERS[encoding](PATIENT), b"more"

    response = await server.raw(
        "POST",
        b"/fhir/Patient",
        headers=_headers(encoding),
        body=[packed + more] if parts == 1 else [packed, more],
    )

    issue = json.loads(response.body)["issue"][0]
    assert response.status == 400
    assert issue["diagnostics"] in {
        "The body is not packed as Content-Encoding says.",
        "The packed body ends too early.",
    }


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_members_without_content_are_bounded(server: Server, encoding: str) -> None:
    packed = PACKERS[encoding](b"") * 10_001

    response = await server.post("Patient", packed, content_encoding=encoding)

    assert_issue(response, 400, "invalid", "The packed body has more than 10000 parts.")


async def test_a_packed_body_is_bounded_by_what_arrives_too(start: Start) -> None:
    nothing = b"\x00\x00\x00\xff\xff"  # a stored block of no bytes
    packed = gzip.compress(b"")[:10] + nothing * 1000
    async with start(max_body=1000) as server:
        response = await server.raw(
            "POST", b"/fhir/Patient", headers=_headers("gzip"), body=[packed]
        )

    assert response.status == 413


async def test_a_body_may_come_in_many_parts(server: Server) -> None:
    mark = unique()
    for encoding, pack in PACKERS.items():
        packed = pack(json.dumps(a_patient(mark)).encode())
        response = await server.raw(
            "POST",
            b"/fhir/Patient",
            headers=[
                (b"content-type", FHIR_JSON.encode()),
                (b"content-encoding", encoding.encode()),
            ],
            body=[packed[i : i + 7] for i in range(0, len(packed), 7)],
        )
        assert response.status == 201


async def test_a_body_over_the_limit_is_refused(start: Start) -> None:
    async with start(max_body=1000) as server:
        body = b'{"resourceType":"Basic","code":{"text":"%b"}}' % (b"x" * 1000)

        announced = await server.post("Basic", body)
        packed = await server.post("Basic", gzip.compress(body), content_encoding="gzip")
        unannounced = await server.raw(
            "POST",
            b"/fhir/Basic",
            headers=[(b"content-type", FHIR_JSON.encode())],
            body=[body[:600], body[600:]],
        )

        seen = f"The body has {len(body)} bytes; at most 1000 are taken."
        more = "The body has more than 1000 bytes; at most 1000 are taken."
        assert_issue(announced, 413, "too-long", seen)
        assert_issue(packed, 413, "too-long", more)
        assert unannounced.status == 413
        assert json.loads(unannounced.body)["issue"][0]["diagnostics"] == more


async def test_a_body_at_the_limit_is_taken(start: Start) -> None:
    async with start(max_body=1000) as server:
        body = b'{"resourceType":"Basic","code":{"text":"%b"}}'
        body %= b"x" * (1000 - len(body % b""))

        assert (await server.post("Basic", body)).status_code == 201


def gzip_bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def zstd_bomb(megabytes: int) -> bytes:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


@pytest.mark.parametrize(("encoding", "bomb"), [("gzip", gzip_bomb), ("zstd", zstd_bomb)])
async def test_a_bomb_does_no_harm(
    start: Start, encoding: str, bomb: Callable[[int], bytes]
) -> None:
    packed = bomb(60)
    async with start(max_body=1 << 20) as server:
        tracemalloc.start()
        try:
            response = await server.post("Basic", packed, content_encoding=encoding)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert_issue(
            response,
            413,
            "too-long",
            "The body has more than 1048576 bytes; at most 1048576 are taken.",
        )
        assert peak < 20 << 20


async def test_who_goes_away_in_the_middle_leaves_nothing(server: Server) -> None:
    mark = unique()
    body = json.dumps(a_patient(mark)).encode()
    messages = iter(
        [
            {"type": "http.request", "body": body[:50], "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    sent: list[object] = []

    async def receive() -> object:
        return next(messages)

    async def send(message: object) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/fhir/Patient",
        "raw_path": b"/fhir/Patient",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", FHIR_JSON.encode())],
    }
    await server.app(scope, receive, send)

    assert sent == []
    assert await server.found(f"Patient?identifier={mark}") == []
