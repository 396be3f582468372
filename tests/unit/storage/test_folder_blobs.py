"""Content in a folder: what a killed or broken upload leaves, and that names never lead outside."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fhir_server.storage.folder_blobs import FolderBlobs

pytestmark = pytest.mark.anyio


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_the_folder_is_made_when_it_is_needed(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "not" / "yet")
    assert not (tmp_path / "not").exists()
    digest, _ = await blobs.put(stream(b"abc"))
    assert await blobs.size(digest) == 3


async def test_a_broken_stream_leaves_no_file(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 1_000_000
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await FolderBlobs(tmp_path).put(broken())
    assert _files(tmp_path) == []


async def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path: Path) -> None:
    arriving = tmp_path / "arriving"
    arriving.mkdir()
    old, recent = arriving / "old", arriving / "recent"
    for path in (old, recent):
        path.write_bytes(b"half")
    day_ago = time.time() - 86_401
    os.utime(old, (day_ago, day_ago))
    await FolderBlobs(tmp_path).put(stream(b"abc"))
    assert [path.name for path in arriving.iterdir()] == ["recent"]


async def test_a_name_that_is_no_digest_reaches_no_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    blobs = FolderBlobs(tmp_path / "blobs")
    await blobs.put(stream(b"abc"))
    for name in ("../secret", "../../secret", "/etc/passwd", "arriving"):
        assert await blobs.size(name) is None
        assert not await blobs.delete(name)
        with pytest.raises(KeyError):
            await anext(aiter(blobs.get(name)))
    assert (tmp_path / "secret").exists()
