"""Readiness: told to stop, a process serves on for a while, and says it is not ready."""

import asyncio
import os
import signal
from collections.abc import Iterator
from time import monotonic

import pytest

from fhir_server.observability.readiness import Readiness


@pytest.fixture
def stops() -> Iterator[list[float]]:
    """When whoever handled SIGTERM before was called."""
    times: list[float] = []
    before = signal.signal(signal.SIGTERM, lambda *_: times.append(monotonic()))
    yield times
    signal.signal(signal.SIGTERM, before)


async def _until(times: list[float]) -> None:
    async with asyncio.timeout(5):
        while not times:
            await asyncio.sleep(0.005)


@pytest.mark.anyio
async def test_the_signal_is_passed_on_after_the_delay(stops: list[float]) -> None:
    readiness = Readiness(delay=0.2)
    readiness.watch()
    assert readiness.stopping is False
    asked = monotonic()

    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.05)

    assert (readiness.stopping, stops) == (True, [])
    await _until(stops)
    assert stops[0] - asked >= 0.2


@pytest.mark.anyio
async def test_a_second_signal_is_passed_on_at_once(stops: list[float]) -> None:
    Readiness(delay=60).watch()

    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)

    await _until(stops)


@pytest.mark.anyio
@pytest.mark.parametrize(("grace", "closing"), [(0.0, True), (60.0, False)])
async def test_nothing_more_begins_once_the_grace_is_over(
    stops: list[float], *, grace: float, closing: bool
) -> None:
    readiness = Readiness(grace=grace)
    readiness.watch()
    assert readiness.closing is False

    os.kill(os.getpid(), signal.SIGTERM)
    await _until(stops)

    assert readiness.closing is closing
