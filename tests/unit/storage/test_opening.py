"""A store is named by its address."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fhir_server.storage.base import StoreError
from fhir_server.storage.opening import open_store

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("address", ["", "sqlite:", "file.db", "postgres://host/x", "mongodb"])
async def test_an_address_that_names_no_store_is_refused(address: str) -> None:
    with pytest.raises(StoreError, match="sqlite:PATH or mongodb://"):
        await open_store(address)


async def test_an_embedded_store_is_made_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "fhir.db"
    storage = await open_store(f"sqlite:{path}")
    assert path.exists()
    assert storage.store.facts.name.startswith("SQLite 3.")
    assert await storage.key_value.compare_and_set("a", "b", None, b"c")
    await storage.store.close()


async def test_a_file_that_is_no_store_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "fhir.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        await open_store(f"sqlite:{path}")
    with pytest.raises(StoreError, match="opened"):
        await open_store(f"sqlite:{tmp_path}")


def test_no_driver_is_imported_before_it_is_chosen() -> None:
    script = "import sys, fhir_server.storage.opening; print('pymongo' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("given", ["", "content"])
async def test_content_goes_into_the_folder_that_is_named_or_beside_the_file(
    tmp_path: Path, given: str
) -> None:
    blobs = tmp_path / given if given else None
    storage = await open_store(f"sqlite:{tmp_path / 'our.db'}", blobs=blobs)

    async def content() -> AsyncIterator[bytes]:
        yield b"abc"

    digest, _ = await storage.blobs.put(content())
    await storage.store.close()

    assert [path.name for path in (tmp_path / (given or "our.db-blobs")).rglob(digest)] == [digest]
