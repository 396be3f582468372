"""What the server at the other end can do: found out when opened, never assumed.

A replica set or a mongos may have transactions; only one that was really tried counts. Every
other server gets the redo log. What is written is acknowledged by the majority of a set, also where
the address names one member of it alone (`directConnection=true`): that is found out from how the
member describes itself, as the driver takes it for a server of its own.

The driver's errors end here: a caller sees DeadlineExceeded when time ran out and StoreError for
the rest, without the driver's words.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import uuid4

import pymongo
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    DocumentTooLarge,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from fhir_server.storage.base import DeadlineExceeded, Facts, StoreError
from fhir_server.storage.mongo.calls import Calls

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Collection = AsyncCollection[Document]
Database = AsyncDatabase[Document]
Session = AsyncClientSession
Cursor = AsyncCursor[Document]

DUPLICATE_KEY = 11000
META = "store.meta"


class _Limited(Protocol):
    @property
    def deadline(self) -> float: ...

    @property
    def calls(self) -> Calls: ...


_P = ParamSpec("_P")
_R = TypeVar("_R")
_L = TypeVar("_L", bound=_Limited)
_COMPRESSION = {"wiredTiger": {"configString": "block_compressor=zstd"}}
_ALONE = "standalone"
_KINDS = {
    "ReplicaSetWithPrimary": "replica set",
    "Sharded": "sharded",
    "LoadBalanced": "load balanced",
}
_DIRECT_KINDS = {
    "Standalone": _ALONE,
    "Mongos": "sharded",
    "RSPrimary": "replica set",
}
"""By the type of the server where the address names one alone."""
_TOO_LARGE = (
    "what was asked does not fit into one document of 16 MB, the most that MongoDB takes; it can "
    "only be done in several parts"
)
_NOT_ISOLATED = (
    "this MongoDB has no transactions: a commit of several resources is all or nothing, also "
    "after a crash, but for a moment others may see part of it; a replica set of one member is "
    "enough to change that"
)


@dataclass(frozen=True, slots=True)
class Topology:
    database: Database
    transactions: bool
    facts: Facts


def connect(url: str, deadline: float) -> Client:
    """A client that gives up on any operation after `deadline` seconds."""
    return AsyncMongoClient(url, timeoutMS=int(deadline * 1000), tz_aware=False, connect=False)


async def detect(client: Client, database: str) -> Topology:
    """Find out version, kind and whether transactions really work."""
    try:
        information = await client.admin.command("buildInfo")
    except ServerSelectionTimeoutError as error:
        raise StoreError("no MongoDB answers where the store's address says") from error
    kind, warnings = _kind(client)
    several = kind != _ALONE
    handle = client.get_database(
        database,
        codec_options=CodecOptions(document_class=dict),
        read_preference=ReadPreference.PRIMARY,
        write_concern=WriteConcern("majority" if several else 1, j=True),
        read_concern=ReadConcern("majority" if several else None),
    )
    works = several and await _transactions_work(client, handle)
    name = f"MongoDB {information.get('version', 'of unknown version')} ({kind})"
    told = warnings if works else (*warnings, _NOT_ISOLATED)
    return Topology(handle, works, Facts(name, works, told))


def _kind(client: Client) -> tuple[str, tuple[str, ...]]:
    """What the server is, with what to be warned of; StoreError where nothing can be written."""
    topology = client.topology_description
    if topology.topology_type_name != "Single":
        return _KINDS.get(topology.topology_type_name, topology.topology_type_name), ()
    (server,) = topology.server_descriptions().values()
    advice = f"take directConnection out of it and add replicaSet={server.replica_set_name}"
    if server.server_type_name not in _DIRECT_KINDS:
        raise StoreError(
            "the store's address names a single member of a replica set, and that is not the "
            f"primary, so nothing can be written there; {advice}"
        )
    if server.replica_set_name is None or len(server.all_hosts) == 1:
        return _DIRECT_KINDS[server.server_type_name], ()
    warning = (
        "the store's address names a single member of a replica set: once another is the primary, "
        f"nothing can be written any more, and what is read may be old; {advice}"
    )
    return _DIRECT_KINDS[server.server_type_name], (warning,)


def driver_errors(
    function: Callable[_P, Awaitable[_R]],
) -> Callable[_P, Coroutine[Any, Any, _R]]:
    """Turn the driver's errors into the contract's."""

    @wraps(function)
    async def translated(*arguments: _P.args, **named: _P.kwargs) -> _R:
        try:
            return await function(*arguments, **named)
        except DocumentTooLarge as error:
            raise StoreError(_TOO_LARGE) from error
        except (PyMongoError, BSONError) as error:
            if isinstance(error, PyMongoError) and error.timeout:
                raise DeadlineExceeded("the database took too long") from error
            raise StoreError(f"the database failed: {type(error).__name__}") from error

    return translated


def in_time(
    method: Callable[Concatenate[_L, _P], Awaitable[_R]],
) -> Callable[Concatenate[_L, _P], Coroutine[Any, Any, _R]]:
    """The same for a method that must end, whatever it does, within its owner's deadline."""

    async def told(owner: _L, /, *arguments: _P.args, **named: _P.kwargs) -> _R:
        with pymongo.timeout(owner.deadline):  # the server is told what is left of it
            return await method(owner, *arguments, **named)

    @driver_errors
    @wraps(method)
    async def limited(owner: _L, /, *arguments: _P.args, **named: _P.kwargs) -> _R:
        try:
            async with asyncio.timeout(owner.deadline):
                return await owner.calls.carry(told(owner, *arguments, **named))
        except TimeoutError as error:
            raise DeadlineExceeded("the database took too long") from error

    return limited


async def _transactions_work(client: Client, database: Database) -> bool:
    """Whether an aborted insert is gone and a committed one is there."""
    # Servers that start together must not remove each other's.
    probe = {"_id": f"transaction probe {uuid4().hex}"}
    collection = database[META]
    await make(database, META)
    try:
        await collection.delete_many(probe)
        await _insert_in_transaction(client, collection, probe, commit=False)
        if await collection.find_one(probe) is not None:
            return False
        await _insert_in_transaction(client, collection, probe, commit=True)
        return await collection.find_one(probe) is not None
    except PyMongoError as error:
        if error.timeout:
            raise
        return False
    finally:
        await collection.delete_many(probe)


async def _insert_in_transaction(
    client: Client, collection: Collection, document: Document, *, commit: bool
) -> None:
    async with client.start_session() as session:
        await begin(session)
        await collection.insert_one(dict(document), session=session)
        if commit:
            await session.commit_transaction()
        else:
            await session.abort_transaction()


async def make(database: Database, name: str) -> None:
    """Create a collection, compressed where the server takes that; it may be there already.

    A refusal does no harm: the first index or document creates it too, but not in a transaction.
    """
    try:
        await database.create_collection(name, check_exists=False, storageEngine=_COMPRESSION)
    except OperationFailure as error:
        if error.timeout:
            raise


async def begin(session: Session) -> None:
    """Start a transaction; `snapshot` is asked for, as servers differ in their default."""
    await session.start_transaction(
        read_concern=ReadConcern("snapshot"),
        write_concern=WriteConcern("majority", j=True),
        read_preference=ReadPreference.PRIMARY,
    )
