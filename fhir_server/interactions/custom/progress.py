"""How far the building of custom search parameters is: one record that all processes share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from fhir_server.storage.base import KeyValue

_NAMESPACE: Final = "custom-search-parameters"
_KEY: Final = "progress"


class Pass(msgspec.Struct, frozen=True, omit_defaults=True):
    """One pass over all resources of some types, in order of type and id."""

    building: tuple[str, ...]
    """Incarnations of the parameters that it is for."""
    done: int = 0
    """Resources it has gone by."""
    total: int = 0
    """Resources that were there when it began."""
    type: str = ""
    """Where it is: this type, behind the id `after`."""
    after: str = ""

    @property
    def percent(self) -> int:
        """Never 100: that is when it is over."""
        return min(99, self.done * 100 // max(self.total, 1))


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    ready: tuple[str, ...] = ()
    """Incarnations that every resource is indexed by."""
    running: Pass | None = None

    def percent(self, incarnation: str) -> int:
        """How much of a parameter is built: 100 is all, 0 that it waits."""
        if incarnation in self.ready:
            return 100
        running = self.running
        return running.percent if running and incarnation in running.building else 0


@dataclass(slots=True)
class Progress:
    """The record in the store, and as it was last seen."""

    key_value: KeyValue
    seen: Record = Record()  # noqa: RUF009 -- frozen
    _raw: bytes | None = None

    async def read(self) -> Record:
        self._raw = await self.key_value.get(_NAMESPACE, _KEY)
        self.seen = Record() if self._raw is None else msgspec.json.decode(self._raw, type=Record)
        return self.seen

    async def replace(self, record: Record) -> bool:
        """Store what follows on what was last seen; False if another process was faster."""
        raw = msgspec.json.encode(record)
        if not await self.key_value.compare_and_set(_NAMESPACE, _KEY, self._raw, raw):
            return False
        self.seen, self._raw = record, raw
        return True

    async def keep_only(self, incarnations: Sequence[str]) -> None:
        """Forget what is no parameter any more."""
        ready = tuple(each for each in self.seen.ready if each in incarnations)
        if ready != self.seen.ready:
            await self.replace(Record(ready, self.seen.running))
