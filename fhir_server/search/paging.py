"""Pages: a sealed place in a result, handed out as an opaque link and checked when it returns.

https://hl7.org/fhir/R4/http.html#paging

The seal covers the place, the query and the caller, so a link that was changed, or carried to
another query or another person, is refused.
"""

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Iterable

from fhir_server.errors import BadRequest
from fhir_server.storage.versions import Position

PAGE_PARAMETER = "_page"

_PLACE = struct.Struct(">Bqq")
_FORMAT = 1
_SEAL_BYTES = 16
_TOKEN_CHARACTERS = 44  # 33 bytes, without padding


def query_digest(type_: str, criteria: Iterable[tuple[str, str]]) -> bytes:
    """Which result a place belongs to: the type and its criteria, in whatever order they came."""
    text = json.dumps([type_, *sorted(criteria)], separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class Cursors:
    """Seals places with a secret that all processes of one server share."""

    def __init__(self, key: bytes) -> None:
        if len(key) < _SEAL_BYTES:
            raise ValueError(f"the key for page links needs {_SEAL_BYTES} bytes or more")
        self._key = key

    def seal(self, position: Position, query: bytes, caller: str = "") -> str:
        """A place as 44 characters that are safe in a URL."""
        place = _PLACE.pack(_FORMAT, position.value, position.ordinal)
        return base64.urlsafe_b64encode(place + self._sign(place, query, caller)).decode()

    def open(self, text: str, query: bytes, caller: str = "") -> Position:
        """The place; BadRequest unless this server sealed it for this query and caller."""
        if len(text) != _TOKEN_CHARACTERS:
            raise _refusal()
        try:
            sealed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except ValueError:
            raise _refusal() from None
        place, seal = sealed[: _PLACE.size], sealed[_PLACE.size :]
        if len(place) < _PLACE.size or not hmac.compare_digest(
            seal, self._sign(place, query, caller)
        ):
            raise _refusal()
        _, value, ordinal = _PLACE.unpack(place)
        return Position(value, ordinal)

    def _sign(self, place: bytes, query: bytes, caller: str) -> bytes:
        message = place + query + caller.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, "sha256")[:_SEAL_BYTES]


def _refusal() -> BadRequest:
    return BadRequest(
        f"This {PAGE_PARAMETER} does not belong to this search; start again from its first page."
    )
