"""Purging is physical: of content and terms no byte stays in the file or in its log."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from fhir_server.storage.embedded import EmbeddedStore, writer
from fhir_server.storage.versions import Change, Terms
from tests.support.version_making import TYPE, created, key, keyed

pytestmark = pytest.mark.anyio

SECRET = b"Ermintrude"
TERMS = Terms(keys=("q:ermintrude", key(77)), intervals=((5, 1.0, 2.0),))


def _secret(change: Change, size: int) -> Change:
    content = SECRET + b"." * size + SECRET
    return Change(structs.replace(change.version, content=content), TERMS)


def _remains(path: Path) -> list[str]:
    files = (path, path.with_name(f"{path.name}-wal"))
    there = [file.read_bytes() for file in files if file.exists()]
    return [
        word for word in ("Ermintrude", "q:ermintrude") if any(word.encode() in f for f in there)
    ]


@pytest.mark.parametrize("size", [10, 900, 50_000], ids=["small", "usual", "over many pages"])
async def test_nothing_remains_of_what_was_purged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(writer, "_IDLE_SECONDS", 0.01)
    path = tmp_path / "store.db"
    store = EmbeddedStore(str(path))
    await store.open()
    others = [created(f"id-{number}", keyed(key(number))) for number in range(50)]
    await store.commit(others[:25])
    first = _secret(created("a"), size)
    await store.commit([first])
    second = structs.replace(first.version, number=2, updated=first.version.updated + 1)
    await store.commit([Change(second, TERMS)])
    await store.commit(others[25:])
    assert _remains(path) == ["Ermintrude", "q:ermintrude"]
    assert await store.purge(TYPE, "a")
    async with asyncio.timeout(5):
        while _remains(path):
            await asyncio.sleep(0.01)
    assert len(await store.scan(TYPE)) == 50
    await store.close()


async def test_what_was_purged_leaves_the_log_even_when_the_writer_is_never_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_IDLE_SECONDS", 60.0)
    monkeypatch.setattr(writer, "_LONGEST_IDLE_SECONDS", 0.2)
    path = tmp_path / "store.db"
    store = EmbeddedStore(str(path))
    await store.open()
    await store.commit([_secret(created("a"), 50_000)])
    assert await store.purge(TYPE, "a")
    numbers = iter(range(100_000))
    async with asyncio.timeout(10):
        while _remains(path):
            await store.commit([created(f"id-{next(numbers)}")])
    await store.close()


async def test_what_a_reader_kept_in_the_log_is_gone_soon_after_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_IDLE_SECONDS", 0.01)
    path = tmp_path / "store.db"
    store = EmbeddedStore(str(path))
    await store.open()
    await store.commit([_secret(created("a"), 10)])
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM resources").fetchall()
        assert await store.purge(TYPE, "a")
        await asyncio.sleep(0.1)
        assert _remains(path)
        reader.execute("COMMIT")
        async with asyncio.timeout(5):
            while _remains(path):
                await asyncio.sleep(0.01)
    await store.close()
