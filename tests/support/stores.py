"""The stores that the contract suite holds to their promises. A backend joins by a line in STORES.

A store is named by an address that `open_store` understands, so that child processes of race
and crash tests open the same data.
"""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pymongo import AsyncMongoClient

from fhir_server.kit.clock import Clock
from fhir_server.storage.mongo.topology import META
from fhir_server.storage.opening import Storage, open_store
from tests.support.mongo import new_address


class StoreKind(Protocol):
    """One backend on one server: where a test finds new, empty data of its own."""

    @property
    def name(self) -> str: ...

    @property
    def patches(self) -> Mapping[str, object]:
        """Attributes by their full names that this kind has otherwise than the program."""
        ...

    def address(self, folder: Path) -> str:
        """The address of a new store; skips the test (with CI=true fails it) if none can be had."""
        ...

    async def make_newer(self, address: str) -> None:
        """Mark the data, which nobody has open, as written by a newer program."""
        ...


@dataclass(frozen=True)
class Embedded:
    name: str = "embedded"
    patches: Mapping[str, object] = field(default_factory=dict)

    def address(self, folder: Path) -> str:
        return f"sqlite:{folder / 'store.db'}"

    async def make_newer(self, address: str) -> None:
        with closing(sqlite3.connect(address.removeprefix("sqlite:"))) as connection, connection:
            connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'schema'")


@dataclass(frozen=True)
class Mongo:
    name: str = "mongodb"
    patches: Mapping[str, object] = field(default_factory=dict)

    def address(self, folder: Path) -> str:
        return new_address()

    async def make_newer(self, address: str) -> None:
        async with AsyncMongoClient[dict[str, object]](address) as client:
            meta = client.get_default_database()[META]
            await meta.update_one({"_id": "schema"}, {"$inc": {"version": 1}})


STORES: tuple[StoreKind, ...] = (
    Embedded(),
    Embedded(
        "embedded, indexing later", {"fhir_server.storage.embedded.writer.QUIET_SECONDS": -1.0}
    ),
    Mongo(),
)


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
