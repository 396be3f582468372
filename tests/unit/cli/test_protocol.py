"""Answers leave in one write, and none of it is ever left behind."""

import asyncio
from typing import Any

import pytest

from fhir_server.cli.protocol import JoiningTransport

pytestmark = pytest.mark.anyio


class Recorder:
    """Stands for the transport to the outside."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def write(self, data: bytes) -> None:
        self.calls.append(("write", data))

    def writelines(self, parts: Any) -> None:
        self.calls.append(("writelines", tuple(parts)))

    def close(self) -> None:
        self.calls.append(("close", None))

    def is_closing(self) -> bool:
        return False


def joining(recorder: Recorder) -> JoiningTransport:
    return JoiningTransport(recorder, asyncio.get_running_loop())  # type: ignore[arg-type]


async def test_head_and_body_are_one_write() -> None:
    recorder = Recorder()
    transport = joining(recorder)

    transport.write(b"head")
    transport.write(b"body")
    await asyncio.sleep(0)

    assert recorder.calls == [("writelines", (b"head", b"body"))]


async def test_a_lone_write_leaves_with_the_turn() -> None:
    recorder = Recorder()
    transport = joining(recorder)

    transport.write(b"HTTP/1.1 100 Continue")
    assert recorder.calls == []
    await asyncio.sleep(0)

    assert recorder.calls == [("write", b"HTTP/1.1 100 Continue")]


async def test_closing_sends_what_waits_first() -> None:
    recorder = Recorder()
    transport = joining(recorder)

    transport.write(b"head")
    transport.close()
    await asyncio.sleep(0)

    assert recorder.calls == [("write", b"head"), ("close", None)]


async def test_three_writes_keep_their_order() -> None:
    recorder = Recorder()
    transport = joining(recorder)

    for part in (b"1", b"2", b"3"):
        transport.write(part)
    await asyncio.sleep(0)

    assert recorder.calls == [("writelines", (b"1", b"2")), ("write", b"3")]


async def test_everything_else_is_the_transport_s_own() -> None:
    assert joining(Recorder()).is_closing() is False
