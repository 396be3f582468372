"""HTTP/1.1 on one connection, under uvicorn's server in place of uvicorn's own protocol.

https://www.rfc-editor.org/rfc/rfc9112

uvicorn opens sockets, handles signals and waits for the end; of a protocol it wants that it is
in `connections`, its tasks in `tasks`, and `shutdown`. Its own one costs as much as reading a
resource does: a task for each request, an expression for each header, a timer for each answer.
Here the application is called as soon as a request has arrived, and becomes a task when it waits:
a read of the embedded store never does. The parser is the same, httptools, and as strict: two
lengths of one body, or a header's name that is none, are refused. So is here what it lets pass
though two readers of it may disagree: a body in chunks under HTTP/1.0, a coding that is not
`chunked`, no Host or two of them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import copy_context
from types import coroutine
from typing import Any
from urllib.parse import unquote

import httptools
import structlog
from uvicorn import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from fhir_server.cli.answer import Pairs, headers_in_lines, refusal
from fhir_server.cli.exchange import Application, Exchange, Scope
from fhir_server.cli.head import Pair, expects_continue, framing, path_and_query, require_clear
from fhir_server.cli.same_head import SameHead, same_head

_log = structlog.get_logger()

_MOST_UNREAD = 128 * 1024
"""Bytes of a head that has no end: more than the application takes, which says so better."""
_MOST_PARSED = 64 * 1024
"""Bytes parsed at a time; if there are requests in them, the rest waits until these have begun."""
_MOST_BODY = 64 * 1024
"""Bytes of a body that wait for the application; then no more is read."""
_ARRIVAL = 30.0
"""Seconds in which a head must arrive, and whatever follows when the answer is given already."""
_STUCK = 60.0
"""Seconds in which the caller must take something of what was written."""


class Connection(asyncio.Protocol):
    """Parses what arrives; begins an exchange for each request, when its turn has come."""

    write: Callable[[bytes], None]
    full = False
    """Whether the caller does not take what is written."""

    _rest = b""
    """What has arrived and is not parsed."""
    _unread = 0
    """Bytes parsed since the parser last told of something."""
    _url = b""
    _framing = b""
    """How long the body is that the parser was not told of."""
    _arriving: Exchange | None = None
    """Whose body it is that arrives."""
    _answering: Exchange | None = None
    _last = False
    """Whether no further request is taken."""
    _refusal = b""
    """What is written when all before is answered, because what followed cannot be."""
    _reading = True
    _between = True
    """Whether the parser is between two requests."""
    _same: SameHead | None = None
    """The head of the request before, to be known again."""
    _default: tuple[Pairs, bytes] = ((), b"")
    """What every answer says, as it was last made lines of."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._application: Application = config.loaded_app
        self._root = config.root_path
        self._keep_alive: float = config.timeout_keep_alive
        self._asgi = {"version": config.asgi_version, "spec_version": "2.3"}
        self._server = server_state
        self._state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        # Such data are passed over, so that the answer before them is not lost.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._headers: list[Pair] = []
        self._waiting: deque[Exchange] = deque()
        """What has arrived and is answered after the one before it."""
        self._writable = asyncio.Event()
        self._since, self._patience = self._loop.time(), _ARRIVAL
        """When it began to be quiet, or stuck, and for how many seconds it may be quiet."""

    # What the loop tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # sockets have no other
        self._context = copy_context()  # each request has its own, and none sees another's
        self._transport = transport
        self.write = transport.write
        self._server.connections.add(self)  # type: ignore[arg-type]  # only `shutdown` is asked of it
        self._always: Scope = {
            "type": "http",
            "asgi": self._asgi,
            "root_path": self._root,
            "server": get_local_addr(transport),
            "client": get_remote_addr(transport),
            "scheme": "https" if is_ssl(transport) else "http",
        }
        self._watch = self._loop.call_later(self._keep_alive, self._look)

    def data_received(self, data: bytes) -> None:
        if self._same is not None and self._is_idle():
            scope = self._same.scope_of(data)
            if scope is not None:
                self._begin_same(scope)
                return
        self._rest = self._rest + data if self._rest else data
        self._go_on()

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.connections.discard(self)
        self._watch.cancel()
        self._parser = self._arriving = None
        self._rest = b""
        if self._answering is not None:
            self._answering.leave()
        self._waiting.clear()
        self.resume_writing()

    def pause_writing(self) -> None:
        self.full = True
        self._since = self._loop.time()
        self._writable.clear()

    def resume_writing(self) -> None:
        self.full = False
        self._writable.set()

    # What the server tells.

    def shutdown(self) -> None:
        """Answer what has begun, and close."""
        self._last = True
        last = self._waiting[-1] if self._waiting else self._answering
        if last is None:
            self._close()
        else:
            last.close_after()

    # What the parser tells.

    def on_message_begin(self) -> None:
        self._unread = 0
        self._between = False
        self._url = b""
        self._headers = []
        self._since, self._patience = self._loop.time(), _ARRIVAL

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._unread = 0
        if self._framing:  # this head is ours, so that the parser knows of the body
            self._framing = b""
            return
        if self._last or self._parser is None:
            return
        version, headers = self._parser.get_http_version(), self._headers
        require_clear(version, headers)
        self._headers = []  # what follows the body is not to join them
        is_new = version == "1.1"
        exchange = Exchange(
            self,
            self._scope(self._parser, version, headers),
            keep_alive=is_new and self._parser.should_keep_alive(),
            continues=is_new and expects_continue(headers),
        )
        if self._parser.should_upgrade():
            self._framing = framing(headers)
        self._last = not exchange.keep_alive
        self._arriving = exchange
        self._waiting.append(exchange)

    def on_body(self, part: bytes) -> None:
        self._unread = 0
        if self._arriving is not None:
            self._arriving.arrives(part)

    def on_message_complete(self) -> None:
        self._unread = 0
        if self._framing:  # of a request for another protocol the parser expects no body
            return
        self._between = True
        self._since, self._patience = self._loop.time(), self._keep_alive
        if self._arriving is not None:
            self._arriving.arrived()
            self._arriving = None

    # What an exchange needs.

    @property
    def default_headers(self) -> Pairs:
        return self._server.default_headers

    @property
    def default_lines(self) -> bytes:
        headers, lines = self._default
        if headers is not self._server.default_headers:  # a new list whenever the date is another
            headers = self._server.default_headers
            lines = headers_in_lines(headers)
            self._default = headers, lines
        return lines

    async def drained(self) -> None:
        await self._writable.wait()

    def taken(self) -> None:
        self._make_room()

    def answered(self) -> None:
        over, self._answering = self._answering, None
        self._server.total_requests += 1
        self._since = self._loop.time()
        if over is not None and not over.keep_alive:
            self._close()
        elif self._waiting or self._rest or self._refusal:
            self._loop.call_soon(self._go_on)  # others have their turn between two of ours
        elif not self._reading:
            self._make_room()

    # Our own.

    def _scope(
        self, parser: httptools.HttpRequestParser, version: str, headers: Sequence[Pair]
    ) -> Scope:
        raw_path, query = path_and_query(self._url)
        path = raw_path.decode("ascii")
        return {
            **self._always,
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "path": self._root + (unquote(path) if "%" in path else path),
            "raw_path": self._root.encode("ascii") + raw_path,
            "query_string": query,
            "headers": headers,
            "state": self._state.copy(),
        }

    def _is_idle(self) -> bool:
        """Whether all that has come before is parsed, and all that was begun is answered."""
        busy = self._rest or self._waiting or self._last
        return self._between and self._answering is None and not busy

    def _begin_same(self, scope: Scope) -> None:
        """Begin a request whose head was parsed before."""
        if self._transport.is_closing():
            return
        scope["state"] = self._state.copy()
        exchange = Exchange(self, scope, keep_alive=True, continues=False)
        exchange.whole = True
        self._begin(exchange)

    def _parse(self) -> None:
        """Have the parser tell of what has arrived, up to the next requests."""
        while self._rest and self._parser is not None and not self._waiting:
            if len(self._rest) > _MOST_PARSED:
                part, self._rest = self._rest[:_MOST_PARSED], self._rest[_MOST_PARSED:]
            else:
                part, self._rest = self._rest, b""
            left = self._parsed(self._parser, part)
            if left:
                self._rest = left + self._rest

    def _parsed(self, parser: httptools.HttpRequestParser, data: bytes) -> bytes:
        """What is left to parse; the parser has told of the rest."""
        self._unread += len(data)
        is_new = self._between
        try:
            parser.feed_data(data)
            if is_new and self._between and len(self._waiting) == 1:
                self._same = same_head(data, self._waiting[0])
        except httptools.HttpParserUpgrade as end:
            # We speak no other protocol: the request is answered, and what follows is read: its
            # body as one, for which the parser needs another head, and then the next request.
            begin = b"POST / HTTP/1.1\r\n" + self._framing + b"\r\n" if self._framing else b""
            return begin + data[end.args[0] :]
        except httptools.HttpParserError as error:
            _log.warning("what arrived is not HTTP", reason=type(error).__name__)
            self._refuse(400)
        if self._unread > _MOST_UNREAD:
            self._refuse(431)
        return b""

    def _refuse(self, status: int) -> None:
        """What arrives cannot be read: this is said when all before is answered."""
        if self._parser is None:
            return
        self._parser = None
        self._last = True
        self._rest = b""
        self._refusal = refusal(status, self.default_headers)
        broken, self._arriving = self._arriving, None
        if broken is not None:
            broken.leave()
            if broken in self._waiting:
                self._waiting.remove(broken)
            elif broken.begun:  # nobody could tell the refusal from the answer
                self._close()

    def _go_on(self) -> None:
        """Begin what has its turn; then read on, unless there is enough to do."""
        if self._transport.is_closing():
            return
        self._parse()
        if self._answering is None and self._waiting:
            self._begin(self._waiting.popleft())
            self._parse()  # what is left may be of its body
        elif self._answering is None and self._refusal:
            self.write(self._refusal)
            self._close()
        self._make_room()

    def _begin(self, exchange: Exchange) -> None:
        """Call the application; when it waits for something, the rest is a task."""
        self._answering = exchange
        context = self._context.copy()
        begun = exchange.run(self._application)
        try:
            awaited = context.run(begun.send, None)
        except StopIteration:
            return
        task = self._loop.create_task(_resumed(begun, awaited), context=context)
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    def _make_room(self) -> None:
        """Read no more than is taken."""
        arriving = self._arriving
        full = arriving is not None and arriving.size > _MOST_BODY
        crowded = full or bool(self._waiting or self._rest)
        if crowded is self._reading and not self._transport.is_closing():
            self._reading = not crowded
            (self._transport.pause_reading if crowded else self._transport.resume_reading)()

    def _close(self) -> None:
        self._since = self._loop.time()
        self._transport.close()

    def _look(self) -> None:
        """Close what was quiet for too long, cut off what is stuck; else look again in time."""
        stuck = self.full or self._transport.is_closing()
        quiet = self._answering is None
        limit = _STUCK if stuck else self._patience if quiet else self._keep_alive
        left = limit - (self._loop.time() - self._since)
        if left <= 0 and stuck:
            self._transport.abort()
        elif left <= 0 and quiet:
            self._close()
        self._watch = self._loop.call_later(left if left > 0 else limit, self._look)


@coroutine
def _resumed(begun: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """The rest of a coroutine that waits; `awaited` is what it has given to its event loop.

    None says that it only wanted others to go first, or a task of its own.
    """
    waits = awaited is not None
    while True:
        thrown: BaseException | None = None
        if waits:
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001 -- it is for the coroutine to handle
                thrown = error
        try:
            awaited = begun.send(None) if thrown is None else begun.throw(thrown)
        except StopIteration:
            return
        waits = True
