"""Commits that are all or nothing on a server without transactions.

One document decides: the commit's entry in `store.commits`, which is compared and set from
`pending` to `decided` or to `aborted`, once. Everything else leads up to it or follows from it.

    1  register   entry `pending`, with the final documents (more of them in `store.parts`)
    2  turn       a commit with guards lets its elder rivals pass (claims.py)
    3  hold       mark every resource with the commit's id: `t` on a current document of exactly
                  the predecessor's number that has no `t`; a placeholder of number 0 to create
    4  guards     are looked at
    5  decide     pending -> decided; from here on the commit has happened
    6  apply      per resource: the superseded version to history, then replace `{_id, t: commit}`
    7  forget     the entry first, then its parts

Why it holds:

- A `t` is set, and asked for, by the same atomic operation that looks at the number; commits of a
  single resource ask for its absence too. So nobody writes to a resource that another holds.
- Nobody waits while holding: who finds a resource held lets all go and begins again with a new
  id. So there are no deadlocks, and a late operation of an old attempt finds nothing of the new.
- Before 5, readers see the old versions, as placeholders have no terms and no content. A crash
  leaves an entry `pending`; whoever is hindered by it for too long aborts it, and an owner that
  was merely slow fails at 5 and begins again.
- After 5, anyone may apply: each replacement asks for `t` and history is insert-only, so doing it
  twice, at once or late changes nothing. Until it is done readers may see part of a commit; the
  owner answers only afterwards. A crash leaves an entry `decided`, and the next `open`, the
  sweep of any process or whoever is hindered by it finishes it.
- An entry is deleted only when nothing is held any more. A `t` without an entry is what a late
  operation of an aborted commit left: it means nothing and may be taken away by anyone.
- Parts are written before anything is held and read only while the entry is there. An entry
  half written has decided nothing.
"""

from collections.abc import Sequence

from fhir_server.kit.ids import IdSource
from fhir_server.storage.mongo.claims import (
    DECIDED,
    PENDING,
    Contended,
    Job,
    Overtaken,
    Waiting,
    rival,
)
from fhir_server.storage.mongo.documents import Write, held_by
from fhir_server.storage.mongo.entries import Entries
from fhir_server.storage.mongo.holding import Holding
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.topology import Document


class RedoLog:
    """Commits by the protocol above, and finishes those that others left."""

    def __init__(
        self,
        collections: Collections,
        entries: Entries,
        holding: Holding,
        ids: IdSource,
    ) -> None:
        self._commits = collections.commits
        self._entries = entries
        self._holding = holding
        self._ids = ids

    async def commit(self, job: Job) -> None:
        """Store all or nothing; Conflict, GuardFailed, or DeadlineExceeded with nothing stored."""
        while True:
            try:
                return await self._attempt(self._ids.new_id(), job)
            except Contended as contended:
                await self._let_pass(contended, job.waiting)
            await job.check(None)  # a guard that the other broke need not queue again

    async def clear(self, contended: Contended, waiting: Waiting) -> None:
        """Let the commit that is in the way pass, or finish it when it seems to be dead."""
        if contended.commit is not None:
            entry = await self._entries.find(contended.commit)
            if entry is None:
                await self._holding.release(
                    contended.commit, {contended.type: [contended.id]} if contended.type else {}
                )
            elif waiting.tired_of(contended.commit):
                await self._settle(entry)
        await waiting.pause()

    async def recover(self, abandoned: int) -> None:
        """Finish what was decided; abort what has been pending since before `abandoned` (ms)."""
        for entry in await self._entries.unfinished():
            if entry["s"] != PENDING or entry["at"] < abandoned:
                whole = await self._entries.find(entry["_id"])
                if whole is not None:
                    await self._settle(whole)
        await self._entries.sweep()

    async def _let_pass(self, contended: Contended, waiting: Waiting) -> None:
        """Stay away until an elder rival is gone: it waits for all younger ones to be."""
        await self.clear(contended, waiting)
        if isinstance(contended, Overtaken) and contended.commit is not None:
            while await self._entries.find(contended.commit) is not None:
                await self.clear(contended, waiting)

    async def _attempt(self, commit: str, job: Job) -> None:
        try:
            await self._lead_up(commit, job)
        except BaseException:
            await self._abandon(commit, job.writes)
            raise
        await self._holding.apply(commit, job.writes)
        await self._entries.forget(commit)

    async def _lead_up(self, commit: str, job: Job) -> None:
        await self._entries.register(commit, job.age, job.claims, job.writes)
        while (other := await rival(self._commits, commit, job)) is not None:
            await self.clear(Contended(other), job.waiting)
        await self._holding.hold(commit, job.writes)
        await job.check(None)
        if not await self._entries.decide(commit):
            raise Overtaken(None)

    async def _abandon(self, commit: str, writes: Sequence[Write]) -> None:
        """Undo an attempt, unless its decision was made after all.

        An entry that is gone was aborted by another, or its decision was made but not heard of,
        and another finished it: then nothing is held any more and the ordinals have to stay.
        """
        aborted = await self._entries.abort(commit)
        entry = None if aborted else await self._entries.find(commit)
        if entry is not None and entry["s"] == DECIDED:
            return
        held, ordinals = held_by(writes)
        await self._holding.release(commit, held, ordinals if aborted else ())
        if aborted:
            await self._entries.forget(commit)

    async def _settle(self, entry: Document) -> None:
        """Bring another's commit to its end, whichever that is."""
        commit = entry["_id"]
        if entry["s"] == PENDING and not await self._entries.abort(commit):
            return
        if entry["s"] == DECIDED:
            await self._holding.apply(commit, await self._entries.writes(entry))
        else:
            await self._holding.release(commit, entry["held"], entry["ordinals"])
        await self._entries.forget(commit)
