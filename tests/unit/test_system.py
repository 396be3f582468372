"""The running system: its parts are made as the settings say."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fhir_server.config import load_settings
from fhir_server.system import open_system

pytestmark = pytest.mark.anyio


async def test_content_is_kept_where_the_settings_say(tmp_path: Path) -> None:
    settings = load_settings(store=f"sqlite:{tmp_path / 'fast' / 'our.db'}", data=tmp_path)

    async def content() -> AsyncIterator[bytes]:
        yield b"abc"

    async with open_system(settings) as system:
        digest, _ = await system.storage.blobs.put(content())

    assert len(list((tmp_path / "our.db-blobs").rglob(digest))) == 1
    assert [path.name for path in (tmp_path / "fast").iterdir() if path.is_dir()] == []
