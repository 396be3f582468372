"""Whatever arrives, in whatever pieces: no failure of ours, and one reading only.

https://www.rfc-editor.org/rfc/rfc9112
"""

import asyncio
import re
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn import Config
from uvicorn.server import ServerState

from fhir_server.cli.connection import Connection

PIECES = [
    b"GET / HTTP/1.1\r\n",
    b"POST /a?b HTTP/1.1\r\n",
    b"HEAD / HTTP/1.0\r\n",
    b"CONNECT x:1 HTTP/1.1\r\n",
    b"Host: x\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 4\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"abc",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\0",
]
BYTES = st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=20).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=8)
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Za-z ]+\r\n(?:[a-z-]+: [^\r\n]*\r\n)*\r\n")


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def read(sent: list[bytes]) -> tuple[list[tuple[Any, ...]], bytes]:
    """What the application was asked, and all that was answered."""
    asked: list[tuple[Any, ...]] = []
    failures: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        asked.append((scope["method"], scope["path"], scope["query_string"], body))
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    async def run() -> bytes:
        config = Config(app, interface="asgi3", lifespan="off", log_config=None)
        config.proxy_headers = False
        config.load()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(context))
        wire, state = Wire(), ServerState()
        connection = Connection(config, state, {})
        connection.connection_made(cast("asyncio.Transport", wire))
        for part in sent:
            if not wire.closed:
                connection.data_received(part)
        for _ in range(100):
            await asyncio.sleep(0)
        connection.connection_lost(None)
        await asyncio.gather(*state.tasks)
        assert not state.connections
        return wire.written

    written = asyncio.run(run())
    assert failures == []
    return asked, written


def statuses(written: bytes) -> list[int]:
    """Those of all answers; fails when what was written is not answers and nothing else."""
    found = []
    while written:
        match = ANSWER.match(written)
        assert match, written
        found.append(int(match[1]))
        has_body = match[1] != b"100" and re.search(rb"content-length: (\d+)", match[0])
        length = int(has_body[1]) if has_body else 0
        written = written[match.end() :]
        if length == 2 and not written.startswith(b"ok"):
            length = 0  # to HEAD
        written = written[length:]
    return found


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(BYTES, CUTS)
def test_anything_is_answered_or_refused_and_in_pieces_no_otherwise(
    data: bytes, cuts: list[int]
) -> None:
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places) if a < b]

    asked, written = read([data] if data else [])
    asked_again, written_again = read(pieces)

    assert asked == asked_again
    without_asking = [status for status in statuses(written) if status != 100]
    assert without_asking == [status for status in statuses(written_again) if status != 100]
    assert set(without_asking) <= {200, 400, 431}
    assert without_asking.count(200) == len(asked)
    assert not set(without_asking[:-1]) - {200}


@pytest.mark.parametrize("request_", [b"", b"\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_what_is_not_whole_is_not_answered(request_: bytes) -> None:
    assert read([request_] if request_ else []) == ([], b"")
