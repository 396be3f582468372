"""One request and its answer, between a connection and the application (ASGI, version 3).

https://asgi.readthedocs.io/en/latest/specs/www.html

The head of an answer waits for the first part of its body, and both leave in one write: a write
to a socket costs as much as reading a resource does.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import structlog

from fhir_server.cli.answer import CONTINUE, Answer, Pairs, refusal

_log = structlog.get_logger()

Message = MutableMapping[str, Any]
Scope = dict[str, Any]
Application = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class Line(Protocol):
    """What an exchange needs of its connection."""

    full: bool
    """Whether the caller does not take what was written; then wait for `drained`."""

    @property
    def default_headers(self) -> Pairs:
        """What every answer says."""
        ...

    def write(self, data: bytes) -> None: ...

    async def drained(self) -> None: ...

    def taken(self) -> None:
        """What had arrived of the body was taken: there is room again."""
        ...

    def answered(self) -> None:
        """The exchange is over, for the next to begin."""
        ...


class Exchange:
    """The application's call is `run`; the connection tells what arrives of the body."""

    __slots__ = (
        "_answer",
        "_arrived",
        "_bell",
        "_continues",
        "_head",
        "_line",
        "_scope",
        "_told_end",
        "begun",
        "complete",
        "gone",
        "size",
        "whole",
    )

    def __init__(self, line: Line, scope: Scope, *, keep_alive: bool, continues: bool) -> None:
        self._line = line
        self._scope = scope
        self._answer = Answer(scope["method"], scope["http_version"], keep_alive=keep_alive)
        self.begun = False
        """Whether there is a head of the answer."""
        self._head = b""
        """The head while it waits for the body."""
        self._continues = continues
        """Whether the caller sends the body only when it is told to."""
        self._arrived: list[bytes] = []
        self.size = 0
        """Bytes of the body that have arrived and wait to be taken."""
        self.whole = self._told_end = False
        """Whether all of it has arrived, and whether the application knows."""
        self._bell: asyncio.Event | None = None
        self.gone = False
        """Whether nobody is there any more to be answered."""
        self.complete = False
        """Whether it is over."""

    @property
    def keep_alive(self) -> bool:
        """Whether another may follow on the connection."""
        return self._answer.keep_alive

    def close_after(self) -> None:
        """Let it be the last one on its connection."""
        self._answer.keep_alive = False

    async def run(self, application: Application) -> None:
        """Have it answered, whatever the application does."""
        try:
            await application(self._scope, self.receive, self.send)
            self._require_answer()
        except asyncio.CancelledError:
            self._fail(503)
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller must not wait
            _log.error("unexpected error", exc_info=error)
            self._fail(500)
        finally:
            if not self.complete:
                self._end()

    def arrives(self, part: bytes) -> None:
        """Take a part of the body; once the answer is given, it is passed over."""
        if not self.complete:
            self._arrived.append(part)
            self.size += len(part)
            self._ring()

    def arrived(self) -> None:
        """The body is whole."""
        self.whole = True
        self._ring()

    def leave(self) -> None:
        """Nobody is there any more. The application goes on, and is told when it asks."""
        self.gone = True
        self._ring()

    async def receive(self) -> Message:
        """The next part of the body; after the last, wait until no answer is needed any more."""
        if self._continues and not (self._arrived or self.whole):
            self._line.write(CONTINUE)
        self._continues = False
        while not (self.gone or self.complete or self._arrived or self.whole > self._told_end):
            self._bell = self._bell or asyncio.Event()
            self._bell.clear()
            await self._bell.wait()
        if self.gone or self.complete:
            return {"type": "http.disconnect"}
        body, self._arrived, self.size = b"".join(self._arrived), [], 0
        self._told_end = self.whole
        self._line.taken()
        return {"type": "http.request", "body": body, "more_body": not self.whole}

    async def send(self, message: Message) -> None:
        """Write a part of the answer; RuntimeError when it does not follow the one before."""
        if self._line.full:
            await self._line.drained()
        if self.gone:
            return
        expected = "http.response.body" if self.begun else "http.response.start"
        if self.complete or message["type"] != expected:
            raise RuntimeError(f"{message['type']!r} does not follow what was sent before")
        if not self.begun:
            self._begin(message["status"], message.get("headers", ()))
            return
        last = not message.get("more_body", False)
        part = self._answer.body(message.get("body", b""), last=last)
        if self._head or part:
            self._line.write(self._head + part)
            self._head = b""
        if last:
            self._end()

    def _begin(self, status: int, headers: Pairs) -> None:
        if self._continues and not self.whole:
            # It was not told to send the body and may or may not do so: nobody could tell.
            self._answer.keep_alive = False
        self._head = self._answer.head(status, (*self._line.default_headers, *headers))
        self.begun = True

    def _require_answer(self) -> None:
        if not (self.complete or self.gone):
            raise RuntimeError("the application left off before the end of its answer")

    def _fail(self, status: int) -> None:
        """Answer by a refusal, if nothing is written yet; the connection closes after it."""
        self._answer.keep_alive = False
        if not (self.gone or self.complete) and (self._head or not self.begun):
            self._line.write(refusal(status, self._line.default_headers))

    def _end(self) -> None:
        self.complete = True
        self._arrived, self.size = [], 0
        self._ring()
        self._line.answered()

    def _ring(self) -> None:
        if self._bell is not None:
            self._bell.set()
