"""A file that is none of ours is told in words, and left as it is."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from fhir_server.storage.base import StoreError
from fhir_server.storage.embedded import EmbeddedKeyValue, EmbeddedStore
from fhir_server.storage.query import KeyIs, Plan
from tests.support.version_making import TYPE, created, key, keyed, updated

pytestmark = pytest.mark.anyio


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_text("no database at all" * 100)
    with pytest.raises(StoreError, match="file cannot be"):
        await EmbeddedStore(str(path)).open()
    assert path.read_text() == "no database at all" * 100


async def test_a_database_of_another_program_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE resources (n INTEGER PRIMARY KEY, other)")
        connection.commit()
    with pytest.raises(StoreError, match="made ready: no such column"):
        await EmbeddedStore(str(path)).open()
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert tables.fetchall() == [("resources",)]


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="opened"):
        await EmbeddedStore(str(tmp_path / "none" / "store.db")).open()


TABLES = (
    *("types", "resources", "history", "keys", "drivers", "intervals", "unindexed", "records"),
)
FIRST = created("a", keyed(key(1)))
Deed = Callable[[EmbeddedStore], Awaitable[object]]
DEEDS: dict[str, Deed] = {
    "get": lambda store: store.get("Unmet", "a"),
    "get of a known type": lambda store: store.get(TYPE, "a"),
    "get_many": lambda store: store.get_many(TYPE, ["a", "b"]),
    "get_version": lambda store: store.get_version(TYPE, "a", 1),
    "history": lambda store: store.history(),
    "history of an instance": lambda store: store.history(TYPE, "a"),
    "find": lambda store: store.find(Plan(TYPE, KeyIs((key(1),)))),
    "find_ids": lambda store: store.find_ids(Plan(TYPE)),
    "find_keys": lambda store: store.find_keys(Plan(TYPE), key(0), key(9)),
    "count": lambda store: store.count(Plan(TYPE)),
    "estimate": lambda store: store.estimate(TYPE, KeyIs((key(1),))),
    "scan": lambda store: store.scan(TYPE),
    "counts": lambda store: store.counts(),
    "create": lambda store: store.commit([created("b")]),
    "create of a new type": lambda store: store.commit([created("b", type_="Unmet")]),
    "update": lambda store: store.commit([updated(FIRST)]),
    "retag": lambda store: store.retag([FIRST]),
    "purge": lambda store: store.purge(TYPE, "a"),
    "get of a record": lambda store: EmbeddedKeyValue(store).get("jobs", "a"),
    "set of a record": lambda store: EmbeddedKeyValue(store).compare_and_set(
        "jobs", "a", None, b""
    ),
    "records": lambda store: EmbeddedKeyValue(store).items("jobs"),
}


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_file_that_is_broken_while_it_is_open_is_told_in_words(
    tmp_path: Path, deed: str
) -> None:
    path = tmp_path / "store.db"
    store = EmbeddedStore(str(path))
    await store.open()
    await store.commit([FIRST])
    with closing(sqlite3.connect(path)) as connection:
        for table in TABLES:
            connection.execute(f"DROP TABLE {table}")
    with pytest.raises(StoreError, match="no such table"):
        async with asyncio.timeout(10):
            await DEEDS[deed](store)
    await store.close()


async def test_a_store_that_cannot_be_written_to_when_it_is_opened_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "store.db")
    store = EmbeddedStore(path)
    await store.open()
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE unindexed")
    monkeypatch.setattr("fhir_server.storage.embedded.schema.prepare", lambda _: None)
    with pytest.raises(StoreError, match="no such table: unindexed"):
        await store.open()
