"""Content in a folder: what a killed or broken upload leaves, and that names never lead outside."""

import os
import stat
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


class Power:
    """Notes what of each folder would be there still if the power were lost."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._durable: dict[int, set[str]] = {}
        self._sync = os.fsync
        monkeypatch.setattr(os, "fsync", self._synced)

    def has(self, path: Path, *, below: Path) -> bool:
        """Whether every name that leads to the path is durable."""
        ways = [path, *path.parents]
        names = ways[: ways.index(below)]
        return all(one.name in self._durable.get(_inode(one.parent), ()) for one in names)

    def _synced(self, descriptor: int) -> None:
        self._sync(descriptor)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self._durable[os.fstat(descriptor).st_ino] = set(os.listdir(descriptor))


def _place(folder: Path, digest: str) -> Path:
    (path,) = folder.rglob(digest)
    return path


def _inode(path: Path) -> int:
    return path.stat().st_ino


async def test_content_and_every_folder_that_leads_to_it_survive_a_loss_of_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    power = Power(monkeypatch)
    blobs = FolderBlobs(tmp_path / "not" / "yet")
    for content in (b"abc", b"another"):
        digest, _ = await blobs.put(stream(content))
        path = _place(tmp_path, digest)
        assert power.has(path, below=tmp_path)


async def test_a_folder_that_another_process_made_survives_a_loss_of_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    power = Power(monkeypatch)
    (tmp_path / "made" / "arriving").mkdir(parents=True)
    digest, _ = await FolderBlobs(tmp_path / "made").put(stream(b"abc"))
    path = _place(tmp_path, digest)
    assert power.has(path, below=tmp_path)


async def test_erased_content_does_not_come_back_with_a_loss_of_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    power = Power(monkeypatch)
    blobs = FolderBlobs(tmp_path)
    digest, _ = await blobs.put(stream(b"abc"))
    path = _place(tmp_path, digest)
    assert power.has(path, below=tmp_path)
    assert await blobs.delete(digest)
    assert not power.has(path, below=tmp_path)


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
