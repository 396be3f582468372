"""What a process says of itself while it writes: which custom parameters it indexes by.

A record in the store that ends by itself. A process writes only while its record is sure to be
there; it is half as long sure as it lasts, so that clocks may differ by the other half. Who writes
nothing says nothing, and nobody waits for it.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Final

from fhir_server.kit.clock import Clock
from fhir_server.storage.base import KeyValue, StoreError

_NAMESPACE: Final = "processes"


class Presence:
    def __init__(self, key_value: KeyValue, clock: Clock, seconds: float) -> None:
        """A record lasts that many seconds."""
        self._key_value = key_value
        self._clock = clock
        self._seconds = seconds
        self._id = secrets.token_hex(8)
        self._ends = 0.0
        self.sure_until = 0.0
        """Until then, of the monotonic clock, this process may write."""
        self._told: bytes | None = None
        self._saying = asyncio.Lock()

    def said(self, digest: str) -> bool:
        """Whether others need not be told: the record says it, or is no more."""
        return self._told == digest.encode() or monotonic() >= self._ends

    async def say(self, digest: str) -> float:
        """Write the record; until when it can be relied on."""
        began, value = monotonic(), digest.encode()
        expires = self._clock.now() + int(self._seconds * 1000)
        async with self._saying:
            for expected in dict.fromkeys((self._told, None)):
                set_ = self._key_value.compare_and_set
                if await set_(_NAMESPACE, self._id, expected, value, expires):
                    self._told, self._ends = value, began + self._seconds
                    return began + self._seconds / 2
            # A call that failed was carried out after all: that record will end by itself.
            self._id, self._told = secrets.token_hex(8), None
        raise StoreError("what this process says of itself was not stored")

    async def others_know(self, digest: str) -> bool:
        """Whether every other process that may write indexes by these parameters."""
        records = await self._key_value.items(_NAMESPACE)
        return all(value == digest.encode() for id_, value in records if id_ != self._id)

    async def leave(self) -> None:
        """Take the record away: nobody need wait for this process."""
        self.sure_until = 0.0
        if self._told is not None:
            await self._key_value.compare_and_set(_NAMESPACE, self._id, self._told, None)


class Flights:
    """Commits under way, by what they are indexed by."""

    def __init__(self, later: Callable[[Callable[[], None]], None]) -> None:
        """`later` calls back when a commit of which nothing was heard must have ended."""
        self._under_way: Counter[str] = Counter()
        self._later = later
        self.begun = 0
        """How many ever began."""

    def began(self, digest: str) -> None:
        self.begun += 1
        self._under_way[digest] += 1

    def ended(self, digest: str) -> None:
        self._under_way[digest] -= 1
        if not self._under_way[digest]:
            del self._under_way[digest]

    def lost(self, digest: str) -> None:
        """It may still be carried out, though nobody waits for it."""
        self._later(lambda: self.ended(digest))

    def other_than(self, digest: str) -> str | None:
        """What some commit under way is indexed by, if that is not these parameters."""
        return next((each for each in self._under_way if each != digest), None)

    @property
    def any(self) -> bool:
        return bool(self._under_way)
