"""The body of a request: bounded, unpacked, and only of a type that is understood.

https://hl7.org/fhir/R4/http.html#mime-type
"""

import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import zstandard

from fhir_server.errors import BadRequest, TooLarge, UnsupportedMediaType

FORM = "application/x-www-form-urlencoded"
_JSON_TYPES = frozenset({"application/fhir+json", "application/json", "text/json"})
Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class Disconnected(Exception):
    """The caller went away before the request was complete."""


class _Unpacker(Protocol):
    def feed(self, data: bytes, most: int) -> bytes:
        """What the data unpacks to, or more than `most` bytes of it."""
        ...

    @property
    def complete(self) -> bool: ...


def require_type(headers: Mapping[str, str], *, form: bool = False) -> None:
    """UnsupportedMediaType unless the body is JSON (or, for _search, a form), in UTF-8."""
    header = headers.get("content-type", "")
    name, _, rest = header.partition(";")
    name = name.strip().lower()
    wanted = FORM if form else "application/fhir+json"
    if name != FORM if form else name not in _JSON_TYPES:
        given = f"not {name[:80]!r}" if name else "and Content-Type says nothing"
        raise UnsupportedMediaType(f"The body must be {wanted}, {given}.")
    charset = rest.lower().partition("charset=")[2].partition(";")[0].strip().strip('"')
    if charset not in {"", "utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMediaType(f"The body must be in UTF-8, not in {charset[:40]!r}.")


async def read_body(receive: Receive, headers: Mapping[str, str], most: int) -> bytes:
    """The whole body, unpacked. TooLarge beyond `most` bytes, packed or unpacked."""
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise _too_large(announced, most)
    unpacker = _unpacker(headers.get("content-encoding", "identity").strip().lower())
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        if unpacker is not None and part:
            part = _fed(unpacker, part, most - size)
        more = message.get("more_body", False)
        size += len(part)
        if size > most:
            raise _too_large(f"more than {most}", most)
        parts.append(part)
    if unpacker is not None and size and not unpacker.complete:
        raise BadRequest("The packed body ends too early.")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(seen: str, most: int) -> TooLarge:
    return TooLarge(f"The body has {seen} bytes; at most {most} are taken.")


def _fed(unpacker: _Unpacker, data: bytes, most: int) -> bytes:
    try:
        return unpacker.feed(data, most)
    except (zlib.error, zstandard.ZstdError):
        raise BadRequest("The body is not packed as Content-Encoding says.") from None


def _unpacker(encoding: str) -> _Unpacker | None:
    match encoding:
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return _Gzip()
        case "zstd":
            return _Zstandard()
        case _:
            raise UnsupportedMediaType(
                f"Content-Encoding {encoding[:40]!r} is not understood; gzip and zstd are."
            )


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    @property
    def complete(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes, most: int) -> bytes:
        if self._stream.eof:
            raise BadRequest("Something follows the end of the packed body.")
        return self._stream.decompress(data, most + 1)


class _Zstandard:
    """Window sizes beyond 8 MiB are refused, as RFC 8878 advises for HTTP."""

    _SLICE = 4096

    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor(max_window_size=1 << 23).decompressobj()

    @property
    def complete(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes, most: int) -> bytes:
        # The stream has no bound of its own: small slices bound what one step can unpack to.
        parts, size = [], 0
        for start in range(0, len(data), self._SLICE):
            part = self._stream.decompress(data[start : start + self._SLICE])
            size += len(part)
            parts.append(part)
            if size > most:
                break
        return b"".join(parts)
