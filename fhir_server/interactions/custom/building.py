"""Building: what was stored before a custom search parameter came is indexed by it.

One pass over the types concerned and those that contain some of them, in order of id, by one
process; it goes on where it stopped when that process ends. It waits until all who write index by
the parameters: then what it has gone by stays right.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

import structlog
from msgspec.structs import replace

from fhir_server.interactions.custom.learning import Learner
from fhir_server.interactions.custom.progress import Pass, Progress, Record
from fhir_server.search.contained import there
from fhir_server.search.custom import concrete_types
from fhir_server.storage.query import KeyIs, Plan
from fhir_server.storage.versions import Version

_WAIT: Final = 0.1
"""Seconds between two looks whether all know."""
_PATIENCE: Final = 1.0
"""Seconds after which a cancellation has gone astray."""
_SHARE: Final = 0.5
"""Of the time a batch takes, how long the next one waits: requests come first."""
_log = structlog.get_logger()


async def live(learner: Learner, *, builds: bool = True) -> None:
    """Look and, if it `builds`, build until cancelled."""
    building: asyncio.Task[None] | None = None
    try:
        while True:
            await _pause(learner)
            try:
                await learner.look()
            except Exception as error:  # noqa: BLE001 -- the next look may do better
                _log.warning("custom search parameters could not be looked at", exc_info=error)
            if builds and (building is None or building.done()):
                building = asyncio.create_task(_build_logged(learner))
    finally:
        if building is not None:
            await cancelled(building)


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end; again when a driver has swallowed it."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_PATIENCE)


async def _pause(learner: Learner) -> None:
    """Wait for the next look, which comes at once when this process has learned something."""
    with suppress(TimeoutError):
        async with asyncio.timeout(learner.pace.look):
            await learner.woken.wait()
    learner.woken.clear()


async def _build_logged(learner: Learner) -> None:
    try:
        await build(learner)
    except Exception as error:  # noqa: BLE001 -- it goes on with the next look
        _log.warning("building of search parameters was interrupted", exc_info=error)


async def build(learner: Learner) -> None:
    """Build what is not built, unless another process does."""
    if not learner.vocabulary.building:
        if set(learner.vocabulary.record.ready).difference(_incarnations(learner)):
            await _forget_the_gone(learner)
        return
    digest = learner.digest
    await _all_know(learner, digest)
    if learner.digest == digest:
        await _Building(learner, digest).run()


async def _all_know(learner: Learner, digest: str) -> None:
    """Wait until nobody writes by other parameters any more, or this process has learned more."""
    while learner.digest == digest:
        if learner.agreed == digest and await learner.presence.others_know(digest):
            return
        await asyncio.sleep(_WAIT)


async def _forget_the_gone(learner: Learner) -> None:
    progress = Progress(learner.progress.key_value)
    await progress.read()
    await progress.keep_only(_incarnations(learner))


def _incarnations(learner: Learner) -> Sequence[str]:
    return [each.incarnation for each in learner.vocabulary.customs.parameters]


class _Building:
    """One pass by this process."""

    def __init__(self, learner: Learner, digest: str) -> None:
        self._learner = learner
        self._digest = digest
        self._wanted = learner.vocabulary.unbuilt
        definitions = learner.vocabulary.catalog.definitions
        self._own = {type_ for each in self._wanted for type_ in concrete_types(each, definitions)}
        self._progress = Progress(learner.progress.key_value)

    async def run(self) -> None:
        record = await self._progress.read()
        running = await self._resumed(record)
        if running is None:
            return
        _log.info("building search parameters", codes=self._codes, resources=running.total)
        for type_ in await self._types():
            if type_ < running.type:
                continue
            if type_ > running.type:
                running = replace(running, type=type_, after="")
            ended = await self._type(running)
            if ended is None:
                return
            running = ended
        ready = {*self._progress.seen.ready, *running.building}
        kept = tuple(each for each in _incarnations(self._learner) if each in ready)
        if self._learner.digest == self._digest and await self._save(Record(kept)):
            _log.info("search parameters are ready", codes=self._codes)

    @property
    def _codes(self) -> Sequence[str]:
        return [each.code for each in self._wanted]

    async def _resumed(self, record: Record) -> Pass | None:
        """The pass to go on with, noted in the store; None if another process was faster."""
        building = tuple(sorted(each.incarnation for each in self._wanted))
        running = record.running
        if running is None or running.building != building:
            counts = await self._learner.store.counts()
            total = sum(counts.get(type_, 0) for type_ in await self._types())
            running = Pass(building, total=total)
        kept = tuple(each for each in record.ready if each in _incarnations(self._learner))
        return running if await self._save(Record(kept, running)) else None

    async def _types(self) -> Sequence[str]:
        """The types that have resources of the parameters' types, or contain some, in order."""
        stored = (await self._learner.store.counts()).keys()
        containers = [each for each in stored - self._own if await self._contains_own(each)]
        return sorted({*(self._own & stored), *containers})

    async def _contains_own(self, container: str) -> bool:
        keys = tuple(there(type_, 0) for type_ in sorted(self._own))
        number, _ = await self._learner.store.count(Plan(container, KeyIs(keys)), 1)
        return number > 0

    def _concerned(self, versions: Sequence[Version]) -> Sequence[Version]:
        """Of versions of one type those that the parameters, or what they contain, may be about."""
        if not versions or versions[0].type in self._own:
            return versions
        return [each for each in versions if b'"contained"' in (each.content or b"")]

    async def _type(self, running: Pass) -> Pass | None:
        """Go on with a type to its end; None when another process, or another pass, takes over."""
        learner, pace = self._learner, self._learner.pace
        saved = monotonic()
        while True:
            began = monotonic()
            versions = await learner.store.scan(running.type, running.after, pace.at_once)
            if not versions:
                return running
            known = await learner.begin()
            try:
                if known != self._digest:
                    return None
                if concerned := self._concerned(versions):
                    await learner.index(concerned)
            finally:
                learner.flights.ended(known)
            done = running.done + len(versions)
            running = replace(running, after=versions[-1].id, done=done)
            if monotonic() > saved + pace.save:
                saved = monotonic()
                if not await self._save(Record(self._progress.seen.ready, running)):
                    return None
            await asyncio.sleep((monotonic() - began) * _SHARE)

    async def _save(self, record: Record) -> bool:
        if not await self._progress.replace(record):
            return False
        self._learner.show(record)
        return True
