"""Calls made together become one; each caller gets its own answer."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from fhir_server.storage.mongo.calls import Calls
from fhir_server.storage.mongo.coalescing import Coalescer

pytestmark = pytest.mark.anyio


class Upper:
    """Turns text into capitals, counts its calls, and refuses `bad`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.going = asyncio.Event()
        self.going.set()

    async def __call__(self, group: str, items: Sequence[str]) -> Sequence[str | Exception]:
        self.calls.append((group, list(items)))
        await self.going.wait()
        return [ValueError(item) if item == "bad" else item.upper() for item in items]


async def test_calls_of_one_turn_are_one_call_per_group() -> None:
    upper = Upper()
    call = Coalescer(upper, Calls())
    wanted = [call("x", "a"), call("y", "b"), call("x", "c")]
    assert await asyncio.gather(*wanted) == ["A", "B", "C"]
    assert upper.calls == [("x", ["a", "c"]), ("y", ["b"])]


async def test_what_is_asked_while_calls_are_under_way_goes_together_afterwards() -> None:
    upper = Upper()
    upper.going.clear()
    call = Coalescer(upper, Calls(), flights=1)
    first = asyncio.create_task(call("x", "a"))
    await asyncio.sleep(0.01)
    rest = [asyncio.create_task(call("x", item)) for item in "bcd"]
    await asyncio.sleep(0.01)
    assert upper.calls == [("x", ["a"])]
    upper.going.set()
    assert await asyncio.gather(first, *rest) == ["A", "B", "C", "D"]
    assert upper.calls == [("x", ["a"]), ("x", ["b", "c", "d"])]


async def test_a_batch_is_no_larger_than_allowed() -> None:
    upper = Upper()
    call = Coalescer(upper, Calls(), limit=3)
    await asyncio.gather(*(call("x", f"{number}") for number in range(8)))
    assert [len(items) for _, items in upper.calls] == [3, 3, 2]


async def test_one_refusal_is_told_to_its_caller_alone() -> None:
    call = Coalescer(Upper(), Calls())
    results = await asyncio.gather(call("x", "a"), call("x", "bad"), return_exceptions=True)
    assert results[0] == "A"
    assert isinstance(results[1], ValueError)


async def test_a_failed_call_is_told_to_all_and_the_next_goes_on() -> None:
    failing = True

    async def run(_group: str, items: Sequence[str]) -> Sequence[str | Exception]:
        if failing:
            raise OSError
        return items

    call = Coalescer(run, Calls())
    results = await asyncio.gather(call("x", "a"), call("x", "b"), return_exceptions=True)
    assert [type(result) for result in results] == [OSError, OSError]
    failing = False
    assert await call("x", "a") == "a"


async def test_a_caller_who_goes_away_takes_nobody_along() -> None:
    call = Coalescer(Upper(), Calls())
    leaving = asyncio.create_task(call("x", "a"))
    staying = asyncio.create_task(call("x", "b"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == "B"


async def test_no_call_runs_in_the_context_of_one_of_its_callers() -> None:
    """A caller's deadline lies there: those of others, and of the calls behind it, are later."""
    caller: ContextVar[str] = ContextVar("caller", default="nobody")
    seen: list[str] = []

    async def note(_: str, items: Sequence[str]) -> Sequence[str | Exception]:
        seen.append(caller.get())
        await asyncio.sleep(0.01)
        return items

    async def ask(call: Coalescer[str, str], item: str) -> str:
        caller.set(item)
        return await call("x", item)

    call = Coalescer[str, str](note, Calls(), flights=1)
    first = asyncio.create_task(ask(call, "a"))
    await asyncio.sleep(0.005)
    second = asyncio.create_task(ask(call, "b"))
    assert [await first, await second] == ["a", "b"]
    assert seen == ["nobody", "nobody"]


async def test_who_closes_can_wait_for_what_callers_left_behind() -> None:
    upper = Upper()
    upper.going.clear()
    calls = Calls()
    call = Coalescer(upper, calls, flights=1)
    gone = [asyncio.create_task(call("x", item)) for item in "ab"]
    await asyncio.sleep(0.01)
    gone.append(asyncio.create_task(call("x", "c")))
    await asyncio.sleep(0.01)
    for task in gone:
        task.cancel()
    landed = asyncio.create_task(calls.ended())
    await asyncio.sleep(0.01)
    assert not landed.done()
    upper.going.set()
    await landed
    assert upper.calls == [("x", ["a", "b"]), ("x", ["c"])]
    assert [task for task in asyncio.all_tasks() if "_fly" in repr(task)] == []
