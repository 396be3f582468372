"""An answer as it goes over the wire: pure, nothing is sent here.

https://www.rfc-editor.org/rfc/rfc9112
"""

from collections.abc import Iterable
from http import HTTPStatus

Pairs = Iterable[tuple[bytes, bytes]]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus
}
_NO_BODY = frozenset({204, 304})


class Answer:
    """First its `head`, then its `body`, part by part; RuntimeError when they do not fit."""

    __slots__ = ("_chunked", "_left", "_method", "_silent", "_version", "keep_alive")

    def __init__(self, method: str, version: str, *, keep_alive: bool) -> None:
        self._method = method
        self._version = version
        self.keep_alive = keep_alive
        """Whether the connection stays open after it."""
        self._silent = self._chunked = False
        self._left: int | None = None
        """Bytes of the body announced and not given yet; None when it was not said how many."""

    def head(self, status: int, headers: Pairs) -> bytes:
        """The first line and the headers, whose names are in lower case, as ASGI wants them."""
        self._silent = self._method == "HEAD" or status in _NO_BODY
        told = []
        for name, value in headers:
            if name == b"content-length":
                self._left = int(value)
            elif name == b"connection":
                self.keep_alive = self.keep_alive and b"close" not in value.lower()
                continue
            told.append((name, value))
        if self._left is None and not self._silent:
            self._delimit(told)
        if not self.keep_alive:
            told.append((b"connection", b"close"))
        return b"%b\r\n%b\r\n" % (_STATUS_LINES[status], headers_in_lines(told))

    def body(self, part: bytes, *, last: bool) -> bytes:
        """What to write for a part of the body."""
        if self._silent:
            return b""
        if self._chunked:
            chunk = b"%x\r\n%b\r\n" % (len(part), part) if part else b""
            return chunk + b"0\r\n\r\n" if last else chunk
        if self._left is not None:
            self._left -= len(part)
            if self._left < 0 or (last and self._left):
                raise RuntimeError("the body is not as long as its header says")
        return part

    def _delimit(self, told: list[tuple[bytes, bytes]]) -> None:
        """Have the end of the body told though its length is not known."""
        if self._version == "1.0":  # which has no chunks: the connection ends with it
            self.keep_alive = False
        else:
            self._chunked = True
            told.append((b"transfer-encoding", b"chunked"))


def whole_answer(
    method: str, status: int, default: bytes, headers: Pairs, body: bytes, *, keep_alive: bool
) -> bytes:
    """Head and body in one piece; `default` are lines that every head has.

    RuntimeError if a header has the end of a line in it. The headers say nothing of the length,
    and nothing of the connection.
    """
    lines = [default, headers_in_lines(headers)]
    silent = status in _NO_BODY
    if not silent:
        lines.append(b"content-length: %d\r\n" % len(body))
    if not keep_alive:
        lines.append(b"connection: close\r\n")
    shown = b"" if silent or method == "HEAD" else body
    return b"%b\r\n%b\r\n%b" % (_STATUS_LINES[status], b"".join(lines), shown)


def headers_in_lines(headers: Pairs) -> bytes:
    """A line for each header; RuntimeError if one has the end of a line in it.

    Whoever could put one there would write headers, or a whole answer, of their own.
    """
    lines = [b"%b: %b\r\n" % pair for pair in headers]
    joined = b"".join(lines)
    ends = len(lines)
    if joined.count(b"\n") != ends or joined.count(b"\r") != ends or b"\0" in joined:
        raise RuntimeError("a header has a character that no header may have")
    return joined


def refusal(status: int, headers: Pairs) -> bytes:
    """A whole answer in plain text, by which a connection ends."""
    words = HTTPStatus(status).phrase.encode()
    plain = (b"content-type", b"text/plain; charset=utf-8")
    length = (b"content-length", b"%d" % len(words))
    return Answer("GET", "1.1", keep_alive=False).head(status, (*headers, plain, length)) + words
