"""Callers who are slow, silent or gone, and a server that stops.

https://www.rfc-editor.org/rfc/rfc9112
"""

import asyncio
from typing import Any

import pytest

from fhir_server.cli import connection
from tests.support.site import GET, POST, answer, bodies, echo, last, site, whole

pytestmark = pytest.mark.anyio


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
