"""An answer as it goes over the wire: pure, nothing is sent here.

https://www.rfc-editor.org/rfc/rfc9112
"""

from collections.abc import Iterable, Sequence
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
        lines = [_STATUS_LINES[status]]
        for name, value in headers:
            if name == b"content-length":
                self._left = int(value)
            elif name == b"connection":
                self.keep_alive = self.keep_alive and b"close" not in value.lower()
                continue
            lines.append(name + b": " + value)
        if self._left is None and not self._silent:
            self._delimit(lines)
        if not self.keep_alive:
            lines.append(b"connection: close")
        return _joined(lines)

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

    def _delimit(self, lines: list[bytes]) -> None:
        """Have the end of the body told though its length is not known."""
        if self._version == "1.0":  # which has no chunks: the connection ends with it
            self.keep_alive = False
        else:
            self._chunked = True
            lines.append(b"transfer-encoding: chunked")


def refusal(status: int, headers: Pairs) -> bytes:
    """A whole answer in plain text, by which a connection ends."""
    words = HTTPStatus(status).phrase.encode()
    plain = (b"content-type", b"text/plain; charset=utf-8")
    length = (b"content-length", b"%d" % len(words))
    return Answer("GET", "1.1", keep_alive=False).head(status, (*headers, plain, length)) + words


def _joined(lines: Sequence[bytes]) -> bytes:
    """The head in one piece; RuntimeError if a header has the end of a line in it.

    Whoever could put one there would write headers, or a whole answer, of their own.
    """
    head = b"\r\n".join((*lines, b"", b""))
    ends = len(lines) + 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise RuntimeError("a header has a character that no header may have")
    return head
