"""One request and its answer, between a connection and the application (ASGI, version 3).

https://asgi.readthedocs.io/en/latest/specs/www.html

The head of an answer waits for the first part of its body, and both leave in one write: a write
to a socket costs as much as reading a resource does.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import structlog

from fhir_server.api.response import WHOLE_ANSWER
from fhir_server.cli.answer import CONTINUE, Answer, Pairs, refusal, whole_answer

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

    @property
    def default_lines(self) -> bytes:
        """The same as lines of a head."""
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
        "_method",
        "_told_end",
        "_version",
        "begun",
        "complete",
        "gone",
        "keep_alive",
        "scope",
        "size",
        "whole",
    )

    def __init__(self, line: Line, scope: Scope, *, keep_alive: bool, continues: bool) -> None:
        self._line = line
        self.scope = scope
        self.keep_alive = keep_alive
        """Whether another may follow on the connection."""
        self._method: str = scope["method"]
        self._version: str = scope["http_version"]
        self._answer: Answer | None = None
        """The answer, when it is given part by part."""
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
    def is_bare(self) -> bool:
        """Whether the request was no more than a head, and the next one may follow it."""
        return self.whole and not self.size and self.keep_alive and not self._continues

    def close_after(self) -> None:
        """Let it be the last one on its connection."""
        self.keep_alive = False

    async def run(self, application: Application) -> None:
        """Have it answered, whatever the application does."""
        scope = self.scope
        scope["extensions"] = {**scope.get("extensions", {}), WHOLE_ANSWER: self.answer}
        self.scope = {}  # which would be a circle: the collector of garbage would have to find it
        try:
            await application(scope, self.receive, self.send)
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
        answer = self._answer
        expected = "http.response.start" if answer is None else "http.response.body"
        if self.complete or message["type"] != expected:
            raise RuntimeError(f"{message['type']!r} does not follow what was sent before")
        if answer is None:
            self._begin(message["status"], message.get("headers", ()))
            return
        last = not message.get("more_body", False)
        part = answer.body(message.get("body", b""), last=last)
        if self._head or part:
            self._line.write(self._head + part)
            self._head = b""
        if last:
            self._end()

    async def answer(self, status: int, headers: Pairs, body: bytes) -> None:
        """Write a whole answer at once: what `send` does in two steps, at half the cost.

        Its length is told by us, so not by the headers, nor whether the connection stays open.
        RuntimeError when something was sent before.
        """
        if self._line.full:
            await self._line.drained()
        if self.gone:
            return
        if self.begun or self.complete:
            raise RuntimeError("an answer does not follow what was sent before")
        self._keep_in_step()
        default, keep_alive = self._line.default_lines, self.keep_alive
        whole = whole_answer(self._method, status, default, headers, body, keep_alive=keep_alive)
        self.begun = True
        self._line.write(whole)
        self._end()

    def _begin(self, status: int, headers: Pairs) -> None:
        self._keep_in_step()
        answer = Answer(self._method, self._version, keep_alive=self.keep_alive)
        self._head = answer.head(status, (*self._line.default_headers, *headers))
        self.keep_alive = answer.keep_alive
        self._answer = answer
        self.begun = True

    def _keep_in_step(self) -> None:
        if self._continues and not self.whole:
            # It was not told to send the body and may or may not do so: nobody could tell.
            self.keep_alive = False

    def _require_answer(self) -> None:
        if not (self.complete or self.gone):
            raise RuntimeError("the application left off before the end of its answer")

    def _fail(self, status: int) -> None:
        """Answer by a refusal, if nothing is written yet; the connection closes after it."""
        self.keep_alive = False
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
