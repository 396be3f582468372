"""How much the answer to a bundle may hold, and how long its entries may take together.

What writes is never cut short: what was begun ends, and what the allowance no longer covers is
refused before it begins.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fhir_server.errors import TimedOut, TooCostly
from fhir_server.interactions.request import Reply


@dataclass(slots=True)
class Allowance:
    """What is left for the entries that are still to come."""

    bytes: int
    """Of resources in the answer, at the beginning."""
    seconds: float
    """From now on."""
    _taken: int = 0
    _full: bool = False
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = asyncio.get_running_loop().time() + self.seconds

    def require_time(self) -> None:
        """TimedOut when the time is up."""
        if asyncio.get_running_loop().time() >= self._until:
            raise TimedOut(
                f"The entries before took the {self.seconds:g} s that a bundle may take, so this "
                "one was not begun; send it again."
            )

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Cuts short what is within when the time is up: TimedOut. Nothing may be stored there."""
        try:
            async with asyncio.timeout_at(self._until):
                yield
        except TimeoutError:
            raise TimedOut(
                f"The transaction took the {self.seconds:g} s that a bundle may take, so nothing "
                "was stored; send it again, in smaller ones if it can be parted."
            ) from None

    def require_room(self) -> None:
        """TooCostly once an answer had no room."""
        if self._full:
            raise TooCostly(
                f"The answer would hold more than {self.bytes} bytes of resources; ask for less,"
                " or in several bundles."
            )

    def count(self, reply: Reply, *, asked: bool) -> None:
        """Count the resource of a reply.

        With no room for it: TooCostly where it was what the entry asked for, else it is not shown.
        """
        taken = self._taken + _size(reply)
        if taken <= self.bytes:
            self._taken = taken
            return
        self._full = True
        if asked:
            self.require_room()
        reply.shows_version = False

    def forget_room(self) -> None:
        """Begin anew with an answer of nothing, in the time that is left."""
        self._taken, self._full = 0, False


def _size(reply: Reply) -> int:
    if isinstance(reply.content, bytes):
        return len(reply.content)
    if reply.content is None and reply.version is not None and reply.shows_version:
        return len(reply.version.content or b"")
    return 0
