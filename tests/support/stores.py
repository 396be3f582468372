"""The stores that the contract suite holds to their promises. A backend joins by a line in STORES.

A store is named by an address that `open_store` understands, so that child processes of race
and crash tests open the same data.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fhir_server.kit.clock import Clock
from fhir_server.storage.opening import Storage, open_store
from tests.support.mongo import new_address


class StoreKind(Protocol):
    """One backend on one server: where a test finds new, empty data of its own."""

    @property
    def name(self) -> str: ...

    def address(self, folder: Path) -> str:
        """The address of a new store; skips the test (with CI=true fails it) if none can be had."""
        ...


@dataclass(frozen=True)
class Embedded:
    name: str = "embedded"

    def address(self, folder: Path) -> str:
        return f"sqlite:{folder / 'store.db'}"


@dataclass(frozen=True)
class Mongo:
    name: str = "mongodb"

    def address(self, folder: Path) -> str:
        return new_address()


STORES: tuple[StoreKind, ...] = (Embedded(), Mongo())


@asynccontextmanager
async def opened(
    address: str, *, deadline: float = 15.0, clock: Clock | None = None
) -> AsyncIterator[Storage]:
    """The store of an address, open for a while."""
    storage = await open_store(address, deadline=deadline, clock=clock)
    try:
        yield storage
    finally:
        await storage.store.close()
