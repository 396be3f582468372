"""From a store's address to the three things that keep data: versions, records, content.

`sqlite:PATH` is the embedded store in that file; `mongodb://HOST/DATABASE` (or
`mongodb+srv://`) a MongoDB. What a backend needs is imported only when it is chosen.
"""

# ruff: noqa: PLC0415  nobody pays for, or needs, the driver of a backend that is not chosen

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fhir_server.kit.clock import Clock, SystemClock
from fhir_server.storage.base import BlobStore, DeadlineExceeded, KeyValue, Store, StoreError
from fhir_server.storage.folder_blobs import FolderBlobs

_DATABASE = "fhir"


@dataclass(frozen=True, slots=True)
class Storage:
    """The parts share what they keep data in; closing the store closes all of them."""

    store: Store
    key_value: KeyValue
    blobs: BlobStore


async def open_store(
    url: str,
    *,
    blobs: Path | None = None,
    deadline: float = 15.0,
    clock: Clock | None = None,
) -> Storage:
    """What `url` names, open; StoreError when it names nothing known or does not answer.

    `blobs` is the folder for the content of an embedded store; without it, one beside its file.
    `deadline` of a query is in seconds.
    """
    clock = clock or SystemClock()
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest:
        storage = _embedded(Path(rest), blobs, deadline, clock)
    elif scheme in {"mongodb", "mongodb+srv"} and rest.startswith("//"):
        storage = _mongo(url, deadline, clock)
    else:
        raise StoreError("a store is named sqlite:PATH or mongodb://HOST/DATABASE")
    try:
        await storage.store.open()
    except DeadlineExceeded as error:
        raise StoreError("the store does not answer") from error
    return storage


def _embedded(path: Path, blobs: Path | None, deadline: float, clock: Clock) -> Storage:
    from fhir_server.storage.embedded import EmbeddedKeyValue, EmbeddedStore

    path.parent.mkdir(parents=True, exist_ok=True)
    store = EmbeddedStore(str(path), deadline=deadline, clock=clock)
    content = blobs or path.with_name(f"{path.name}-blobs")
    return Storage(store, EmbeddedKeyValue(store), FolderBlobs(content))


def _mongo(url: str, deadline: float, clock: Clock) -> Storage:
    from fhir_server.storage.mongo import MongoBlobs, MongoKeyValue, MongoStore

    database = urlsplit(url).path.strip("/") or _DATABASE
    store = MongoStore(url, database, deadline=deadline, clock=clock)
    return Storage(store, MongoKeyValue(store, clock), MongoBlobs(store))
