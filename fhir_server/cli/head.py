"""The head of a request, as far as HTTP itself reads it: pure, and stricter than the parser.

https://www.rfc-editor.org/rfc/rfc9112#name-message-body-length

Where two readers could disagree about the end of a request, one of them a proxy, a second request
can be hidden in the first. So what is not clear is refused.
"""

from collections.abc import Sequence

import httptools

Pair = tuple[bytes, bytes]

_VERSIONS = frozenset({"1.0", "1.1"})
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


def require_clear(version: str, headers: Sequence[Pair]) -> None:
    """ValueError for a head with more than one meaning, or one not to be understood here.

    The parser lets pass HTTP/0.9, which has no headers; no Host or several; codings other than
    `chunked`; and chunks in HTTP/1.0, which does not know them. Names are in lower case.
    """
    if version not in _VERSIONS:
        raise ValueError(version)
    hosts = len([name for name, _ in headers if name == b"host"])
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        raise ValueError("host")
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and (version == "1.0" or codings != [b"chunked"]):
        raise ValueError("transfer-encoding")


def expects_continue(headers: Sequence[Pair]) -> bool:
    """Whether the caller waits to be told that its body is wanted."""
    return b"100-continue" in [value.lower() for name, value in headers if name == b"expect"]


def framing(headers: Sequence[Pair]) -> bytes:
    """The lines that say how long the body is; empty when there is none."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers if pair[0] in _FRAMING])


def path_and_query(target: bytes) -> tuple[bytes, bytes]:
    """Both still percent-encoded, from any form of target but CONNECT's; ValueError for that."""
    if target.startswith(b"/") and b"#" not in target:
        path, _, query = target.partition(b"?")
        return path, query
    url = httptools.parse_url(target)
    if url.path is None and url.schema is None:
        raise ValueError("target")
    return url.path or b"/", url.query or b""
