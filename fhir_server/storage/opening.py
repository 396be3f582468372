"""From a store's address to the three things that keep data: versions, records, content.

`sqlite:PATH` is the embedded store in that file; `mongodb://HOST/DATABASE` (or
`mongodb+srv://`) a MongoDB. What a backend needs is imported only when it is chosen.
"""

# ruff: noqa: PLC0415  nobody pays for, or needs, the driver of a backend that is not chosen

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fhir_server.kit.clock import Clock, SystemClock
from fhir_server.storage.base import BlobStore, KeyValue, Store, StoreError
from fhir_server.storage.folder_blobs import FolderBlobs

_DATABASE = "fhir"
_BLOBS = "blobs"


@dataclass(frozen=True, slots=True)
class Backend:
    """The parts share what they keep data in, and live as long as the store is open."""

    store: Store
    key_value: KeyValue
    blobs: BlobStore


@asynccontextmanager
async def open_backend(
    url: str, folder: Path, *, deadline: float = 15.0, clock: Clock | None = None
) -> AsyncIterator[Backend]:
    """What `url` names, open; closed again at the end. StoreError when it names nothing known.

    `folder` takes the content of an embedded store. `deadline` of a query is in seconds.
    """
    clock = clock or SystemClock()
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest:
        backend = _embedded(Path(rest), folder, deadline, clock)
    elif scheme in {"mongodb", "mongodb+srv"}:
        backend = _mongo(url, deadline, clock)
    else:
        raise StoreError("a store is named sqlite:PATH or mongodb://HOST/DATABASE")
    await backend.store.open()
    try:
        yield backend
    finally:
        await backend.store.close()


def _embedded(path: Path, folder: Path, deadline: float, clock: Clock) -> Backend:
    from fhir_server.storage.embedded import EmbeddedKeyValue, EmbeddedStore

    path.parent.mkdir(parents=True, exist_ok=True)
    store = EmbeddedStore(str(path), deadline=deadline, clock=clock)
    return Backend(store, EmbeddedKeyValue(store), FolderBlobs(folder / _BLOBS))


def _mongo(url: str, deadline: float, clock: Clock) -> Backend:
    from fhir_server.storage.mongo import MongoBlobs, MongoKeyValue, MongoStore

    store = MongoStore(url, urlsplit(url).path.strip("/") or _DATABASE, deadline=deadline)
    return Backend(store, MongoKeyValue(store, clock), MongoBlobs(store))
