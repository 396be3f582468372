"""HTTP over real sockets, below a small application: what arrives and what is answered.

https://www.rfc-editor.org/rfc/rfc9112
"""

import asyncio
from typing import Any

import pytest

from tests.support.site import CHUNKED, GET, POST, answer, bodies, echo, hesitant, last, site

pytestmark = pytest.mark.anyio


async def test_requests_that_come_at_once_are_answered_in_order() -> None:
    async def slow_first(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.05 if scope["path"] == "/1" else 0)
        await echo(scope, receive, send)

    async with site(slow_first) as here:
        said = await here.says(
            GET % b"1" + POST % (b"2", 3) + b"abc" + GET % b"3" + last(GET % b"4")
        )

    assert bodies(said) == [b"GET /1 ", b"POST /2 abc", b"GET /3 ", b"GET /4 "]
    assert said.count(b"date: today\r\n") == 4


async def test_thousands_at_once_need_no_stack() -> None:
    async with site(echo) as here:
        said = await here.says(GET % b"1" * 3000 + last(GET % b"2"))

    assert said.count(b"HTTP/1.1 200 OK") == 3001


async def test_after_connection_close_nothing_more_is_begun() -> None:
    async with site(echo) as here:
        said = await here.says(last(GET % b"1") + GET % b"2")

    assert bodies(said) == [b"GET /1 "]
    assert b"connection: close\r\n" in said


async def test_a_request_may_come_byte_by_byte() -> None:
    async with site(echo) as here:
        reader, writer = await here.connect()
        for byte in last(POST % (b"a%20b?c=d", 3)) + b"xyz":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        said = await reader.read()

    assert bodies(said) == [b"POST /a b xyz"]


async def test_a_body_in_chunks_is_put_together_and_its_trailer_is_no_header() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await echo(scope, receive, send)
        seen.extend(scope["headers"])

    async with site(app) as here:
        said = await here.says(
            last(CHUNKED) + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Request-Id: forged\r\n\r\n"
        )

    assert bodies(said) == [b"POST / abcdefg"]
    assert b"x-request-id" not in dict(seen)


async def test_the_body_is_asked_for_only_when_it_is_wanted() -> None:
    async with site(echo) as here:
        reader, writer = await here.connect()
        writer.write(hesitant(last(POST % (b"", 3))))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        said = await reader.read()

    assert bodies(said) == [b"POST / abc"]


async def test_a_body_that_was_not_asked_for_ends_the_connection() -> None:
    async def refuses(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"no", 413)

    async with site(refuses) as here:
        said = await here.says(hesitant(POST % (b"", 3)))

    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in said
    assert b"connection: close\r\n" in said


async def test_an_answer_before_the_end_of_the_body_leaves_the_connection_open() -> None:
    async def early(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, scope["path"].encode())

    async with site(early) as here:
        reader, writer = await here.connect()
        writer.write(POST % (b"1", 200_000) + b"x" * 100_000)
        await reader.readuntil(b"\r\n\r\n/1")
        writer.write(b"x" * 100_000 + last(GET % b"2"))
        said = await reader.read()

    assert bodies(said) == [b"/2"]


async def test_head_is_answered_without_the_body() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"hello")

    async with site(app) as here:
        said = await here.says((GET % b"").replace(b"GET", b"HEAD") + last(GET % b""))

    assert said.count(b"content-length: 5\r\n") == 2
    assert said.count(b"hello") == 1


async def test_http_1_0_gets_one_answer() -> None:
    async with site(echo) as here:
        said = await here.says(b"GET /1 HTTP/1.0\r\n\r\n")

    assert bodies(said) == [b"GET /1 "]
    assert b"connection: close\r\n" in said


async def test_another_protocol_is_not_taken_up_and_what_follows_is_read() -> None:
    upgrade = b"GET /1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    async with site(echo) as here:
        said = await here.says(upgrade + last(GET % b"2"))

    assert bodies(said) == [b"GET /1 ", b"GET /2 "]


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 44", b"GET /hidden HTTP/1.1\r\nHost: x\r\nA: 123456\r\n\r\n"),
        (b"Content-Length: 0", b""),
        (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n"),
    ],
)
async def test_the_body_of_a_request_for_another_protocol_is_its_body(
    framing: bytes, body: bytes
) -> None:
    upgrade = b"POST /1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n%s\r\n\r\n"
    sent = upgrade % framing + body + last(GET % b"2")
    shown = b"abcde" if b"chunked" in framing else body

    async with site(echo) as here:
        assert bodies(await here.says(sent)) == [b"POST /1 " + shown, b"GET /2 "]

        reader, writer = await here.connect()
        for byte in sent:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert bodies(await reader.read()) == [b"POST /1 " + shown, b"GET /2 "]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a%2Fb%20c?d=%20?e", "/a/b c", b"d=%20?e"),
        (b"//a", "//a", b""),
        (b"/a#b?c", "/a", b""),
        (b"http://x/a?b", "/a", b"b"),
        (b"http://x", "/", b""),
        (b"*", "*", b""),
    ],
)
async def test_every_form_of_target_is_split(target: bytes, path: str, query: bytes) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["path"], scope["query_string"], scope["client"][0]))
        await answer(send, b"x")

    async with site(app) as here:
        await here.says(b"OPTIONS %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target)

    assert seen == [(path, query, "127.0.0.1")]
