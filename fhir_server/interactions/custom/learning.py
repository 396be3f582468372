"""Learning: this process knows the custom search parameters, whoever changed them.

It looks at the newest versions of SearchParameters every second, which is one small query, and
reads all of them when there is a new one. A request uses the vocabulary there is: none waits for
the store but the first write after a while in which nothing was written.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final

import structlog

from fhir_server.definitions.registry import Definitions
from fhir_server.fhir import json_format
from fhir_server.interactions.custom.customs import TYPE, Customs, read_customs
from fhir_server.interactions.custom.presence import Flights, Presence
from fhir_server.interactions.custom.progress import Progress, Record
from fhir_server.interactions.custom.vocabulary import Vocabulary
from fhir_server.kit.clock import Clock
from fhir_server.storage.base import KeyValue, Store
from fhir_server.storage.versions import Change, Terms, Version

_NEWEST: Final = 8
"""Versions looked at: so many may a machine whose clock is ahead have written since."""
_MEND_SECONDS: Final = 5.0
"""How long a write waits for its own mending."""
_log = structlog.get_logger()

Make = Callable[[Customs], Vocabulary]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds, and how much at once."""

    look: float = 1.0
    """Between two looks at what others have changed."""
    reread: float = 60.0
    """After which all is read again whatever the look says."""
    presence: float = 20.0
    """For which the record of a process lasts: what others wait for when it is killed."""
    lost: float = 60.0
    """After which a commit that nothing was heard of has ended."""
    at_once: int = 100
    """Resources indexed again together."""
    save: float = 1.0
    """Between two notes of how far the building is."""


class Learner:
    def __init__(
        self,
        store: Store,
        key_value: KeyValue,
        definitions: Definitions,
        make: Make,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self.store = store
        self.pace = pace
        self.progress = Progress(key_value)
        self.vocabulary = make(Customs())
        self.woken = asyncio.Event()
        """Set when there may be something to build."""
        self.presence = Presence(key_value, clock, self.pace.presence)
        self.flights = Flights(self._when_lost)
        self.definitions = definitions
        self._make = make
        self._seen: Sequence[tuple[str, int, int]] = ()
        self._read_at = 0.0
        self._learning = asyncio.Lock()
        self._renewing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun = 0

    @property
    def digest(self) -> str:
        """What this process indexes by."""
        return self.vocabulary.customs.digest

    @property
    def agreed(self) -> str:
        """What this process can say it indexes by: no commit of it is under way otherwise."""
        return self.flights.other_than(self.digest) or self.digest

    def terms(self, resource: dict[str, Any]) -> Terms:
        """As `Indexer.terms`, of the parameters there are now."""
        return self.vocabulary.indexer.terms(resource)

    async def learn(self) -> None:
        """Know what is stored now."""
        async with self._learning:
            seen = await self._newest()
            customs = await read_customs(self.store, self.definitions)
            record = await self.progress.read()
            vocabulary = self.vocabulary
            if customs.parameters == vocabulary.customs.parameters:
                vocabulary = replace(vocabulary, customs=customs)
            else:
                vocabulary = self._make(customs)
            self.vocabulary = vocabulary.with_progress(record)
            self._seen, self._read_at = seen, monotonic()
            self.woken.set()

    async def look(self) -> None:
        """Learn if something has changed; say what is known, if others wait to hear it."""
        if await self._newest() != self._seen or monotonic() > self._read_at + self.pace.reread:
            await self.learn()
        elif self.vocabulary.building:
            self.show(await self.progress.read())
        if not self.presence.said(self.agreed):
            await self.presence.say(self.agreed)
        if self.flights.any or self.flights.begun != self._begun:
            self._begun = self.flights.begun
            await self._renew(monotonic() + self.pace.presence / 4)

    def show(self, record: Record) -> None:
        """Let searches and the capability statement tell of this progress."""
        if record != self.vocabulary.record:
            self.vocabulary = self.vocabulary.with_progress(record)

    async def begin(self) -> str:
        """A commit begins: what it is indexed by. Each is told to `ended`."""
        if monotonic() >= self.presence.sure_until:
            await self._renew(monotonic())
        digest = self.vocabulary.customs.digest
        self.flights.began(digest)
        return digest

    def ended(
        self, digest: str, changes: Sequence[Change], outcome: str
    ) -> Coroutine[Any, Any, None] | None:
        """A commit ended, `stored` or with a `conflict`, or nobody knows; what is left to do.

        Without changes it came to nothing before the store heard of it.
        """
        if outcome == "conflict" or not changes:
            self.flights.ended(digest)
        elif outcome != "stored":
            self.flights.lost(digest)
        elif any(change.version.type == TYPE for change in changes):
            return self._in_background(self._learned(digest, changes))
        elif digest != self.vocabulary.customs.digest or monotonic() >= self.presence.sure_until:
            return self._in_background(self._mend(digest, changes))
        else:
            self.flights.ended(digest)
        return None

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.presence.leave()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
        """Work that goes on though its caller does not, who waits for it a little."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

        async def wait() -> None:
            await asyncio.wait({task}, timeout=_MEND_SECONDS)

        return wait()

    async def _learned(self, digest: str, changes: Sequence[Change]) -> None:
        try:
            await self.learn()
        except Exception as error:  # noqa: BLE001 -- it is stored, and the next look may do better
            _log.warning("custom search parameters could not be read", exc_info=error)
        await self._mend(digest, changes)

    async def _mend(self, digest: str, changes: Sequence[Change]) -> None:
        """Give what was stored the terms it would get now, if this process has learned since."""
        try:
            indexed_by, done = digest, False
            while not done:
                try:
                    done = (now := await self._indexed_again(indexed_by, changes)) == indexed_by
                    indexed_by = now
                except Exception as error:  # noqa: BLE001 -- until it is done
                    _log.warning("what was written could not be indexed again", exc_info=error)
                    await asyncio.sleep(self.pace.look)
        finally:
            self.flights.ended(digest)

    async def _indexed_again(self, before: str, changes: Sequence[Change]) -> str:
        """What they are indexed by, after this."""
        digest = await self.begin()
        try:
            if digest != before:
                await self.index([change.version for change in changes])
        finally:
            self.flights.ended(digest)
        return digest

    async def index_stored(self, versions: Sequence[Version]) -> None:
        """`index`, as a commit of its own among those of other processes."""
        digest = await self.begin()
        try:
            await self.index(versions)
        finally:
            self.flights.ended(digest)

    async def index(self, versions: Sequence[Version]) -> None:
        """Index what is stored already again, by the parameters there are now."""
        await self.store.retag(
            [
                Change(version, self.terms(json_format.parse(version.content)))
                for version in versions
                if version.content is not None
            ]
        )

    async def _renew(self, before: float) -> None:
        """Make sure of the right to write beyond a moment: say what is known, then look.

        In this order: who changes the parameters does it first and then asks who is there. So
        either they see us, or we see the change.
        """
        async with self._renewing:
            while self.presence.sure_until <= before:
                until = await self.presence.say(self.agreed)
                if await self._newest() == self._seen:
                    self.presence.sure_until = until
                else:
                    await self.learn()

    async def _newest(self) -> Sequence[tuple[str, int, int]]:
        """The last changes of SearchParameters."""
        versions = await self.store.history(TYPE, limit=_NEWEST)
        return [(each.id, each.ordinal, each.number) for each in versions]

    def _when_lost(self, then: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(self.pace.lost, then)
