"""A caller who goes away leaves nothing half done, and not for long."""

import asyncio
import gc
import random

import pytest

from fhir_server.storage.mongo import calls
from fhir_server.storage.mongo.calls import Calls
from tests.support.mongo import new_address
from tests.support.mongo_alone import opened
from tests.support.mongo_proxy import Stall

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_transactions")]


async def test_a_caller_who_goes_away_leaves_no_connection_half_made() -> None:
    randomness = random.Random(5)
    for _ in range(5):
        async with opened(new_address()) as store:
            callers = [asyncio.create_task(store.scan("Alpha")) for _ in range(20)]
            for caller in callers:
                await asyncio.sleep(randomness.random() * 0.002)
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
        gc.collect()  # an open socket that nobody has any more fails the test


async def test_what_a_caller_left_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "LEFT_SECONDS", 0.05)
    address = new_address()
    stall = Stall(address)
    async with stall.listening(), opened(stall.url) as slow:
        stall.hold_next("find", slow.collections.current("Alpha").name)
        left = asyncio.create_task(slow.scan("Alpha"))
        await stall.reached.wait()
        left.cancel()
        await asyncio.wait_for(slow.calls.ended(), 5)
        assert left.cancelled()


async def test_who_ceases_to_wait_for_the_end_of_calls_ends_none() -> None:
    all_calls, done = Calls(), []

    async def commit() -> None:
        await asyncio.sleep(0.05)
        done.append("commit")

    under_way = asyncio.create_task(all_calls.finish(commit()))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(all_calls.ended(), 0.01)
    await under_way
    assert done == ["commit"]
