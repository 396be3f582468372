"""HTTP as uvicorn speaks it, with one write for each answer.

uvicorn writes head and body of an answer one after the other, and each write is a call to the
system, which costs as much as reading the resource did. Here the head waits for the body.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's own protocol over a transport that joins the first two writes of a turn."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it likewise
        super().connection_made(JoiningTransport(transport, self.loop))  # type: ignore[arg-type]  # all that it uses is there


class JoiningTransport:
    """A transport whose first write waits for a second one, until this turn of the loop ends."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._waiting is not None:
            first, self._waiting = self._waiting, None
            self._transport.writelines((first, data) if data else (first,))
        else:
            self._waiting = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._waiting is not None:
            first, self._waiting = self._waiting, None
            self._transport.write(first)
