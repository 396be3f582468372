"""Repository: the only door to resources, made for one caller.

Every interaction reads and writes through it; nothing else but `system.py` holds a store.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fhir_server.errors import Gone, NotFound, TimedOut
from fhir_server.fhir.http_date import write_http_date
from fhir_server.interactions.request import Resource
from fhir_server.interactions.writing import Draft, Stamp
from fhir_server.storage.base import Conflict, DeadlineExceeded, GuardFailed, Store
from fhir_server.storage.query import Driver, Guard, Plan
from fhir_server.storage.versions import Change, HistoryPosition, Page, Version

_COMMIT = "Others kept writing the same, so that this could not be stored in time; try again."


class _InTime:
    """Says in its words that the store's time was up. It has no state, and serves all at once."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, DeadlineExceeded):
            raise TimedOut(self._words) from None


_SEARCH = _InTime("The search took longer than allowed; add a condition that narrows it.")
_HISTORY = _InTime("The history took longer than allowed; narrow it by _since.")
_BEGIN = _InTime("The store did not answer in time, so that nothing was written; try again.")


def _uncounted(_outcome: str) -> None:
    """For who does not count."""


class Knowing(Protocol):
    """Who sees to it that what is written is indexed by what others search for."""

    async def begin(self) -> str:
        """A commit begins; what it will be indexed by, until that is told to `ended`."""
        ...

    def ended(
        self, digest: str, changes: Sequence[Change], outcome: str
    ) -> Coroutine[Any, Any, None] | None:
        """How the commit ended; what is left to do before it is answered."""
        ...


@dataclass(frozen=True, slots=True)
class Repository:
    store: Store
    stamp: Stamp
    knowing: Knowing
    committed: Callable[[str], None] = _uncounted
    """Told how each commit went: `stored`, `conflict` or `failed`."""

    async def current(self, type_: str, id_: str) -> Version | None:
        """The current version, a deletion included; None if there never was one."""
        return await self.store.get(type_, id_)

    async def current_many(self, type_: str, ids: Sequence[str]) -> Mapping[str, Version]:
        return await self.store.get_many(type_, ids)

    async def read(self, type_: str, id_: str) -> Version:
        """The current version; NotFound if never stored, Gone if deleted."""
        version = await self.store.get(type_, id_)
        if version is None:
            raise NotFound(f"There is no {type_}/{id_}.")
        if version.content is None:
            raise _gone(version)
        return version

    async def vread(self, type_: str, id_: str, number: int) -> Version:
        """One version; NotFound if there is none of that number, Gone if it is a deletion."""
        version = await self.version(type_, id_, number)
        if version is None:
            raise NotFound(f"There is no version {number} of {type_}/{id_}.")
        if version.content is None:
            raise _gone(version)
        return version

    async def version(self, type_: str, id_: str, number: int) -> Version | None:
        """One version, a deletion included; None if there is none of that number."""
        return await self.store.get_version(type_, id_, number)

    async def history(
        self,
        type_: str | None,
        id_: str | None,
        *,
        since: int | None,
        at: tuple[int, int] | None,
        after: HistoryPosition | None,
        limit: int,
    ) -> Sequence[Version]:
        """Versions, newest first; see `Store.history`."""
        with _HISTORY:
            return await self.store.history(
                type_, id_, since=since, at=at, after=after, limit=limit
            )

    async def find(self, plan: Plan) -> Page:
        with _SEARCH:
            return await self.store.find(plan)

    async def find_ids(self, plan: Plan) -> Sequence[str]:
        with _SEARCH:
            return await self.store.find_ids(plan)

    async def find_keys(self, plan: Plan, low: bytes, high: bytes) -> Sequence[bytes]:
        with _SEARCH:
            return await self.store.find_keys(plan, low, high)

    async def count(self, plan: Plan, cap: int | None = None) -> tuple[int, bool]:
        with _SEARCH:
            return await self.store.count(plan, cap)

    async def estimate(self, type_: str, driver: Driver | None) -> int:
        with _SEARCH:
            return await self.store.estimate(type_, driver)

    async def commit(
        self, drafts: Sequence[Draft], guards: Sequence[Guard] = ()
    ) -> Sequence[Version]:
        """Stamp and store all drafts or none. Raises storage's Conflict and GuardFailed."""
        with _BEGIN:
            digest = await self.knowing.begin()
        outcome, changes = "failed", list[Change]()
        try:
            changes = await self.stamp.changes(drafts)
            await self.store.commit(changes, guards)
            outcome = "stored"
        except (Conflict, GuardFailed):
            outcome = "conflict"
            raise
        except DeadlineExceeded:
            raise TimedOut(_COMMIT) from None
        finally:
            self.committed(outcome)
            left = self.knowing.ended(digest, changes, outcome)
        if left is not None:
            await left
        return [change.version for change in changes]


def _gone(version: Version) -> Gone:
    error = Gone(f"{version.type}/{version.id} was deleted in version {version.number}.")
    error.headers["etag"] = f'W/"{version.number}"'
    error.headers["last-modified"] = write_http_date(version.updated)
    return error


__all__ = ["Repository", "Resource"]
