"""What a transaction has decided to write, findable by criteria before it is stored.

https://hl7.org/fhir/R4/http.html#trules

Deletes come first and conditional references are resolved last: criteria must not find what the
same transaction deletes, and conditional references must find what it creates.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from fhir_server.interactions.writing import Draft, Stamp
from fhir_server.search.matching import Candidate, Candidates, meets
from fhir_server.storage.query import Plan

_INDEXED_AT_ONCE = 50
_MATCHED_AT_ONCE = 500
"""Drafts after which other requests get their turn."""


class Drafted:
    """Drafts by type and id. Terms are made when criteria for their type are first asked for."""

    def __init__(self) -> None:
        self._types: dict[str, _Type] = {}

    @classmethod
    def of(cls, drafts: Iterable[Draft], stamp: Stamp) -> "Drafted":
        drafted = cls()
        for draft in drafts:
            if draft.type not in drafted._types:
                drafted._types[draft.type] = _Type(stamp)
            drafted._types[draft.type].drafts[draft.id] = draft
        return drafted

    def ids(self, type_: str) -> Collection[str]:
        """Ids that are written or deleted: what the store says of them holds no longer."""
        of_type = self._types.get(type_)
        return of_type.drafts.keys() if of_type else frozenset()

    async def matches(self, plan: Plan) -> Sequence[str]:
        """Ids that will meet the plan once they are written; others get their turn meanwhile."""
        of_type = self._types.get(plan.type)
        return await of_type.matches(plan) if of_type else ()

    def deletes(self, type_: str, id_: str) -> bool:
        draft = self._draft(type_, id_)
        return draft is not None and draft.resource is None

    def writes(self, type_: str, id_: str) -> bool:
        draft = self._draft(type_, id_)
        return draft is not None and draft.resource is not None

    def _draft(self, type_: str, id_: str) -> Draft | None:
        of_type = self._types.get(type_)
        return of_type.drafts.get(id_) if of_type else None


class _Type:
    def __init__(self, stamp: Stamp) -> None:
        self.drafts: dict[str, Draft] = {}
        self._stamp = stamp
        self._candidates: Candidates | None = None

    async def matches(self, plan: Plan) -> Sequence[str]:
        if self._candidates is None:
            self._candidates = await self._indexed()
        found = []
        for number, candidate in enumerate(self._candidates.among(plan), 1):
            if number % _MATCHED_AT_ONCE == 0:
                await asyncio.sleep(0)
            if meets(plan, candidate):
                found.append(candidate.id)
        return found

    async def _indexed(self) -> Candidates:
        now, terms, candidates = self._stamp.clock.now(), self._stamp.indexer.terms, []
        for number, draft in enumerate(self.drafts.values(), 1):
            if number % _INDEXED_AT_ONCE == 0:
                await asyncio.sleep(0)
            if draft.resource is not None:
                candidates.append(Candidate(draft.id, now, terms(draft.resource)))
        return Candidates(candidates)


NOTHING: Final = Drafted()
