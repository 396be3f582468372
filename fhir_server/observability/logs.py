"""Structured logs on standard error: one JSON object a line, or text for people.

Modules log by `structlog.get_logger()`; what libraries log by the standard library takes the
same way. Each event carries the id of the request it belongs to. The line for each request
does not pass through structlog: written directly it costs 2 µs instead of 8.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import structlog

from fhir_server.observability import redaction

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]
Event = MutableMapping[str, Any]

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request being answered, empty outside of one."""

_TRACEBACK = "Traceback"
"""How a message begins into which a library has put a traceback."""

_PATIENCE = 0.05
"""Seconds that the line of a request may wait to be written with others."""
_MOST_LINES = 256

_QUIET = ("asyncio", "httpcore", "httpx", "pymongo")
"""Libraries whose finer events quote what is stored or asked for."""


class RequestLine(msgspec.Struct, omit_defaults=True, tag_field="event", tag="request"):
    """What is logged of one request: no path, no values, nothing of a resource."""

    time: datetime
    level: str
    request: str
    method: str
    interaction: str
    type: str
    status: int
    milliseconds: float
    sent: int
    """Bytes of the answer's body."""
    parameters: str = ""
    """Names of the query's parameters, as `redaction.parameter_names` gives them."""


class StandardError:
    """Whole lines to standard error. Logging fails no request: a lost line is only counted."""

    def __init__(self) -> None:
        self.lost = 0

    def write(self, line: bytes) -> None:
        try:
            os.write(2, line + b"\n")
        except OSError:
            self.lost += 1

    debug = info = warning = error = critical = write


class RequestLog:
    """One line for each request answered, written with others: within a twentieth of a second.

    A write to a file costs more than all the rest of a small request.
    """

    def __init__(self, form: Format = "auto") -> None:
        self._out = StandardError()
        self._lines: list[bytes] = []
        self._render: Callable[[RequestLine], bytes] = (
            msgspec.json.Encoder().encode if wants_json(form) else _request_text
        )

    def record(
        self,
        method: str,
        interaction: str,
        type_: str,
        status: int,
        seconds: float,
        sent: int,
        parameters: str = "",
    ) -> None:
        """Log the request of `request_id`; type and interaction are "" where there is none."""
        time, request, taken = datetime.now(UTC), request_id.get(), round(seconds * 1000, 3)
        line = RequestLine(
            time,
            "info",
            request,
            method,
            interaction,
            type_,
            status,
            taken,
            sent,
            parameters,
        )
        if not self._lines:
            asyncio.get_running_loop().call_later(_PATIENCE, self.flush)
        self._lines.append(self._render(line))
        if len(self._lines) >= _MOST_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what waits; call it before the loop ends."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._out.write(b"\n".join(lines))


def configure(level: Level = "info", form: Format = "auto") -> None:
    """Send every event of this process to standard error from now on."""
    least = logging.getLevelNamesMapping()[level.upper()]
    out = StandardError()
    structlog.configure(
        processors=[
            _add_request_id,
            structlog.processors.add_log_level,
            _without_words,
            structlog.processors.TimeStamper(fmt="iso", key="time"),
            *_renderers(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *_: out,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=least, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, least))


def wants_json(form: Format) -> bool:
    """Whether lines are JSON: always when said so, and by itself when nobody is watching."""
    return form == "json" or (form == "auto" and not sys.stderr.isatty())


class _ToStructlog(logging.Handler):
    """Takes what libraries log. Their message is kept, the words of an exception are not."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage().strip()
        event: Event = {"source": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info[1]
        if message.startswith(_TRACEBACK):
            event["exception"] = redaction.traceback_lines(message)
            message = _TRACEBACK
        structlog.get_logger().log(record.levelno, message, **event)


def _add_request_id(_logger: object, _method: str, event: Event) -> Event:
    if request := request_id.get():
        event["request"] = request
    return event


def _without_words(_logger: object, _method: str, event: Event) -> Event:
    """Put the types and lines of an exception in the place of its words."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["exception"] = redaction.exception_lines(error)
    return event


def _renderers(form: Format) -> list[Callable[[object, str, Event], Any]]:
    if wants_json(form):
        encode = msgspec.json.Encoder(enc_hook=str).encode
        return [structlog.processors.JSONRenderer(serializer=lambda event, **_: encode(event))]
    console = structlog.dev.ConsoleRenderer(timestamp_key="time")
    return [_exception_as_text, lambda *event: str(console(*event)).encode()]


def _exception_as_text(_logger: object, _method: str, event: Event) -> Event:
    if "exception" in event:
        event["exception"] = "\n".join(event["exception"])
    return event


def _request_text(line: RequestLine) -> bytes:
    text = (
        f"{line.time:%H:%M:%S} {line.status} {line.milliseconds:8.2f} ms  "
        f"{line.method} {line.interaction or '-'} {line.type} {line.parameters}"
    )
    return text.rstrip().encode()
