"""A small application behind HTTP/1.1 on a real socket, and what is sent to it.

https://www.rfc-editor.org/rfc/rfc9112
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from fhir_server.cli.connection import Connection

App = Callable[[Any, Any, Any], Awaitable[None]]


Reader = asyncio.StreamReader


Writer = asyncio.StreamWriter


GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


POST = b"POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Site:
    """A small server in this process."""

    port: int
    state: ServerState
    streams: list[Writer] = field(default_factory=list)

    async def connect(self) -> tuple[Reader, Writer]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.streams.append(writer)
        return reader, writer

    async def says(self, data: bytes) -> bytes:
        """Everything that is answered until the server closes."""
        reader, writer = await self.connect()
        writer.write(data)
        return await asyncio.wait_for(reader.read(), 10)


@asynccontextmanager
async def site(app: App, **options: Any) -> AsyncIterator[Site]:
    config = Config(app, interface="asgi3", lifespan="off", log_config=None, **options)
    config.proxy_headers = False
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
    here = Site(server.sockets[0].getsockname()[1], state)
    try:
        yield here
    finally:
        server.close()
        for each in list(state.connections):
            each.shutdown()
        for writer in here.streams:
            writer.close()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.sleep(0.01)


async def answer(send: Any, body: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def whole(receive: Any) -> bytes | None:
    """The body; None when the caller went away before its end."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message["body"]
        if not message["more_body"]:
            return body


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers method, path and body."""
    body = await whole(receive)
    if body is not None:
        await answer(send, f"{scope['method']} {scope['path']} ".encode() + body)


def bodies(said: bytes) -> list[bytes]:
    """The bodies of answers that give their length."""
    found = []
    while said:
        head, _, said = said.partition(b"\r\n\r\n")
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found.append(said[:length])
        said = said[length:]
    return found


def hesitant(request: bytes) -> bytes:
    return request.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue")


def last(request: bytes) -> bytes:
    return request.replace(b"Host: x", b"Host: x\r\nConnection: close")
