"""Pages: a sealed place in a result, handed out as an opaque link and checked when it returns.

https://hl7.org/fhir/R4/http.html#paging

The seal covers the place, the query and the caller, so a link that was changed, or carried to
another query or another person, is refused. The place is masked as well: what a result is sorted
by may be what a patient is called, and links end up in logs.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from fhir_server.errors import BadRequest

PAGE_PARAMETER = "_page"

_FORMAT = 3
_SEAL_BYTES = 16
_KEY_BYTES = 64
"""Most that a keyed BLAKE2b takes."""
_STREAM_BYTES = 64
"""As many as it gives."""
_DIGEST_BYTES = 32
_LONGEST = 8 * 1024
"""Characters of a place that are looked at at all."""

Value = str | int | float | None | tuple[str, float]
"""What one key of an order compares; None stands for what is missing."""


class Place(NamedTuple):
    """A row of a result, from which on a page is wanted."""

    values: tuple[Value, ...]
    """What the order compares, the first key first."""
    ordinal: int
    """The tie-break."""
    backward: bool = False
    """Whether the page is the one before the row, and not the one behind it."""


def query_digest(type_: str, criteria: Iterable[tuple[str, str]], *further: object) -> bytes:
    """Which result a place belongs to: the type and its criteria, in whatever order they came.

    What is `further` said of it are texts, numbers, and lists of such, in their order.
    """
    said = ascii((type_, sorted(criteria), further))
    return hashlib.blake2b(said.encode(), digest_size=_DIGEST_BYTES).digest()


class Cursors:
    """Seals places with a secret that all processes of one server share."""

    def __init__(self, key: bytes) -> None:
        if len(key) < _SEAL_BYTES:
            raise ValueError(f"the key for page links needs {_SEAL_BYTES} bytes or more")
        self._key = key if len(key) <= _KEY_BYTES else hashlib.blake2b(key).digest()

    def seal(self, place: Place, query: bytes, caller: str = "") -> str:
        """A place as characters that are safe in a URL."""
        written = _encode((_FORMAT, place.backward, place.ordinal, *place.values))
        seal = self._sign(written, query, caller)
        sealed = seal + self._masked(written, seal)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, text: str, query: bytes, caller: str = "") -> Place:
        """The place; BadRequest unless this server sealed it for this query and caller."""
        sealed = _decoded(text)
        seal = sealed[:_SEAL_BYTES]
        written = self._masked(sealed[_SEAL_BYTES:], seal)
        if not hmac.compare_digest(seal, self._sign(written, query, caller)):
            raise _refusal()
        _, backward, ordinal, *values = _decode(written)
        return Place(tuple(map(_value, values)), ordinal, backward)

    def _sign(self, written: bytes, query: bytes, caller: str) -> bytes:
        message = written + query + caller.encode("utf-8", "surrogatepass")
        return self._keyed(b"seal", message, _SEAL_BYTES)

    def _masked(self, written: bytes, seal: bytes) -> bytes:
        """Under a stream that only the secret and the seal tell; twice is the same again."""
        size = len(written)
        blocks = range(0, size, _STREAM_BYTES)
        stream = b"".join([self._keyed(b"mask", seal + b"%d" % block) for block in blocks])
        return (int.from_bytes(written) ^ int.from_bytes(stream[:size])).to_bytes(size)

    def _keyed(self, use: bytes, message: bytes, size: int = _STREAM_BYTES) -> bytes:
        """What only the secret tells of a message; different for each use."""
        return hashlib.blake2b(message, key=self._key, person=use, digest_size=size).digest()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def _decoded(text: str) -> bytes:
    """The bytes of a link; they must be written the one way that we write them."""
    if len(text) > _LONGEST:
        raise _refusal()
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        sealed = base64.b64decode(padded, altchars=b"-_", validate=True)
    except ValueError:
        raise _refusal() from None
    written = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    if len(sealed) <= _SEAL_BYTES or written != text:
        raise _refusal()
    return sealed


def _value(value: Any) -> Value:
    if isinstance(value, list):
        unit, number = value
        return str(unit), float(number)
    return value  # type: ignore[no-any-return]  # only what was sealed comes back


def _refusal() -> BadRequest:
    return BadRequest(
        f"This {PAGE_PARAMETER} does not belong to this search; start again from its first page."
    )
