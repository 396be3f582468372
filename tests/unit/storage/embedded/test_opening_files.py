"""A file that is none of ours is told in words, and left as it is."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fhir_server.storage.base import StoreError
from fhir_server.storage.embedded import EmbeddedStore

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
