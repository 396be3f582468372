"""Many small calls become one: what is asked while a call is under way goes with the next.

The driver's cost is per call, not per document, so concurrent point reads of a type become one
`$in` and concurrent creates one unordered insert. A lone caller waits for nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from fhir_server.storage.mongo.calls import Calls

Item = TypeVar("Item")
Result = TypeVar("Result")

Run = Callable[[str, Sequence[Item]], Awaitable[Sequence[Result | Exception]]]
"""Does a batch of one group; the results, or what went wrong with each, are in its order."""


class Coalescer(Generic[Item, Result]):
    """Collects items by group and runs them in batches, `flights` of a group at a time."""

    def __init__(
        self, run: Run[Item, Result], calls: Calls, *, limit: int = 200, flights: int = 2
    ) -> None:
        self._run = run
        self._calls = calls
        self._limit = limit
        self._flights = flights
        self._waiting: dict[str, list[tuple[Item, asyncio.Future[Result]]]] = {}
        self._flying: dict[str, int] = {}

    async def __call__(self, group: str, item: Item) -> Result:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        waiting = self._waiting.setdefault(group, [])
        waiting.append((item, future))
        if len(waiting) == 1 and self._flying.get(group, 0) < self._flights:
            loop.call_soon(self._start, group)
        return await future

    def _start(self, group: str) -> None:
        waiting = self._waiting.get(group, [])
        if not waiting or self._flying.get(group, 0) >= self._flights:
            return
        batch, self._waiting[group] = waiting[: self._limit], waiting[self._limit :]
        self._flying[group] = self._flying.get(group, 0) + 1
        self._calls.begin(self._fly(group, batch))
        if self._waiting[group]:
            self._start(group)

    async def _fly(self, group: str, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._run(group, [item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  # every waiter is told; none is left waiting
            results = [error] * len(batch)
        finally:
            self._flying[group] -= 1
        for (_, future), result in zip(batch, results, strict=True):
            _settle(future, result)
        self._start(group)


def _settle(future: "asyncio.Future[Result]", result: Result | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
