"""A man in the middle of the MongoDB wire protocol, for what a test cannot wait for to happen.

https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/

`Proxy` forwards every command as it is. `Cut` loses all connections for good once a chosen command
was carried out: to the server that is a client that died. `Stall` holds one command back until it
is let go: a client that is merely slow. `Slow` takes its time for each of them.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import bson

Document = dict[str, Any]

OP_MSG = 2013
OP_QUERY = 2004
_HEADER = struct.Struct("<iiii")
_GREETINGS = {"hello", "ismaster", "isMaster", "ping", "buildInfo", "endSessions"}


@dataclass
class Message:
    """One request or reply; `body` is the command or its answer, `rest` its document sequences."""

    identity: int
    answers: int
    code: int
    flags: bytes
    body: Document
    rest: bytes

    @property
    def command(self) -> str:
        return next(iter(self.body))


@dataclass
class Proxy:
    """Listens on a port of its own; `url` is the server's address with that port."""

    server: str
    url: str = ""
    commands: list[str] = field(default_factory=list)
    """The names of the commands that came through, greetings left out."""
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _serving: set["asyncio.Task[None]"] = field(default_factory=set)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        self.url = urlunsplit(urlsplit(self.server)._replace(netloc=f"127.0.0.1:{port}"))
        try:
            yield self
        finally:
            listener.close()
            self.release()
            for writer in self._writers:
                writer.close()
            await asyncio.gather(*self._serving)

    def release(self) -> None:
        """Let go what is held back, as the test is over."""

    async def answer(self, request: Message, server: "Connection") -> Message:
        """What the client gets; ConnectionError ends its connection."""
        if request.command not in _GREETINGS:
            self.commands.append(request.command)
        return await server.ask(request)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(self.server)
        server = Connection(*await asyncio.open_connection(parts.hostname, parts.port))
        client = Connection(reader, writer)
        ends = {writer, server.writer}
        self._writers |= ends
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            while True:
                request = await client.receive()
                await client.send(await self.answer(request, server))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in ends:
                end.close()
            self._writers -= ends


@dataclass
class Cut(Proxy):
    """Dies, for good, at the command of this place (from 0): the server carries it out still.

    Greetings are answered, so that a driver which does not try again fails at once.
    """

    at: int = 10**9

    @property
    def dead(self) -> bool:
        return len(self.commands) > self.at

    async def answer(self, request: Message, server: "Connection") -> Message:
        if request.command in _GREETINGS:
            return await server.ask(request)
        if not self.dead:
            self.commands.append(request.command)
            reply = await server.ask(request)
            if not self.dead:
                return reply
        raise ConnectionAbortedError


@dataclass
class Stall(Proxy):
    """Holds the command of this place back until `go` is set."""

    at: int = 10**9
    named: tuple[str, str] | None = None
    """The command and its collection to hold back, rather than one of a place."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self, ahead: int) -> None:
        """From now on: the command that so many go before."""
        self.at = len(self.commands) + ahead
        self.reached.clear()
        self.go.clear()

    def hold_next(self, command: str, collection: str) -> None:
        self.named = (command, collection)

    async def holds(self, task: "asyncio.Task[Any]") -> bool:
        """Whether a command of the task is held back, rather than that it ends before."""
        reached = asyncio.create_task(self.reached.wait())
        await asyncio.wait({task, reached}, return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        return self.reached.is_set()

    def release(self) -> None:
        self.go.set()

    async def answer(self, request: Message, server: "Connection") -> Message:
        if request.command not in _GREETINGS and self._is_meant(request):
            self.named = None
            self.commands.append(request.command)
            self.reached.set()
            await self.go.wait()
            return await server.ask(request)
        return await super().answer(request, server)

    def _is_meant(self, request: Message) -> bool:
        if self.named is None:
            return len(self.commands) == self.at
        return self.named == (request.command, request.body[request.command])


@dataclass
class Slow(Proxy):
    """Lets each command wait for `pause` seconds."""

    pause: float = 0.0

    async def answer(self, request: Message, server: "Connection") -> Message:
        if request.command not in _GREETINGS:
            await asyncio.sleep(self.pause)
        return await super().answer(request, server)


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: Message) -> Message:
        await self.send(request)
        return await self.receive()

    async def receive(self) -> Message:
        header = await self.reader.readexactly(_HEADER.size)
        length, identity, answers, code = _HEADER.unpack(header)
        content = await self.reader.readexactly(length - _HEADER.size)
        flags_end = {OP_MSG: 5, OP_QUERY: content.index(b"\0", 4) + 9}.get(code, 20)
        size = int.from_bytes(content[flags_end : flags_end + 4], "little")
        body = bson.decode(content[flags_end : flags_end + size])
        return Message(
            identity, answers, code, content[:flags_end], body, content[flags_end + size :]
        )

    async def send(self, message: Message) -> None:
        content = message.flags + bson.encode(message.body) + message.rest
        length = _HEADER.size + len(content)
        header = _HEADER.pack(length, message.identity, message.answers, message.code)
        self.writer.write(header + content)
        await self.writer.drain()
