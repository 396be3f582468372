"""Answers that an application gives at once, by what our server adds to ASGI."""

import asyncio
from typing import Any

import pytest

from fhir_server.api.response import WHOLE_ANSWER
from fhir_server.cli.exchange import Exchange
from tests.support.site import GET, POST, answer, hesitant, last, site

pytestmark = pytest.mark.anyio

SCOPE = {"method": "GET", "http_version": "1.1"}


class _Line:
    """A connection whose caller takes nothing until `room`."""

    default_headers = ()
    default_lines = b""

    def __init__(self) -> None:
        self.full = False
        self.room = asyncio.Event()
        self.written: list[bytes] = []
        self.write = self.written.append

    async def drained(self) -> None:
        await self.room.wait()

    def taken(self) -> None: ...

    def answered(self) -> None: ...


async def _whole(scope: Any, _receive: Any, _send: Any) -> None:
    await scope["extensions"][WHOLE_ANSWER](200, [(b"etag", b'W/"1"')], b"hello")


async def test_a_whole_answer_goes_out_like_any_other_and_the_next_follows() -> None:
    async with site(_whole) as here:
        said = await here.says(GET % b"1" + last(GET % b"2"))

    lines = b'HTTP/1.1 200 OK\r\ndate: today\r\netag: W/"1"\r\ncontent-length: 5\r\n'
    assert said == lines + b"\r\nhello" + lines + b"connection: close\r\n\r\nhello"


async def test_after_a_body_that_was_not_asked_for_the_connection_ends() -> None:
    async with site(_whole) as here:
        said = await here.says(hesitant(POST % (b"", 3)))

    assert b"connection: close\r\n" in said


async def test_a_date_that_is_another_is_told() -> None:
    async with site(_whole) as here:
        reader, writer = await here.connect()
        for day in (b"today", b"tomorrow"):
            here.state.default_headers = [(b"date", day)]
            writer.write(GET % b"1")
            assert b"date: " + day + b"\r\n" in await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(5)


async def test_no_second_answer_is_written() -> None:
    refused: list[str] = []

    async def twice(scope: Any, receive: Any, send: Any) -> None:
        begins = scope["path"] == "/begun"
        if begins:
            start: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
            await send(start)
        else:
            await _whole(scope, receive, send)
        try:
            await _whole(scope, receive, send)
        except RuntimeError as error:
            refused.append(str(error))
        if begins:
            await send({"type": "http.response.body", "body": b"rest"})

    async with site(twice) as here:
        said = await here.says(GET % b"whole" + last(GET % b"begun"))

    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert said.count(b"hello") == 1
    assert refused == ["an answer does not follow what was sent before"] * 2


async def test_a_header_that_no_header_may_be_becomes_an_error() -> None:
    async def broken(scope: Any, _receive: Any, _send: Any) -> None:
        await scope["extensions"][WHOLE_ANSWER](200, [(b"etag", b"a\r\nb: c")], b"hello")

    async with site(broken) as here:
        said = await here.says(GET % b"1")

    assert said.startswith(b"HTTP/1.1 500 ")
    assert b"b: c" not in said


async def test_a_whole_answer_waits_for_a_caller_who_takes_nothing() -> None:
    line = _Line()
    line.full = True
    exchange = Exchange(line, dict(SCOPE), keep_alive=True, continues=False)
    running = asyncio.create_task(exchange.run(_whole))
    await asyncio.sleep(0.01)
    assert not line.written

    line.room.set()
    await running

    assert len(line.written) == 1


async def test_a_caller_who_is_gone_is_not_answered() -> None:
    line = _Line()
    exchange = Exchange(line, dict(SCOPE), keep_alive=True, continues=False)
    exchange.leave()

    await exchange.run(_whole)

    assert not line.written


async def test_an_application_may_as_well_answer_in_parts() -> None:
    async def parts(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, b"hello")

    async with site(parts) as here:
        assert (await here.says(last(GET % b"1"))).endswith(b"\r\n\r\nhello")
