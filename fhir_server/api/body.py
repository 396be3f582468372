"""The body of a request: bounded, unpacked, and only of a type that is understood.

https://hl7.org/fhir/R4/http.html#mime-type
"""

import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import zstandard

from fhir_server.errors import BadRequest, TooLarge, UnsupportedMediaType
from fhir_server.interactions.patch import FORMATS, JSON_PATCH

_JSON_TYPES = frozenset({"application/fhir+json", "application/json", "text/json"})
_MOST_MEMBERS = 10_000
"""Each costs as much as a few thousand bytes do, even when it is empty."""
Receive = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a body may be."""

    types: frozenset[str]
    words: str
    """How messages name them."""


RESOURCE = Kind(_JSON_TYPES, "application/fhir+json")
PATCH = Kind(_JSON_TYPES | {JSON_PATCH}, " or ".join(FORMATS))
_FORM_TYPE = "application/x-www-form-urlencoded"
FORM = Kind(frozenset({_FORM_TYPE}), _FORM_TYPE)


class Disconnected(Exception):
    """The caller went away before the request was complete."""


class _Stream(Protocol):
    """What zlib and zstandard both have."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def require_type(headers: Mapping[str, str], kind: Kind = RESOURCE) -> None:
    """UnsupportedMediaType unless the body is of this kind, of R4 and in UTF-8."""
    header = headers.get("content-type", "")
    name, _, rest = header.partition(";")
    name = name.strip().lower()
    if name not in kind.types:
        given = f"not {name[:80]!r}" if name else "and Content-Type says nothing"
        error = UnsupportedMediaType(f"The body must be {kind.words}, {given}.")
        if kind is PATCH:  # https://www.rfc-editor.org/rfc/rfc5789#section-2.2
            error.headers["accept-patch"] = ", ".join(FORMATS)
        raise error
    charset, version = _parameter(rest, "charset"), _parameter(rest, "fhirversion")
    if charset not in {"", "utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMediaType(f"The body must be in UTF-8, not in {charset[:40]!r}.")
    if version not in {"", "4.0", "4.0.1"}:
        raise UnsupportedMediaType(f"The body must be of FHIR version 4.0, not {version[:40]!r}.")


def _parameter(parameters: str, name: str) -> str:
    return parameters.lower().partition(f"{name}=")[2].partition(";")[0].strip().strip('"')


async def read_body(receive: Receive, headers: Mapping[str, str], most: int) -> bytes:
    """The whole body, unpacked. TooLarge beyond `most` bytes, packed or unpacked."""
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise _too_large(announced, most)
    unpacker = _unpacker(headers.get("content-encoding", "identity").strip().lower())
    parts: list[bytes] = []
    arrived, size, more = 0, 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        arrived += len(part)
        if arrived > most:
            raise _too_large(f"more than {most}", most)
        if unpacker is not None and part:
            part = unpacker.feed(part, most - size)
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


def _unpacker(encoding: str) -> "_Unpacker | None":
    if encoding in {"", "identity"}:
        return None
    if encoding not in _ENCODINGS:
        raise UnsupportedMediaType(
            f"Content-Encoding {encoding[:40]!r} is not understood; gzip and zstd are."
        )
    make, slice_ = _ENCODINGS[encoding]
    return _Unpacker(make, slice_)


class _Unpacker:
    """Unpacks a slice at a time: that bounds what one step can unpack to.

    A body may have several members (RFC 1952 2.2) or frames (RFC 8878 3.1), one after the other.
    """

    def __init__(self, make: Callable[[], _Stream], slice_: int) -> None:
        self._make = make
        self._stream = make()
        self._slice = slice_
        self._members = 1

    @property
    def complete(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes, most: int) -> bytes:
        """What the data unpacks to, or a little more than `most` bytes of it."""
        parts, size = [], 0
        try:
            for start in range(0, len(data), self._slice):
                parts.append(self._unpacked(data[start : start + self._slice]))
                size += len(parts[-1])
                if size > most:
                    break
        except (zlib.error, zstandard.ZstdError):
            raise BadRequest("The body is not packed as Content-Encoding says.") from None
        return b"".join(parts)

    def _unpacked(self, data: bytes) -> bytes:
        parts = []
        while data:
            if self._stream.eof:
                self._next_member()
            parts.append(self._stream.decompress(data))
            data = self._stream.unused_data
        return b"".join(parts)

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise BadRequest(f"The packed body has more than {_MOST_MEMBERS} parts.")
        self._stream = self._make()


def _gzip() -> _Stream:
    return zlib.decompressobj(wbits=31)


def _zstd() -> _Stream:
    # RFC 8878 advises HTTP not to take windows beyond 8 MiB.
    return zstandard.ZstdDecompressor(max_window_size=1 << 23).decompressobj()


_ENCODINGS: Mapping[str, tuple[Callable[[], _Stream], int]] = {
    "gzip": (_gzip, 4096),
    "x-gzip": (_gzip, 4096),
    "zstd": (_zstd, 256),
}
"""How each is unpacked, and bytes in a slice that can become 8 MiB at the very most."""
