"""Versions by number and by time, from the current documents and the superseded ones.

A version moves once, from current to history, and is in both for a moment (after a crash: for
longer). So current is always read first, and what was found twice is told once.

A page is chosen by positions alone; only what is on it is then read with its content.
"""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from bson.int64 import Int64

from fhir_server.storage.mongo.contents import Contents
from fhir_server.storage.mongo.documents import PROJECTION, version_of
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.topology import Document
from fhir_server.storage.versions import HistoryPosition, Version

_POSITION = {"i": 1, "v": 1, "n": 1, "u": 1}
_CURRENT_ORDER = [("u", -1), ("n", -1)]
_HISTORY_ORDER = [*_CURRENT_ORDER, ("v", -1)]
_AT_ONCE = 20


class _Place(NamedTuple):
    """One version found, sorted as a history is."""

    updated: int
    ordinal: int
    number: int
    type: str
    id: str
    superseded: bool

    @property
    def position(self) -> HistoryPosition:
        return HistoryPosition(self.updated, self.ordinal, self.number)


class History:
    def __init__(self, collections: Collections, contents: Contents) -> None:
        self._collections = collections
        self._contents = contents

    async def version(self, type_: str, id_: str, number: int) -> Version | None:
        found = await self._versions(type_, [(id_, number)])
        return found.get((id_, number))

    async def page(
        self,
        type_: str | None,
        id_: str | None,
        since: int | None,
        at: tuple[int, int] | None,
        after: HistoryPosition | None,
        limit: int,
    ) -> Sequence[Version]:
        """As `Store.history`."""
        types = await self._collections.types() if type_ is None else [type_]
        latest = None if at is None else at[1]
        chosen: list[_Place] = []
        while len(chosen) < limit:
            wanted = _filter(id_, since, latest, after)
            places = await self._places(types, wanted, limit)
            chosen += places if at is None else await self._not_superseded(places, at[0])
            if len(places) < limit:
                break
            after = places[-1].position
        return await self._load(chosen[:limit])

    async def _places(self, types: Sequence[str], wanted: Document, limit: int) -> list[_Place]:
        """The newest versions of all these types."""
        found: set[_Place] = set()
        for start in range(0, len(types), _AT_ONCE):
            some = types[start : start + _AT_ONCE]
            for places in await asyncio.gather(
                *(self._places_of(type_, wanted, limit) for type_ in some)
            ):
                found.update(places)
        current = {place[:5] for place in found if not place.superseded}
        kept = (p for p in found if not (p.superseded and p[:5] in current))
        return sorted(kept, reverse=True)[:limit]

    async def _places_of(self, type_: str, wanted: Document, limit: int) -> list[_Place]:
        wanted_now = {"_id" if name == "i" else name: test for name, test in wanted.items()}
        current = self._collections.current(type_).find(wanted_now, _POSITION)
        places = [
            _Place(one["u"], one["n"], one["v"], type_, one["_id"], superseded=False)
            async for one in current.sort(_CURRENT_ORDER).limit(limit)
        ]
        superseded = self._collections.history(type_).find(wanted, _POSITION)
        return places + [
            _Place(one["u"], one["n"], one["v"], type_, one["i"], superseded=True)
            async for one in superseded.sort(_HISTORY_ORDER).limit(limit)
        ]

    async def _not_superseded(self, places: Sequence[_Place], first: int) -> list[_Place]:
        """Those whose successor, if there is one, came after `first`."""
        doubtful = [place for place in places if place.superseded and place.updated <= first]
        late = set()
        for type_, some in groupby(sorted(doubtful, key=lambda p: p.type), lambda p: p.type):
            wanted = {(place.id, place.number + 1): place for place in some}
            successors = await self._documents(type_, list(wanted), {"v": 1, "u": 1, "i": 1})
            late |= {wanted[key] for key, found in successors.items() if found["u"] <= first}
        return [place for place in places if place not in late]

    async def _load(self, places: Sequence[_Place]) -> Sequence[Version]:
        by_type: dict[str, list[tuple[str, int]]] = {}
        for place in places:
            by_type.setdefault(place.type, []).append((place.id, place.number))
        found = {type_: await self._versions(type_, keys) for type_, keys in by_type.items()}
        loaded = (found[place.type].get((place.id, place.number)) for place in places)
        return [version for version in loaded if version is not None]

    async def _versions(
        self, type_: str, keys: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], Version]:
        documents = await self._documents(type_, keys, {**PROJECTION, "i": 1})
        whole = await self._contents.fill(type_, documents.values())
        versions = (version_of(type_, document) for document in whole)
        return {(version.id, version.number): version for version in versions}

    async def _documents(
        self, type_: str, keys: Sequence[tuple[str, int]], fields: Document
    ) -> dict[tuple[str, int], Document]:
        """Versions by id and number, wherever they are."""
        wanted = set(keys)
        ids = {"$in": sorted({id_ for id_, _ in wanted})}
        found: dict[tuple[str, int], Document] = {}
        async for one in self._collections.current(type_).find({"_id": ids}, fields):
            if one["v"] and (one["_id"], one["v"]) in wanted:
                found[one["_id"], one["v"]] = one
        missing = [{"i": id_, "v": number} for id_, number in sorted(wanted - found.keys())]
        if missing:
            history = self._collections.history(type_)
            async for one in history.find({"_id": {"$in": missing}}, fields):
                found[one["i"], one["v"]] = one
        return found


def _filter(
    id_: str | None, since: int | None, latest: int | None, after: HistoryPosition | None
) -> Document:
    """What a history asks for; held places have no time and so are never found."""
    wanted: Document = {} if id_ is None else {"i": id_}
    if since is not None:
        wanted["u"] = {"$gte": Int64(since)}
    tests = [{"v": {"$gt": 0}}]
    if latest is not None:
        tests.append({"u": {"$lte": Int64(latest)}})
    if after is not None:
        tests.append(_behind(after))
    return {**wanted, "$and": tests}


def _behind(after: HistoryPosition) -> Document:
    updated, ordinal = Int64(after.updated), Int64(after.ordinal)
    same = {"u": updated, "n": ordinal, "v": {"$lt": after.number}}
    return {
        "$and": [
            {"u": {"$lte": updated}},
            {"$or": [{"u": {"$lt": updated}}, {"u": updated, "n": {"$lt": ordinal}}, same]},
        ]
    }
