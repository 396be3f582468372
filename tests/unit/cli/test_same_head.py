"""A head that came before is known again, and nothing else is taken for it.

https://www.rfc-editor.org/rfc/rfc9112#name-message-parsing

The oracle is the same connection, made to parse everything.
"""

import asyncio
from itertools import product
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from fhir_server.api.response import SAME_HEAD
from fhir_server.cli import connection
from fhir_server.cli.connection import Connection
from tests.support.site import CHUNKED, GET, POST, echo, hesitant, last, site

pytestmark = pytest.mark.anyio

BARE = GET % b"a"
REQUESTS = (
    BARE,
    GET % b"b%20c/d?e=f%7Cg&h",
    GET % b"/two",
    GET % b"a#b",
    GET % b"a|b",
    GET % b"a b",
    GET % b"a\nb",
    GET % b"\xc3\xa9",
    GET.replace(b"/%s", b"http://x/%s") % b"whole",
    BARE + BARE,
    BARE + b"no request\r\n\r\n",
    BARE.replace(b"x\r", b"x\r\nContent-Length: 3\r") + b"abc",
    BARE[:9],
    BARE[9:],
    BARE[:-2],
    b"\r\n" + BARE,
    BARE + b"\r\n",
    BARE.replace(b"GET", b"HEAD"),
    BARE.replace(b"GET", b"get"),
    BARE.replace(b"1.1", b"1.0"),
    BARE.replace(b"Host", b"host"),
    BARE.replace(b"\r\n", b"\n"),
    BARE.replace(b"x\r", b"x\r\nHost: y\r"),
    BARE.replace(b"x\r", b"x\r\nUpgrade: h2c\r\nConnection: Upgrade\r"),
    last(BARE),
    hesitant(BARE),
    BARE.replace(b"x\r", b"x\r\nContent-Length: 0\r"),
    BARE.replace(b"x\r", b"x\r\nContent-Length: 3\r"),
    BARE.replace(b"x\r", b"x\r\nTransfer-Encoding: chunked\r"),
    BARE.replace(b"x\r", b"x\r\nTransfer-Encoding: chunked\r") + b"0\r\n\r\n",
    POST % (b"a", 3) + b"abc",
    POST % (b"a", len(BARE)) + BARE,
    POST % (b"a", len(BARE)),
    CHUNKED + b"0\r\n\r\n",
    b"0\r\n\r\n",
)


class _Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closing = False

    def write(self, data: Any) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def _said(*parts: bytes, turns: int = 4) -> tuple[bytes, bool, list[Any]]:
    """What is answered when these arrive one by one; whether it ends; what was asked.

    Between two the event loop has so many `turns`.
    """
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append({**scope, "headers": list(scope["headers"]), "extensions": None})
        await echo(scope, receive, send)

    config = Config(app, interface="asgi3", lifespan="off", log_config=None)
    config.proxy_headers = False
    config.load()
    wire, here = _Wire(), Connection(config, ServerState(), {})
    here.connection_made(wire)
    for part in parts:
        here.data_received(part)
        for _ in range(turns):
            await asyncio.sleep(0)
    for _ in range(8):
        await asyncio.sleep(0)
    here.connection_lost(None)
    return b"".join(wire.written), wire.closing, scopes


@pytest.mark.parametrize("turns", [0, 4])
@pytest.mark.parametrize("first", REQUESTS)
async def test_whatever_comes_after_a_known_head_is_answered_as_if_it_were_parsed(
    first: bytes, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversations = [(BARE, first, second, BARE) for second in REQUESTS]
    known = [await _said(*each, turns=turns) for each in conversations]
    monkeypatch.setattr(connection, "same_head", lambda _data, _exchange: None)
    parsed = [await _said(*each, turns=turns) for each in conversations]

    for each, one, other in zip(conversations, known, parsed, strict=True):
        assert one == other, each


async def test_a_head_cut_anywhere_is_parsed() -> None:
    for cut, again in product(range(1, len(BARE)), (BARE, GET % b"b")):
        said, closing, scopes = await _said(BARE, again[:cut], again[cut:], BARE)

        assert said.count(b"HTTP/1.1 200 OK") == 3
        assert [scope["path"] for scope in scopes] == ["/a", again[4:6].decode(), "/a"]
        assert not closing


async def test_what_was_understood_of_a_head_is_kept_for_the_same_head_on_the_connection() -> None:
    places: list[dict[str, object] | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        places.append(scope["extensions"].get(SAME_HEAD))
        await echo(scope, receive, send)

    other = BARE.replace(b"Host", b"Accept: a\r\nHost")
    async with site(app) as here:
        for requests in ((BARE, GET % b"b", GET % b"c", other, BARE), (BARE,)):
            reader, writer = await here.connect()
            for request in requests:
                writer.write(request)
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(0.01)

    first, second, third, fourth, fifth, elsewhere = places
    assert first is fourth is fifth is elsewhere is None
    assert second is third is not None


async def test_no_more_than_a_small_head_is_kept() -> None:
    large = BARE.replace(b"Host", b"Cookie: " + b"c" * 3000 + b"\r\nHost")
    said, _, _ = await _said(large, large, BARE, GET % (b"u" * 20_000))

    assert said.count(b"HTTP/1.1 200 OK") == 4
