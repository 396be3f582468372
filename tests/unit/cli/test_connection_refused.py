"""What arrives over a socket and has more than one meaning, or no end: it is refused.

https://www.rfc-editor.org/rfc/rfc9112
"""

import asyncio
from typing import Any

import pytest

from tests.support.site import CHUNKED, GET, answer, bodies, echo, last, site, whole

pytestmark = pytest.mark.anyio


REFUSED = {
    "two lengths of one body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "lengths that differ": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    b"Content-Length: 4\r\n\r\nabc",
    "a length that is none": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\nabc",
    "chunked is not the last": b"POST / HTTP/1.1\r\nHost: x\r\n"
    b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a name with a space": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "a name that is none": b"GET / HTTP/1.1\r\nH(st: x\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n",
    "a bare line feed in a value": b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "a target that is no URL": b"GET http:///x HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "the same length twice": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    b"Content-Length: 3\r\n\r\nabc",
    "a list of lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
    "a length beyond numbers": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "
    + b"9" * 30
    + b"\r\n\r\n",
    "another coding": CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n",
    "a coding that is none": CHUNKED.replace(b"chunked", b"xchunked") + b"0\r\n\r\n",
    "chunked with a strange space": CHUNKED.replace(b"chunked", b"\x0bchunked") + b"0\r\n\r\n",
    "chunked twice": CHUNKED.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "chunks in HTTP/1.0": CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n",
    "a bare carriage return in a value": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n",
    "lines that end in carriage returns": b"GET / HTTP/1.1\rHost: x\r\r",
    "lines that end in line feeds": b"GET / HTTP/1.1\nHost: x\n\n",
    "a null in a value": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "a fold by a tab": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n",
    "a space before the first header": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "a later version": b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a byte in the target that is no character": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
async def test_what_could_be_understood_in_two_ways_is_refused(request_: bytes) -> None:
    called: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        called.append(scope["path"])
        await echo(scope, receive, send)

    async with site(app) as here:
        said = await here.says(request_)

    assert called == []
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert said.count(b"HTTP/1.1") == 1


async def test_what_went_before_is_answered_before_the_refusal() -> None:
    async with site(echo) as here:
        said = await here.says(GET % b"1" + GET % b"2" + b"nonsense\r\n\r\n")

    assert bodies(said) == [b"GET /1 ", b"GET /2 ", b"Bad Request"]


async def test_a_body_that_breaks_ends_its_request() -> None:
    seen: list[bytes | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await whole(receive))

    async with site(app) as here:
        reader, writer = await here.connect()
        writer.write(CHUNKED + b"3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"no number\r\n")
        said = await reader.read()

    assert seen == [None]
    assert bodies(said) == [b"Bad Request"]


@pytest.mark.parametrize(
    "flood",
    [
        b"GET /" + b"x" * 1_000_000,
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200_000,
        b"GET / HTTP/1.1\r\nA: " + b"b" * 1_000_000,
        b"\r\n" * 500_000,
    ],
    ids=["target", "headers", "header", "empty lines"],
)
async def test_a_head_without_end_is_refused(flood: bytes) -> None:
    async with site(echo) as here:
        reader, writer = await here.connect()
        writer.write(flood)
        status = await asyncio.wait_for(reader.readline(), 10)

    assert status == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"


async def test_a_trailer_without_end_ends_its_request() -> None:
    async with site(echo) as here:
        reader, writer = await here.connect()
        writer.write(CHUNKED + b"0\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"A: b\r\n" * 200_000)
        status = await asyncio.wait_for(reader.readline(), 10)

    assert status == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"


async def test_what_is_hidden_behind_a_broken_body_is_not_begun() -> None:
    hidden = GET % b"hidden"

    async with site(echo) as here:
        for broken in (b"3\nabc", b"3 \r\nabc", b"0x3\r\nabc", b"3\r\nabcd", b"3;a\nb\r\nabc"):
            said = await here.says(CHUNKED + broken + b"\r\n0\r\n\r\n" + hidden)

            assert bodies(said) == [b"Bad Request"]


async def test_a_flood_of_requests_is_not_held_in_memory() -> None:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        await answer(send, b"x")

    async with site(app) as here:
        reader, writer = await here.connect()
        writer.write(GET % b"" * 40_000 + last(GET % b""))
        await asyncio.sleep(0.3)
        (held,) = here.state.connections
        waiting = len(held._waiting)  # type: ignore[union-attr]  # noqa: SLF001 -- nothing else tells
        go_on.set()
        said = await asyncio.wait_for(reader.read(), 60)

    assert 0 < waiting < 3000
    assert said.count(b"HTTP/1.1 200 OK") == 40_001
