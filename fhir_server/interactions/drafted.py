"""What a transaction has decided to write, findable by criteria before it is stored.

https://hl7.org/fhir/R4/http.html#trules

Deletes come first and references are resolved last: criteria must not find what the same
transaction deletes, and conditional references must find what it creates.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from fhir_server.interactions.writing import Draft, Stamp
from fhir_server.search.matching import Candidate, meets
from fhir_server.storage.query import KeyIn, KeyIs, Plan
from fhir_server.storage.versions import Key


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

    def forget(self, draft: Draft) -> None:
        """Take back a draft that will not be written after all."""
        del self._types[draft.type].drafts[draft.id]

    def ids(self, type_: str) -> Collection[str]:
        """Ids that are written or deleted: what the store says of them holds no longer."""
        of_type = self._types.get(type_)
        return of_type.drafts.keys() if of_type else frozenset()

    def matches(self, plan: Plan) -> Sequence[str]:
        """Ids that will meet the plan once they are written."""
        of_type = self._types.get(plan.type)
        return [found.id for found in of_type.matches(plan)] if of_type else []

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

    def matches(self, plan: Plan) -> Iterator[Candidate]:
        among: Iterable[Candidate] = self._candidates.values()
        match plan.drive:
            case KeyIs((key,)):
                among = self._by_key.get(key, ())
            case KeyIn(low, high):
                among = self._between(low, high)
        return (each for each in among if each.id in self.drafts and meets(plan, each))

    @cached_property
    def _candidates(self) -> Mapping[str, Candidate]:
        now, terms = self._stamp.clock.now(), self._stamp.indexer.terms
        return {
            draft.id: Candidate(draft.id, now, terms(draft.resource))
            for draft in self.drafts.values()
            if draft.resource is not None
        }

    def _between(self, low: Key, high: Key) -> Iterable[Candidate]:
        keys = self._sorted_keys[type(low)]
        start, stop = bisect_left(keys, low), bisect_left(keys, high)
        return {
            candidate.id: candidate for key in keys[start:stop] for candidate in self._by_key[key]
        }.values()

    @cached_property
    def _sorted_keys(self) -> Mapping[type, Sequence[Any]]:
        """Keys of one kind in their order: bytes, and text."""
        keys = self._by_key
        return {kind: sorted(key for key in keys if type(key) is kind) for kind in (bytes, str)}

    @cached_property
    def _by_key(self) -> Mapping[Key, Sequence[Candidate]]:
        by_key = defaultdict(list)
        for candidate in self._candidates.values():
            for key in candidate.terms.keys:
                by_key[key].append(candidate)
        return by_key


NOTHING: Final = Drafted()
