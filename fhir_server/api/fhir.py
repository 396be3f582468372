"""Every FHIR path: HTTP in, one interaction, HTTP out. A plain ASGI application.

https://hl7.org/fhir/R4/http.html

Only translation happens here. What is asked is decided by the interaction table.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from time import perf_counter
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from msgspec.structs import replace

from fhir_server.api.body import (
    FORM,
    PATCH,
    RESOURCE,
    Disconnected,
    Receive,
    read_body,
    require_type,
)
from fhir_server.api.listening import listening
from fhir_server.api.negotiation import FHIR_JSON, Form, form_of
from fhir_server.api.query import NO_QUERY, Query, of_pairs, read_query
from fhir_server.api.response import (
    SAME_HEAD,
    Send,
    body_and_encoding,
    headers_of,
    send_reply,
)
from fhir_server.errors import (
    BadRequest,
    FhirError,
    HeadersTooLarge,
    Misdirected,
    RequestTimedOut,
    Unavailable,
    UriTooLong,
)
from fhir_server.fhir import json_format
from fhir_server.interactions.context import Context, Interaction
from fhir_server.interactions.failures import failed
from fhir_server.interactions.request import Reply, Request, Resource
from fhir_server.interactions.routing import perform
from fhir_server.kit.ids import RequestIds
from fhir_server.observability.logs import RequestLog, request_id
from fhir_server.observability.metrics import Metrics
from fhir_server.observability.redaction import is_request_id

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that are logged; another word could be anything."""
_READS = frozenset({"read", "vread", "search-type", "search-system", "search-compartment"})
"""Interactions that a store may answer without waiting for anything."""
_MOST_HEADERS = 200
_MOST_HEADER_BYTES = 64 * 1024
"""Bytes of all names and values of headers together."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_PLAIN = Form(f"{FHIR_JSON};charset=utf-8".encode())


@dataclass(frozen=True, slots=True)
class Limits:
    body: int = 32 * 1024 * 1024
    """Bytes of a body, unpacked."""
    depth: int = 64
    """Levels of JSON."""
    url: int = 8 * 1024
    """Bytes of path and query."""
    arrival: float = 15.0
    """Seconds in which a body must have arrived."""


class _Head:
    """What the headers of a request say. It holds for all that have the very same ones."""

    __slots__ = ("allowed", "form", "headers", "identity")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.allowed = False
        """Whether they are few, and for one of our hosts."""
        self.form: Form | None = None
        """The form they ask for, once it is understood."""
        given = headers.get("x-request-id")
        self.identity = given if given and is_request_id(given) else None
        """The caller's own id for the request, if it looks like one."""


class _Exchange:
    """One request on its way through: what is known of it so far."""

    __slots__ = ("form", "head", "interaction", "method", "query", "type")

    def __init__(self, method: str, head: _Head) -> None:
        self.method = method
        self.head = head
        self.form = head.form or _PLAIN
        self.interaction = ""
        self.type = ""
        self.query: Query = NO_QUERY


class FhirFace:
    """The FHIR service below one path, such as `/fhir`."""

    def __init__(
        self,
        context: Context,
        root: str,
        *,
        limits: Limits,
        metrics: Metrics,
        log: RequestLog | None,
        hosts: frozenset[str],
        closing: Callable[[], bool],
        at_once: bool,
    ) -> None:
        """`hosts` are the only names in Host that are served.

        A server without sign-in needs them: a page of another site may point a name of its own
        at the loopback address, and a browser would then send it our answers. When the process is
        `closing`, no further entry of a bundle begins. `at_once` says that the store often reads
        without waiting, and asks for a task itself where it needs one.
        """
        self._context = context
        self._root = len(root)
        self._limits = limits
        self._metrics = metrics
        self._log = log
        self._hosts = hosts
        self._closing = closing
        self._at_once = at_once
        self._ids = RequestIds()

    def close(self) -> None:
        """Write the log's last lines."""
        if self._log is not None:
            self._log.flush()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        began = perf_counter()
        self._metrics.request_began()
        head = _head(scope)
        exchange = _Exchange(scope["method"], head)
        identity = head.identity or self._ids.new_id()
        request_id.set(identity)
        status = sent = 0
        try:
            reply = await self._answer(exchange, scope, receive)
            status, sent = reply.status, await self._send(exchange, reply, identity, scope, send)
        except Disconnected:
            status = 499
        finally:
            self._record(exchange, status, sent, perf_counter() - began)

    async def _answer(
        self, exchange: _Exchange, scope: Mapping[str, Any], receive: Receive
    ) -> Reply:
        context = self._context
        try:
            if not exchange.head.allowed:
                _require_few_headers(scope["headers"])
                self._require_our_host(exchange.head.headers.get("host", ""))
                exchange.head.allowed = True
            request = self._request(exchange, scope)
            interaction = context.table.find(request, context)
            exchange.interaction = interaction.name
            exchange.type = request.path[0] if "[type]" in interaction.path else ""
            sends = exchange.method in {"POST", "PUT", "PATCH"}
            if sends or not (self._at_once and interaction.name in _READS):
                await _in_a_task()
            if sends:
                request = await self._with_body(exchange, request, receive)
            if interaction.name == "bundle":
                return await self._while_wanted(interaction, request, receive)
            return await perform(interaction, request, context)
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001 -- every failure is answered, none escapes
            return failed(error)

    async def _while_wanted(
        self, interaction: Interaction, request: Request, receive: Receive
    ) -> Reply:
        """What takes long, until its caller is gone or the process ends."""
        async with listening(receive) as gone:

            def require_wanted() -> None:
                if gone():
                    raise Unavailable("The caller is gone.")
                if self._closing():
                    raise Unavailable("The server stops, so this was not begun; send it again.")

            context = changed(self._context, require_wanted=require_wanted)
            try:
                reply = await perform(interaction, request, context)
            except FhirError as error:
                reply = failed(error)
            if gone():
                raise Disconnected
            return reply

    def _require_our_host(self, host: str) -> None:
        named = host.lower()
        if named not in self._hosts and named.rpartition(":")[0] not in self._hosts:
            raise Misdirected(
                f"Without sign-in this server answers only as {', '.join(sorted(self._hosts))}, "
                f"not as {host[:80]!r}."
            )

    def _request(self, exchange: _Exchange, scope: Mapping[str, Any]) -> Request:
        """The request without its body; sets the form of the answer as early as possible."""
        raw, query_string = scope["raw_path"], scope["query_string"]
        head, query = exchange.head, NO_QUERY
        if query_string:
            exchange.query = query = read_query(query_string)
            exchange.form = form_of(head.headers.get("accept"), query.format, query.pretty)
        elif head.form is None:
            exchange.form = head.form = form_of(head.headers.get("accept"), None, None)
        length = len(raw) + len(query_string)
        if length > self._limits.url:
            raise UriTooLong(
                f"The URL has {length} bytes; at most {self._limits.url} are taken. "
                "Long searches can be posted to _search."
            )
        return Request(exchange.method, _segments(raw, self._root), query.pairs, head.headers)

    async def _with_body(self, exchange: _Exchange, request: Request, receive: Receive) -> Request:
        if request.path[-1:] == ["_search"]:
            return await self._with_form(exchange, request, receive)
        require_type(request.headers, PATCH if request.method == "PATCH" else RESOURCE)
        data = await self._body(request, receive)
        body: Resource = json_format.parse(data, max_depth=self._limits.depth)
        return Request(request.method, request.path, request.query, request.headers, body)

    async def _body(self, request: Request, receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(self._limits.arrival):
                return await read_body(receive, request.headers, self._limits.body)
        except TimeoutError:
            raise RequestTimedOut(
                f"The body did not arrive within {self._limits.arrival:g} s."
            ) from None

    async def _with_form(self, exchange: _Exchange, request: Request, receive: Receive) -> Request:
        """The search of URL and form together; a form may be left out, with its type."""
        if "content-type" in request.headers:
            require_type(request.headers, FORM)
        data = await self._body(request, receive)
        if not data:
            return request
        require_type(request.headers, FORM)
        query = exchange.query = of_pairs((*request.query, *read_query(data).pairs))
        exchange.form = form_of(request.headers.get("accept"), query.format, query.pretty)
        return replace(request, query=query.pairs)

    async def _send(
        self,
        exchange: _Exchange,
        reply: Reply,
        identity: str,
        scope: Mapping[str, Any],
        send: Send,
    ) -> int:
        headers = headers_of(reply, self._context.base_url)
        body, encoding = body_and_encoding(
            reply, exchange.form, exchange.head.headers.get("accept-encoding")
        )
        headers.append((b"x-request-id", identity.encode()))
        if body:
            headers.append((b"content-type", exchange.form.content_type))
        if encoding:
            headers.append((b"content-encoding", encoding))
        await send_reply(scope, send, reply.status, headers, body)
        return len(body)

    def _record(self, exchange: _Exchange, status: int, sent: int, seconds: float) -> None:
        self._metrics.request_ended(exchange.interaction, exchange.type, status, seconds)
        if self._log is not None:
            method = exchange.method if exchange.method in _METHODS else "?"
            self._log.record(
                method,
                exchange.interaction,
                exchange.type,
                status,
                seconds,
                sent,
                exchange.query.names,
            )


def _head(scope: Mapping[str, Any]) -> _Head:
    """What the headers say; where they were the same before, what was understood then."""
    known: dict[str, _Head] | None = scope.get("extensions", _NOTHING).get(SAME_HEAD)
    if known is None:
        return _Head(_headers(scope["headers"]))
    if not known:
        known["head"] = _Head(_headers(scope["headers"]))
    return known["head"]


def _headers(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name in lower case; what comes several times is one list, as RFC 9110 5.2 says."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if len(headers) == len(pairs):
        return headers
    lists: dict[str, list[str]] = {name: [] for name in headers}
    for name, value in pairs:
        lists[name.decode("latin-1")].append(value.decode("latin-1"))
    return {name: ", ".join(values) for name, values in lists.items()}


async def _in_a_task() -> None:
    """Give way. What was called without a task goes on in one, as timeouts and others want it."""
    await asyncio.sleep(0)


def _require_few_headers(pairs: Sequence[tuple[bytes, bytes]]) -> None:
    if len(pairs) > _MOST_HEADERS:
        raise HeadersTooLarge(
            f"The request has {len(pairs)} headers; at most {_MOST_HEADERS} are taken."
        )
    size = sum([len(name) + len(value) for name, value in pairs])
    if size > _MOST_HEADER_BYTES:
        raise HeadersTooLarge(
            f"The headers have {size} bytes; at most {_MOST_HEADER_BYTES} are taken."
        )


def _segments(raw_path: bytes, root: int) -> list[str]:
    path = raw_path[root:].strip(b"/")
    if not path:
        return []
    try:
        text = path.decode("ascii")
        if "%" not in text:
            return text.split("/")
        return [unquote(segment, errors="strict") for segment in text.split("/")]
    except UnicodeDecodeError:
        raise BadRequest("The path of the URL is not UTF-8, percent-encoded.") from None
