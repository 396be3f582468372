"""The terms of one version as values beside it in its row, and as rows of the indexes.

A version keeps its own terms so that an update can tell what changed, and so that a test of one
version need not search an index. Intervals become 24 bytes in the order of their numbers, so
that they too are compared as bytes. Every list is sorted.

SQLite's JSON functions end a text at U+0000. So a text key is kept with U+0000 to U+0003 written as
U+0001 and two of U+0002 and U+0003, which changes neither the order of texts nor whether one is
part of another; `stored` does so for a query.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from fhir_server.storage.versions import KEY_BYTES, NO_TERMS, Interval, Key, Terms

SPAN_BYTES = 24

_NO_TEXTS = "[]"
_SIGN = 1 << 63
_MAGNITUDE = _SIGN - 1
_SPAN_SIGNS = _SIGN << 128 | _SIGN << 64 | _SIGN
_pack_integer = struct.Struct(">q").pack
_pack_number = struct.Struct(">d").pack
_pack_span = struct.Struct(">qdd").pack
_pack_positive_span = struct.Struct(">Qdd").pack
_encode = msgspec.msgpack.Encoder().encode
_encode_texts = msgspec.json.Encoder().encode
_decode_texts = msgspec.json.Decoder(list[str]).decode
_decode_drivers = msgspec.msgpack.Decoder(list[bytes]).decode


class Packed(NamedTuple):
    """As it stands in `resources`, in this order."""

    start: int
    stop: int
    keys: bytes
    """Byte keys, one after the other."""
    texts: str
    """Text keys as a JSON array."""
    drivers: bytes
    """Driver terms as a MessagePack array."""
    spans: bytes
    """Intervals, SPAN_BYTES each."""


class Rows(NamedTuple):
    """What the indexes hold of one version, beside its type and ordinal."""

    keys: frozenset[bytes]
    texts: frozenset[str]
    drivers: frozenset[tuple[bytes, int]]
    """Terms with the start by which they are ordered."""
    spans: frozenset[bytes]


def pack(terms: Terms) -> Packed:
    keys, texts = _apart(terms.keys)
    return Packed(
        terms.start,
        terms.end,
        keys,
        texts,
        _encode(sorted(terms.drivers)),
        b"".join(sorted({_span(interval) for interval in terms.intervals})),
    )


def drivers(packed: bytes) -> list[bytes]:
    """Driver terms, in order, of how a version keeps them."""
    return _decode_drivers(packed)


def rows(packed: Packed) -> Rows:
    keys, spans = packed.keys, packed.spans
    return Rows(
        frozenset([keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)]),
        frozenset(_decode_texts(packed.texts) if packed.texts != _NO_TEXTS else ()),
        frozenset([(driver, packed.start) for driver in drivers(packed.drivers)]),
        frozenset([spans[at : at + SPAN_BYTES] for at in range(0, len(spans), SPAN_BYTES)]),
    )


def keys_between(packed: bytes, low: bytes, high: bytes, shared: bytes) -> list[bytes]:
    """The keys in [low, high), of those that a version has; all of these begin with `shared`."""
    found: list[bytes] = []
    at = packed.find(shared)
    while at >= 0:
        if at % KEY_BYTES:  # not the beginning of a key
            at = packed.find(shared, at + 1)
            continue
        key = packed[at : at + KEY_BYTES]
        if not key or key >= high:
            break
        if key >= low:
            found.append(key)
        at = packed.find(shared, at + KEY_BYTES)
    return found


def shared_beginning(low: bytes, high: bytes) -> bytes:
    """What all keys in [low, high) begin with; the two are of one length."""
    last = max(int.from_bytes(high) - 1, 0).to_bytes(len(high))
    for at, (left, right) in enumerate(zip(low, last, strict=True)):
        if left != right:
            return low[:at]
    return low


def stored(keys: Sequence[Key]) -> tuple[Key, ...]:
    """Keys as the indexes have them."""
    return tuple(_stored_text(key) if isinstance(key, str) else key for key in keys)


def askable(ids: Iterable[str]) -> list[str]:
    """Those ids that may be there: no resource has one with U+0000."""
    return [id_ for id_ in ids if "\0" not in id_]


def integer_bytes(value: int) -> bytes:
    """Eight bytes in the order of signed 64-bit integers."""
    return (int.from_bytes(_pack_integer(value)) ^ _SIGN).to_bytes(8)


def number_bytes(value: float) -> bytes:
    """Eight bytes in the order of floating-point numbers; both zeros are one."""
    bits = int.from_bytes(_pack_number(value + 0.0))
    return (bits ^ (_SIGN | _MAGNITUDE if value < 0 else _SIGN)).to_bytes(8)


def _stored_text(text: str) -> str:
    return text if text.isprintable() else text.translate(_WRITTEN)


_WRITTEN = {0: "\1\2\2", 1: "\1\2\3", 2: "\1\3\2", 3: "\1\3\3"}


def _apart(keys: Iterable[Key]) -> tuple[bytes, str]:
    """The byte keys joined, and the texts as JSON; most versions have no texts."""
    texts = [_stored_text(key) for key in keys if isinstance(key, str)]
    joined = b"".join(sorted([key for key in keys if isinstance(key, bytes)]))
    return joined, _encode_texts(sorted(texts)).decode() if texts else _NO_TEXTS


def _span(interval: Interval) -> bytes:
    """`integer_bytes` and twice `number_bytes` in one go."""
    key, low, high = interval
    if low >= 0 <= high:  # negative numbers differ in the first bit alone
        return _pack_positive_span(key + _SIGN, -(low + 0.0), -(high + 0.0))
    bits = int.from_bytes(_pack_span(key, low + 0.0, high + 0.0)) ^ _SPAN_SIGNS
    if low < 0:
        bits ^= _MAGNITUDE << 64
    if high < 0:
        bits ^= _MAGNITUDE
    return bits.to_bytes(SPAN_BYTES)


NOTHING = pack(NO_TERMS)
"""What a deleted version keeps."""
