"""A head that was read before: callers say the same in each request but for its first line.

https://www.rfc-editor.org/rfc/rfc9112#name-message-parsing

What the parser made of some bytes holds for the same bytes again, so these are not parsed anew.
Only what leaves no doubt is known again: GET without a body, its target in the characters that a
URL may have, HTTP/1.1, and after it, to the last byte, what stood there before. A connection knows
its own last head and no other: what a caller sent is not kept longer than the caller stays.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from fhir_server.api.response import SAME_HEAD
from fhir_server.cli.exchange import Exchange, Scope

_MOST_BYTES: Final = 2048
_MOST_DATA: Final = 16 * 1024
_LINE = re.compile(rb"GET (/[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*) HTTP/1\.1")
_END = b"\r\n\r\n"


class SameHead:
    """What follows the first line of a request, and what it was understood as."""

    __slots__ = ("_block", "_length", "_root", "_scope")

    def __init__(self, block: bytes, scope: Mapping[str, Any]) -> None:
        self._block = block
        self._length = len(block)
        self._root: str = scope["root_path"]
        # A place in which the application keeps what it makes of the same head.
        known = {**scope.get("extensions", {}), SAME_HEAD: {}}
        self._scope = {**scope, "headers": tuple(scope["headers"]), "extensions": known}

    def scope_of(self, data: bytes) -> Scope | None:
        """The scope of a request with this head; None when the data are anything else."""
        if len(data) > _MOST_DATA or not data.endswith(self._block):
            return None
        line = _LINE.fullmatch(data, 0, len(data) - self._length)
        if line is None:
            return None
        target: bytes = line[1]
        raw_path, _, query = target.partition(b"?")
        path = raw_path.decode("ascii")
        return {
            **self._scope,
            "path": self._root + (unquote(path) if "%" in path else path),
            "raw_path": self._root.encode("ascii") + raw_path,
            "query_string": query,
        }


def same_head(data: bytes, exchange: Exchange) -> SameHead | None:
    """How to know the head of this exchange again; None when the data were more than it."""
    line = _LINE.match(data)
    if line is None or not exchange.is_bare or len(data) - line.end() > _MOST_BYTES:
        return None
    block = data[line.end() :]
    is_whole = block.startswith(b"\r\n") and block.find(_END) == len(block) - len(_END)
    return SameHead(block, exchange.scope) if is_whole else None
