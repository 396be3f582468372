"""A MongoDB store that talks to one server alone, so that what stands in between is not passed by.

Without `retried`, a driver that meets an error tells of it at once.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from fhir_server.kit.clock import SettableClock
from fhir_server.storage.mongo import MongoStore
from fhir_server.storage.mongo.store import PATIENCE

_NOT_RETRIED = "retryReads=false&retryWrites=false"


@asynccontextmanager
async def opened(
    address: str,
    *,
    deadline: float = 15.0,
    patience: float = PATIENCE,
    clock: SettableClock | None = None,
    retried: bool = True,
) -> AsyncIterator[MongoStore]:
    """The store of an address, open for a while."""
    parts = urlsplit(address)
    options = (parts.query, "directConnection=true", "" if retried else _NOT_RETRIED)
    alone = urlunsplit(parts._replace(query="&".join(filter(None, options))))
    clock = clock or SettableClock()
    database = parts.path.strip("/")
    store = MongoStore(alone, database, deadline=deadline, clock=clock, patience=patience)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
