"""Calls under way, each in a task of its own: who goes away interrupts no command of the driver.

PyMongo loses the connection that it is making when it is cancelled: the socket stays open for as
long as the process lives, and counts in the pool. So what a caller leaves behind has a second to
end by itself before it is cancelled, and closing a store waits for it.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

LEFT_SECONDS = 1.0

Result = TypeVar("Result")


class Calls:
    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def carry(self, call: Coroutine[Any, Any, Result]) -> Result:
        """What the call answers; it ends soon after its caller has gone away."""
        task = asyncio.create_task(call)
        self._watch(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_later(LEFT_SECONDS, task.cancel)
            raise

    def begin(self, call: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A call on behalf of nobody in particular: without the deadline of who began it."""
        task = asyncio.create_task(call, context=Context())
        self._watch(task)
        return task

    async def finish(self, call: Coroutine[Any, Any, None]) -> None:
        """Carry a call to its end, even if the caller goes away meanwhile."""
        await asyncio.shield(self.begin(call))

    async def ended(self) -> None:
        """Wait for all of them; those that come meanwhile too."""
        while self._running:
            await asyncio.wait(set(self._running))  # whoever ceases to wait ends none of them

    def _watch(self, task: asyncio.Task[Any]) -> None:
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be left to ask for it
