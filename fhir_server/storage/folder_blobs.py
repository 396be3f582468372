"""FolderBlobs: content in a local folder, each under its own digest.

A file is written beside its place, made durable, then renamed: it is there whole or not at all.
A name outlives a loss of power once its folder is durable too, and the folder's own name likewise.
Several processes may share the folder; the same content put twice is one file.
"""

import asyncio
import hashlib
import os
import re
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 1 << 18
_ABANDONED_SECONDS = 86_400.0
_DIGEST = re.compile(r"[0-9a-f]{64}")


class FolderBlobs:
    """`folder` is made when it is first needed."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._arriving = self._folder / "arriving"
        self._known = False
        """Whether the folder itself is there for good."""

    async def put(self, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        path = self._arriving / uuid.uuid4().hex
        file = await asyncio.to_thread(self._begin, path)
        try:
            digest, size = await _written(file, chunks)
            await asyncio.to_thread(self._finish, file, path, digest)
        except BaseException:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return digest, size

    async def get(
        self, digest: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread(self._place(digest).open, "rb")
        except FileNotFoundError:
            raise KeyError(digest) from None
        with file:
            file.seek(start)
            left = None if end is None else max(end - start, 0)
            while left is None or left > 0:
                wanted = _CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES)
                chunk = await asyncio.to_thread(file.read, wanted)
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk

    async def size(self, digest: str) -> int | None:
        try:
            return (await asyncio.to_thread(self._place(digest).stat)).st_size
        except (FileNotFoundError, KeyError):
            return None

    async def delete(self, digest: str) -> bool:
        try:
            await asyncio.to_thread(_erase, self._place(digest))
        except (FileNotFoundError, KeyError):
            return False
        return True

    def _place(self, digest: str) -> Path:
        """KeyError for what is no digest, so that no other file is ever reached."""
        if not _DIGEST.fullmatch(digest):
            raise KeyError(digest)
        return self._folder / digest[:2] / digest[2:4] / digest

    def _begin(self, path: Path) -> BinaryIO:
        self._arriving.mkdir(parents=True, exist_ok=True)
        if not self._known:
            self._keep_folder()
        self._clear_abandoned()
        return path.open("xb")

    def _keep_folder(self) -> None:
        """Make the names durable that lead to the folder.

        Who made it, be it another process, may not have come so far.
        """
        for above in self._folder.absolute().parents:
            with suppress(PermissionError):  # where we may not look, we made nothing
                _sync_folder(above)
        self._known = True

    def _clear_abandoned(self) -> None:
        """Remove what a killed process left; what is written to now is younger."""
        before = time.time() - _ABANDONED_SECONDS
        for path in self._arriving.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()

    def _finish(self, file: BinaryIO, path: Path, digest: str) -> None:
        file.flush()
        os.fsync(file.fileno())
        file.close()
        place = self._place(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
        for folder in (place.parent, place.parent.parent, self._folder):
            _sync_folder(folder)


async def _written(file: BinaryIO, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
    """Digest and size of what was written, a good piece at a time."""
    hashed, size, waiting = hashlib.sha256(), 0, bytearray()

    def write(piece: bytes) -> None:
        hashed.update(piece)
        file.write(piece)

    async for chunk in chunks:
        size += len(chunk)
        waiting += chunk
        if len(waiting) >= _CHUNK_BYTES:
            await asyncio.to_thread(write, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(write, bytes(waiting))
    return hashed.hexdigest(), size


def _erase(path: Path) -> None:
    path.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
