"""HTTP over real sockets, below a small application: what arrives, in which order, and the end.

https://www.rfc-editor.org/rfc/rfc9112
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from fhir_server.cli import connection
from fhir_server.cli.connection import Connection

pytestmark = pytest.mark.anyio

App = Callable[[Any, Any, Any], Awaitable[None]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter

GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Site:
    """A small server in this process."""

    port: int
    state: ServerState
    streams: list[Writer] = field(default_factory=list)

    async def connect(self) -> tuple[Reader, Writer]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.streams.append(writer)
        return reader, writer

    async def says(self, data: bytes) -> bytes:
        """Everything that is answered until the server closes."""
        reader, writer = await self.connect()
        writer.write(data)
        return await asyncio.wait_for(reader.read(), 10)


@asynccontextmanager
async def site(app: App, **options: Any) -> AsyncIterator[Site]:
    config = Config(app, interface="asgi3", lifespan="off", log_config=None, **options)
    config.proxy_headers = False
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
    here = Site(server.sockets[0].getsockname()[1], state)
    try:
        yield here
    finally:
        server.close()
        for each in list(state.connections):
            each.shutdown()
        for writer in here.streams:
            writer.close()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.sleep(0.01)


async def answer(send: Any, body: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def whole(receive: Any) -> bytes | None:
    """The body; None when the caller went away before its end."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message["body"]
        if not message["more_body"]:
            return body


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers method, path and body."""
    body = await whole(receive)
    if body is not None:
        await answer(send, f"{scope['method']} {scope['path']} ".encode() + body)


def bodies(said: bytes) -> list[bytes]:
    """The bodies of answers that give their length."""
    found = []
    while said:
        head, _, said = said.partition(b"\r\n\r\n")
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found.append(said[:length])
        said = said[length:]
    return found


def hesitant(request: bytes) -> bytes:
    return request.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue")


def last(request: bytes) -> bytes:
    return request.replace(b"Host: x", b"Host: x\r\nConnection: close")


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


async def test_the_application_hears_that_the_caller_went_away() -> None:
    heard = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if await whole(receive) is None:
            await answer(send, b"to nobody")
            heard.set()

    async with site(app) as here:
        _, writer = await here.connect()
        writer.write(POST % (b"", 100) + b"half")
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.wait_for(heard.wait(), 10)
        await asyncio.sleep(0.01)

        assert not here.state.connections
        assert not here.state.tasks


async def test_after_the_body_receive_waits_for_the_end_of_the_exchange() -> None:
    heard: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await whole(receive)
        listening = asyncio.create_task(receive())
        await asyncio.sleep(0.02)
        heard.append(listening.done())
        await answer(send, b"x")
        heard.append((await listening)["type"])

    async with site(app) as here:
        await here.says(last(GET % b""))

    assert heard == [False, "http.disconnect"]


@pytest.mark.parametrize("already", [b"", GET % b"1", (GET % b"2")[:-2]])
async def test_who_is_quiet_for_long_is_left(
    already: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_ARRIVAL", 0.1)

    async with site(echo, timeout_keep_alive=0.1) as here:
        said = await here.says(already)

    assert (said != b"") is already.endswith(b"\r\n\r\n")


async def test_who_is_answered_is_not_left_however_long_it_takes() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.2)
        await answer(send, b"x")

    async with site(slow, timeout_keep_alive=0.05) as here:
        assert bodies(await here.says(GET % b"1")) == [b"x"]


async def test_who_takes_nothing_is_waited_for_and_then_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "_STUCK", 0.2)
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            sent.append(number)
        await send({"type": "http.response.body", "body": b""})

    async with site(app, timeout_keep_alive=0.05) as here:
        _, writer = await here.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
        writer.write(GET % b"")
        await asyncio.sleep(0.1)
        held_at = len(sent)
        assert held_at < 1000
        for _ in range(100):
            await asyncio.sleep(0.02)
            if not here.state.tasks:
                break

        assert not here.state.tasks
        assert not here.state.connections


async def test_no_more_is_read_than_the_application_takes() -> None:
    taken = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await taken.wait()
        body = await whole(receive)
        await answer(send, b"%d" % len(body or b""))

    async with site(app) as here:
        reader, writer = await here.connect()
        size = 20_000_000
        writer.write(last(POST % (b"", size)) + b"x" * size)
        await asyncio.sleep(0.2)
        waiting = writer.transport.get_write_buffer_size()
        taken.set()
        said = await reader.read()

    assert waiting > size // 2
    assert bodies(said) == [b"20000000"]


async def test_http_1_0_gets_one_answer() -> None:
    async with site(echo) as here:
        said = await here.says(b"GET /1 HTTP/1.0\r\n\r\n")

    assert bodies(said) == [b"GET /1 "]
    assert b"connection: close\r\n" in said


async def test_a_stream_goes_out_as_it_comes() -> None:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"two"})

    async with site(app) as here:
        reader, writer = await here.connect()
        writer.write(last(GET % b""))
        first = await reader.readuntil(b"one\r\n")
        go_on.set()
        rest = await reader.read()

    assert b"transfer-encoding: chunked\r\n" in first
    assert rest == b"3\r\ntwo\r\n0\r\n\r\n"


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError


async def says_nothing(scope: Any, receive: Any, send: Any) -> None:
    pass


async def has_only_a_head(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def forges_a_header(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"x", 200, (b"location", b"x\r\nset-cookie: y"))


async def announces_another_length(scope: Any, receive: Any, send: Any) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]}
    )
    await send({"type": "http.response.body", "body": b"x"})


async def has_no_head(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.body", "body": b"x"})


@pytest.mark.parametrize(
    "app",
    [
        raises,
        says_nothing,
        has_only_a_head,
        forges_a_header,
        announces_another_length,
        has_no_head,
    ],
)
async def test_an_application_that_fails_is_answered_for(app: App) -> None:
    async with site(app) as here:
        said = await here.says(GET % b"")

    assert said.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert said.count(b"HTTP/1.1") == 1
    assert b"set-cookie" not in said


async def test_an_answer_that_breaks_off_is_seen_to_be_broken() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        raise ValueError

    async with site(app) as here:
        said = await here.says(GET % b"")

    assert said.endswith(b"3\r\none\r\n")


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


async def test_what_is_hidden_behind_a_broken_body_is_not_begun() -> None:
    hidden = GET % b"hidden"

    async with site(echo) as here:
        for broken in (b"3\nabc", b"3 \r\nabc", b"0x3\r\nabc", b"3\r\nabcd", b"3;a\nb\r\nabc"):
            said = await here.says(CHUNKED + broken + b"\r\n0\r\n\r\n" + hidden)

            assert bodies(said) == [b"Bad Request"]


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


async def test_at_the_end_what_has_begun_is_answered_and_the_rest_closed() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await go_on.wait()
        await answer(send, scope["path"].encode())

    async with site(app) as here:
        quiet, _ = await here.connect()
        reader, writer = await here.connect()
        writer.write(GET % b"1")
        await begun.wait()
        for each in list(here.state.connections):
            each.shutdown()
        assert await quiet.read() == b""
        go_on.set()
        said = await reader.read()
        await asyncio.sleep(0.01)

        assert bodies(said) == [b"/1"]
        assert b"connection: close\r\n" in said
        assert not here.state.connections


async def test_what_is_cut_off_at_the_end_is_told() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(100)

    async with site(app) as here:
        reader, writer = await here.connect()
        writer.write(GET % b"1")
        await asyncio.sleep(0.05)
        for task in list(here.state.tasks):
            task.cancel()
        said = await reader.read()

    assert said.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")


word: ContextVar[str] = ContextVar("word", default="")


async def test_a_request_begins_without_a_task_and_waits_in_one_with_its_own_context() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((asyncio.current_task(), word.get()))
        word.set(scope["path"])
        await asyncio.sleep(0)
        async with asyncio.timeout(1):
            await asyncio.sleep(0.01)
        seen.append((asyncio.current_task() is not None, word.get()))
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            await answer(send, word.get().encode())

    async with site(app) as here:
        said = await here.says(GET % b"1" + last(GET % b"2"))

    assert bodies(said) == [b"/1", b"/2"]
    assert seen == [(None, ""), (True, "/1"), (None, ""), (True, "/2")]


async def test_the_first_wait_is_resumed_like_any_other() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        done, failed, later = loop.create_future(), loop.create_future(), loop.create_future()
        done.set_result(b"a")
        failed.set_exception(KeyError("b"))
        loop.call_later(0.01, later.set_result, b"c")
        first = {"/1": done, "/2": failed, "/3": later}[scope["path"]]
        try:
            found = await first
        except KeyError:
            found = b"b"
        failed.exception()
        await answer(send, found)

    async with site(app) as here:
        said = await here.says(GET % b"1" + GET % b"2" + last(GET % b"3"))

    assert bodies(said) == [b"a", b"b", b"c"]


async def test_an_early_end_reaches_the_first_wait() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async with site(app) as here:
        reader, writer = await here.connect()
        writer.write(GET % b"")
        await asyncio.sleep(0.05)
        for task in list(here.state.tasks):
            task.cancel()
        await reader.read()

    assert seen == ["cancelled"]
