"""A reply as HTTP: status, headers, body.

https://hl7.org/fhir/R4/http.html#versioning
"""

import zlib
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

import zstandard

from fhir_server.api.negotiation import Form, encoding_of
from fhir_server.fhir import json_format
from fhir_server.fhir.http_date import write_http_date
from fhir_server.interactions.request import Reply, body_of

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Whole = Callable[[int, Headers, bytes], Awaitable[None]]

WHOLE_ANSWER = "fhir_server.whole_answer"
"""What our own HTTP server adds to ASGI: status, headers and body are sent by one call. It tells
the length of the body itself, and leaves the body out where HTTP has none."""
SAME_HEAD = "fhir_server.same_head"
"""Likewise a dict, the same one for all requests of a connection that have the very same headers:
a place for what was understood of them."""

_LEAST_PACKED = 1500
"""Smaller bodies are sent as they are: packing would cost more than it saves."""
_NO_BODY = frozenset({204, 304})
_FIXED: Headers = [
    (b"cache-control", b"no-store"),
    (b"vary", b"Accept, Accept-Encoding"),
    (b"x-content-type-options", b"nosniff"),
]


def headers_of(reply: Reply, base_url: str) -> Headers:
    """ETag, Last-Modified, Location, Content-Location, and what the reply brings itself."""
    headers = list(_FIXED)
    version = reply.version
    if version is not None:
        headers.append((b"etag", b'W/"%d"' % version.number))
        headers.append((b"last-modified", _http_date(version.updated // 1000)))
        path = f"{base_url}/{version.type}/{version.id}/_history/{version.number}"
        if reply.location is not None:
            headers.append((b"location", path.encode()))
        if reply.shows_version and reply.content is None:
            headers.append((b"content-location", path.encode()))
    for name, value in reply.headers.items():
        headers.append((name.encode(), value.encode("latin-1", "replace")))
    return headers


def body_and_encoding(reply: Reply, form: Form, accept_encoding: str | None) -> tuple[bytes, bytes]:
    """The body in the form asked for, and its Content-Encoding, empty for none."""
    body = body_of(reply) or b""
    if not body:
        return b"", b""
    if form.pretty:
        body = json_format.write_pretty(body)
    if accept_encoding is None or len(body) < _LEAST_PACKED:
        return body, b""
    match encoding_of(accept_encoding):
        case "zstd":
            return zstandard.ZstdCompressor(level=1).compress(body), b"zstd"
        case "gzip":
            return zlib.compress(body, 1, wbits=31), b"gzip"
    return body, b""


async def send_reply(
    scope: Mapping[str, Any], send: Send, status: int, headers: Headers, body: bytes
) -> None:
    """Send an answer whose headers do not say how long it is."""
    whole: Whole | None = scope.get("extensions", {}).get(WHOLE_ANSWER)
    if whole is not None:
        await whole(status, headers, body)
        return
    if status not in _NO_BODY:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


@lru_cache(maxsize=4096)
def _http_date(seconds: int) -> bytes:
    return write_http_date(seconds * 1000).encode()
