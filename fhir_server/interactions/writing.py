"""From a resource to write to a stored change: id, meta, bytes and index terms.

https://hl7.org/fhir/R4/resource.html#Meta
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from fhir_server.fhir import json_format
from fhir_server.fhir.temporal import instant
from fhir_server.interactions.request import Resource
from fhir_server.kit.clock import Clock
from fhir_server.kit.ids import IdSource
from fhir_server.storage.versions import NO_TERMS, Change, Terms, Version

_YIELD_EVERY = 25
"""Drafts stamped before other requests get their turn: about 2 ms."""


class Indexer(Protocol):
    def terms(self, resource: Resource) -> Terms: ...


class Draft(msgspec.Struct, frozen=True):
    """A version about to be written. `base` is the current one that it follows, if any."""

    type: str
    id: str
    method: str
    resource: Resource | None
    """None deletes."""
    base: Version | None = None


@dataclass(frozen=True, slots=True)
class Stamp:
    """Gives drafts what the server decides: version, time, ordinal, bytes, terms."""

    clock: Clock
    ids: IdSource
    indexer: Indexer

    async def changes(self, drafts: Sequence[Draft]) -> list[Change]:
        """A change for each draft; lets other requests run in between when there are many."""
        changes = []
        for index, draft in enumerate(drafts, 1):
            changes.append(self._change(draft))
            if index % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        return changes

    def _change(self, draft: Draft) -> Change:
        base, updated = draft.base, self.clock.now()
        number = 1
        if base is None:
            ordinal = self.ids.new_ordinal()
        else:
            number, ordinal = base.number + 1, base.ordinal
            updated = max(updated, base.updated + 1)
        content, terms = None, NO_TERMS
        if draft.resource is not None:
            resource = stamped(draft.resource, draft.id, number, updated)
            content, terms = json_format.write(resource), self.indexer.terms(resource)
        version = Version(draft.type, draft.id, number, ordinal, updated, draft.method, content)
        return Change(version, terms)


def stamped(resource: Resource, id_: str, number: int, updated: int) -> Resource:
    """The resource with the server's id and meta in front, its other members as they were."""
    meta = {**resource.get("meta", {}), "versionId": str(number), "lastUpdated": instant(updated)}
    return {
        "resourceType": resource["resourceType"],
        "id": id_,
        "meta": meta,
        **{name: value for name, value in resource.items() if name not in _STAMPED},
    }


_STAMPED = frozenset({"resourceType", "id", "meta"})
