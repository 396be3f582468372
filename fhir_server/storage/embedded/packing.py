"""The terms of one version as four values beside it in its row, and as rows of the indexes.

A version keeps its own terms so that an update can tell what changed, and so that a test of one
version need not search an index. Intervals become 24 bytes whose order is that of the numbers,
so that they too are compared as bytes. Every list is sorted.
"""

import json
import struct
from typing import NamedTuple

import msgspec

from fhir_server.storage.versions import KEY_BYTES, NO_TERMS, Interval, Terms

SPAN_BYTES = 24

_SIGN = 1 << 63
_ALL = (1 << 64) - 1
_decode_drivers = msgspec.msgpack.Decoder(list[bytes]).decode
_encode = msgspec.msgpack.Encoder().encode


class Packed(NamedTuple):
    """As it stands in `resources`, in this order."""

    start: int
    end: int
    keys: bytes
    """Byte keys, one after the other."""
    texts: str
    """Text keys as a JSON array."""
    drivers: bytes
    """Driver terms as a MessagePack array."""
    spans: bytes
    """Intervals, SPAN_BYTES each."""


class Rows(NamedTuple):
    """What the indexes hold of one version, without its type and ordinal."""

    keys: frozenset[bytes]
    texts: frozenset[str]
    drivers: frozenset[tuple[bytes, int]]
    spans: frozenset[bytes]


def pack(terms: Terms) -> Packed:
    keys = [key for key in terms.keys if isinstance(key, bytes)]
    texts = (
        [key for key in terms.keys if isinstance(key, str)] if len(keys) < len(terms.keys) else []
    )
    return Packed(
        terms.start,
        terms.end,
        b"".join(sorted(keys)),
        json.dumps(sorted(texts), ensure_ascii=False) if texts else "[]",
        _encode(sorted(terms.drivers)),
        b"".join(sorted({span(interval) for interval in terms.intervals})),
    )


NOTHING = pack(NO_TERMS)


def rows(packed: Packed) -> Rows:
    return Rows(
        frozenset(_pieces(packed.keys, KEY_BYTES)),
        frozenset(json.loads(packed.texts)),
        frozenset((driver, packed.start) for driver in _decode_drivers(packed.drivers)),
        frozenset(_pieces(packed.spans, SPAN_BYTES)),
    )


def span(interval: Interval) -> bytes:
    return integer_bytes(interval.key) + number_bytes(interval.low) + number_bytes(interval.high)


def integer_bytes(value: int) -> bytes:
    """Eight bytes in the order of signed 64-bit integers."""
    return (value + _SIGN).to_bytes(8)


def number_bytes(value: float) -> bytes:
    """Eight bytes in the order of floating-point numbers; both zeros are one."""
    bits = int.from_bytes(struct.pack(">d", value + 0.0))
    return (~bits & _ALL if bits & _SIGN else bits | _SIGN).to_bytes(8)


def _pieces(joined: bytes, size: int) -> list[bytes]:
    return [joined[at : at + size] for at in range(0, len(joined), size)]
