"""A replica set with transactions, played over the wire server that has none.

One transaction at a time: everybody else waits, and an abort puts back what was there before. That
is stricter than MongoDB, where transactions run side by side and may meet write conflicts; those
are told on demand. It shows that our commands, sessions and retries are right, not that a real
server's isolation is.
"""

import asyncio
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from tests.support.mongo_proxy import OP_MSG, Connection, Document, Message, Proxy

_SESSION = ("lsid", "txnNumber", "startTransaction", "autocommit", "readConcern", "$clusterTime")
Transaction = tuple[bytes, int]

_DATA = ("insert", "update", "delete")


@dataclass
class ReplicaSet(Proxy):
    conflicts: int = 0
    """How many of the next writes in transactions meet a write conflict."""
    labelled: bool = True
    """Whether the server says that a conflict is transient."""
    lost_answers: int = 0
    """How many of the next commits happen, but their answer is lost."""
    lost_commits: int = 0
    """How many of the next commits are lost with their transaction."""
    forgets: bool = False
    """Whether a transaction that was committed is unknown from then on."""
    secondary: bool = False
    """Whether it says that another member is the primary."""
    others: tuple[str, ...] = ()
    """The addresses of other members, where nobody listens."""
    concerns: list[Document | None] = field(default_factory=list)
    """The write concerns of what was written outside of transactions."""
    committed: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _owner: Transaction | None = None
    _last: Transaction | None = None
    _database: str = ""
    _before: dict[str, list[Document]] = field(default_factory=dict)

    async def answer(self, request: Message, server: Connection) -> Message:
        if request.command in {"hello", "ismaster", "isMaster"}:
            reply = await server.ask(request)
            return replace(reply, body={**reply.body, **self._membership()})
        if request.command == "endSessions":
            return _reply(request, {"ok": 1})
        if "autocommit" in request.body:
            owner = (bytes(request.body["lsid"]["id"]), request.body["txnNumber"])
            return await self._within(owner, request, server)
        if request.command in _DATA:
            self.concerns.append(request.body.get("writeConcern"))
        async with self._turn:
            return await super().answer(_plain(request), server)

    async def _within(self, owner: Transaction, request: Message, server: Connection) -> Message:
        if "startTransaction" in request.body:
            assert request.body["readConcern"]["level"] == "snapshot"
            await self._turn.acquire()
            self._owner, self._database = owner, request.body["$db"]
            self._before = await _dump(self._database, server)
        if request.command == "commitTransaction" and owner == self._last and not self.forgets:
            return _reply(request, {"ok": 1})
        if self._owner != owner:
            return _failure(request, 251, ["TransientTransactionError"])
        if request.command in {"commitTransaction", "abortTransaction"}:
            return await self._end(owner, request, server)
        if request.command in _DATA and self.conflicts:
            self.conflicts -= 1
            return _failure(request, 112, ["TransientTransactionError"] if self.labelled else [])
        return await super().answer(_plain(request), server)

    async def _end(self, owner: Transaction, request: Message, server: Connection) -> Message:
        commits = request.command == "commitTransaction"
        lost = commits and self.lost_commits > 0
        if lost or not commits:
            await _restore(self._database, self._before, server)
        self.committed += commits and not lost
        self._owner, self._last = None, None if lost or not commits else owner
        self._turn.release()
        if lost:
            self.lost_commits -= 1
            raise ConnectionAbortedError
        if commits and self.lost_answers:
            self.lost_answers -= 1
            raise ConnectionAbortedError
        return _reply(request, {"ok": 1})

    def _membership(self) -> Document:
        own = urlsplit(self.url).netloc
        return {
            "ismaster": not self.secondary,
            "isWritablePrimary": not self.secondary,
            "secondary": self.secondary,
            "setName": "played",
            "setVersion": 1,
            "hosts": [own, *self.others],
            "me": own,
            "logicalSessionTimeoutMinutes": 30,
        }


def _plain(request: Message) -> Message:
    body = {name: value for name, value in request.body.items() if name not in _SESSION}
    return replace(request, body=body)


def _reply(request: Message, body: Document) -> Message:
    return Message(0, request.identity, OP_MSG, bytes(5), body, b"")


def _failure(request: Message, code: int, labels: list[str]) -> Message:
    told = {"ok": 0, "code": code, "errmsg": "as the test wishes", "errorLabels": labels}
    return _reply(request, told)


async def _ask(server: Connection, body: Document) -> Document:
    return (await server.ask(Message(1, 0, OP_MSG, bytes(5), body, b""))).body


async def _dump(database: str, server: Connection) -> dict[str, list[Document]]:
    listed = await _ask(server, {"listCollections": 1, "$db": database})
    found = {}
    for one in listed["cursor"]["firstBatch"]:
        query = {"find": one["name"], "batchSize": 100_000, "$db": database}
        found[one["name"]] = (await _ask(server, query))["cursor"]["firstBatch"]
    return found


async def _restore(database: str, before: dict[str, list[Document]], server: Connection) -> None:
    for name in await _dump(database, server):
        every = [{"q": {}, "limit": 0}]
        await _ask(server, {"delete": name, "deletes": every, "$db": database})
        if before.get(name):
            content = {"insert": name, "documents": before[name], "$db": database}
            await _ask(server, content)
