"""Purging is physical: of content and terms no byte stays in the file or in its log."""

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

from fhir_server.storage.embedded import EmbeddedStore, writer
from fhir_server.storage.versions import Change, Interval, Terms
from tests.support.version_making import TYPE, created, key, keyed

pytestmark = pytest.mark.anyio

SECRET = b"Ermintrude"
TERMS = Terms(keys=("q:ermintrude", key(77)), intervals=(Interval(5, 1.0, 2.0),))


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
