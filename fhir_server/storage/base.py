"""The store's contract: what every backend promises. One suite holds all of them to it.

A write is acknowledged when it is durable. Kill the process at any moment: every
acknowledged write is there, no commit is half there, version numbers have no gaps.
Several processes may use the same store at once.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fhir_server.storage.query import Driver, Guard, Plan
from fhir_server.storage.versions import Change, HistoryPosition, Page, Terms, Version

SCHEMA_VERSION = 1


class StoreError(Exception):
    """The store cannot do what was asked; the message is for the operator."""


class NewerSchema(StoreError):
    """The data was written by a newer program; this one must not touch it."""


class Conflict(Exception):
    """A change's predecessor is not the current version. Nothing of its commit was stored."""

    def __init__(self, index: int) -> None:
        super().__init__(f"change {index} does not follow the current version")
        self.index = index


class GuardFailed(Exception):
    """A guard no longer holds. Nothing of its commit was stored."""

    def __init__(self, index: int) -> None:
        super().__init__(f"guard {index} does not hold")
        self.index = index


class DeadlineExceeded(Exception):
    """A query was stopped because its time was up."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the operator should know of a store, found out when it was opened."""

    name: str
    """Kind and version, such as `SQLite 3.40.1`."""
    isolated: bool
    """Whether nobody ever sees half of a commit of several changes."""
    warnings: tuple[str, ...] = ()
    at_once: bool = False
    """Whether `get` and `get_version` are done without waiting for anything.

    What else reads may then be called outside of a task as well."""


class Store(Protocol):
    """Versions of resources, found by id, by version, by time and by their terms."""

    @property
    def facts(self) -> Facts: ...

    async def open(self) -> None:
        """Create what is missing; finish what a killed process left; NewerSchema if too new."""
        ...

    async def close(self) -> None: ...

    async def get(self, type_: str, id_: str) -> Version | None:
        """The current version, a deletion included; None if there never was one."""
        ...

    async def get_many(self, type_: str, ids: Sequence[str]) -> Mapping[str, Version]:
        """Current versions by id, deletions included; ids never stored are absent."""
        ...

    async def get_version(self, type_: str, id_: str, number: int) -> Version | None:
        """One version, superseded or current; None if there is none of that number."""
        ...

    async def history(
        self,
        type_: str | None = None,
        id_: str | None = None,
        *,
        since: int | None = None,
        at: tuple[int, int] | None = None,
        after: HistoryPosition | None = None,
        limit: int = 50,
    ) -> Sequence[Version]:
        """Versions of one resource, a type or the whole store, newest first, deletions included.

        Ordered by (updated, ordinal, number), descending; `after` continues behind a position.
        `since` keeps updated >= since. `at` keeps what was current at some moment of
        [first, last]: updated <= last, and not superseded at or before first.
        """
        ...

    async def commit(self, changes: Sequence[Change], guards: Sequence[Guard] = ()) -> None:
        """Store all changes or none; return when they are durable.

        Guards are checked together with the predecessors, against the state without this
        commit. Of racing commits whose guards or predecessors exclude each other, one wins.
        No (type, id) occurs twice in `changes`. An ordinal that another resource already has
        is a Conflict like any other. Raises Conflict or GuardFailed. After a
        DeadlineExceeded it may have been stored all the same.
        """
        ...

    async def find(self, plan: Plan) -> Page:
        """Matches in order, no duplicates, at most `plan.limit`; DeadlineExceeded in time."""
        ...

    async def find_ids(self, plan: Plan) -> Sequence[str]:
        """Ids of the matches, at most `plan.limit`, in the plan's order."""
        ...

    async def find_keys(self, plan: Plan, low: bytes, high: bytes) -> Sequence[bytes]:
        """The keys in [low, high) that the matches carry, each once, in their order.

        Of all matches, whatever `after` says. When there are more than `plan.limit` such keys,
        they are any of them, of that number.
        """
        ...

    async def count(self, plan: Plan, cap: int | None = None) -> tuple[int, bool]:
        """All matches, whatever `limit` and `after` say, no further than `cap`; True if exact."""
        ...

    async def estimate(self, type_: str, driver: Driver | None) -> int:
        """About how many live versions the driver yields, at most 1,000; may be stale."""
        ...

    async def scan(self, type_: str, after: str = "", limit: int = 1000) -> Sequence[Version]:
        """Live versions in order of id, behind `after`: for export and reindexing."""
        ...

    async def retag(self, changes: Sequence[Change]) -> int:
        """Replace terms only, where the version is still current; returns how many were.

        That is the one of the same number and ordinal: what was purged and created again is
        another resource.
        """
        ...

    async def counts(self) -> Mapping[str, int]:
        """Live resources by type, types without any left out."""
        ...

    async def purge(self, type_: str, id_: str) -> bool:
        """Erase a resource with all its versions, physically; False if there was none."""
        ...


class KeyValue(Protocol):
    """Small records for jobs, leases, sessions and settings. Values are bytes up to 1 MiB."""

    async def get(self, namespace: str, key: str) -> bytes | None:
        """The value; None if there is none or it has expired."""
        ...

    async def compare_and_set(
        self,
        namespace: str,
        key: str,
        expected: bytes | None,
        value: bytes | None,
        expires: int | None = None,
    ) -> bool:
        """Replace `expected` (None: no live value) by `value` (None: delete) if it is still so.

        `expires` is in ms since 1970. Of racing callers with the same expectation, one wins.
        Durable when it returns.
        """
        ...

    async def items(self, namespace: str) -> Sequence[tuple[str, bytes]]:
        """Every live record of a namespace, in order of key."""
        ...


class BlobStore(Protocol):
    """Large content, addressed by its SHA-256 as 64 lower-case hexadecimal digits."""

    async def put(self, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        """Store content; returns its digest and size. Half a stream leaves nothing behind."""
        ...

    def get(self, digest: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes [start, end) in chunks; KeyError if there is no such content."""
        ...

    async def size(self, digest: str) -> int | None:
        """Size in bytes; None if there is no such content."""
        ...

    async def delete(self, digest: str) -> bool:
        """Erase content; False if there was none."""
        ...


__all__ = [
    "SCHEMA_VERSION",
    "BlobStore",
    "Conflict",
    "DeadlineExceeded",
    "Facts",
    "GuardFailed",
    "KeyValue",
    "NewerSchema",
    "Store",
    "StoreError",
    "Terms",
]
