"""How values become the fixed keys a store compares: hashes, sixteen bytes long.

    key       prefix (4)  group (4)  value (8)     equality: tokens, references, uris
    text key  prefix as 6 characters, then folded text    strings, by their beginning
    interval  prefix (31 bits) << 32 | group (32 bits)    dates, numbers, quantities

The prefix is a hash of `Type.code`, so nothing is numbered and nothing must be migrated when a
search parameter comes. The group is what a value may be narrowed to: the system of a token, the
type of a reference, the unit of a quantity. All keys of a group, and all of a parameter, lie
together, which is how `system|` and `:missing` are asked.
"""

import base64
from functools import lru_cache
from hashlib import blake2b

from fhir_server.kit.remembering import text_remembered
from fhir_server.search.entries import Indexed
from fhir_server.storage.query import IntervalIs, KeyIn
from fhir_server.storage.versions import KEY_BYTES

PREFIX_BYTES = 4
GROUP_BYTES = 4
VALUE_BYTES = 8
TEXT_BYTES = 6

ANY = bytes(GROUP_BYTES)
"""The group of values stated without one, such as a token's code alone."""

UNBOUNDED = 1.7976931348623157e308
"""Beyond every number: open ends of intervals. Stores cannot keep infinity."""

_SELF = "_self"
_LAST_CODE_POINT = 0x10FFFF
_FIRST_SURROGATE, _LAST_SURROGATE = 0xD800, 0xDFFF


@lru_cache(maxsize=8192)
def indexed(type_: str, code: str) -> Indexed:
    """What marks the entries of one search parameter of one resource type."""
    number = int.from_bytes(_hash(f"{type_}.{code}", PREFIX_BYTES)) & 0x7FFF_FFFF
    prefix = number.to_bytes(PREFIX_BYTES)
    return Indexed(prefix, number, base64.urlsafe_b64encode(prefix).decode()[:TEXT_BYTES])


def prefix_of(text: str) -> bytes:
    """The prefix of the parameter whose text keys begin so."""
    return base64.urlsafe_b64decode(f"{text}==")


@text_remembered(4096)
def group(name: str) -> bytes:
    """Four bytes for a system, a type or a unit; never ANY."""
    digest = _hash(name, GROUP_BYTES)
    return digest if digest != ANY else b"\0\0\0\1"


@lru_cache(maxsize=1024)
def itself(type_: str) -> Indexed:
    """What marks the one key of a resource that says which it is.

    Group and value are those of references to it, so that one can be made of the other.
    """
    return indexed(type_, _SELF)


def group_number(name: str) -> int:
    """The same as an unsigned 32-bit integer, for interval keys; never 0."""
    return int.from_bytes(group(name))


def value(text: str) -> bytes:
    """Eight bytes for a value within its group."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=VALUE_BYTES).digest()


def key(prefix: bytes, group_: bytes, value_: bytes) -> bytes:
    """One key of KEY_BYTES."""
    return prefix + group_ + value_


def interval_key(parameter: Indexed, group_: int = 0) -> int:
    """The key of an interval: a positive 63-bit integer; group 0 is no group."""
    return parameter.number << 32 | group_


def of_group(parameter: Indexed, group_: bytes) -> KeyIn:
    """Some key of the parameter lies in the group."""
    return _beginning(parameter.prefix + group_)


def of_parameter(parameter: Indexed) -> KeyIn:
    """Some key of the parameter is there, in whatever group."""
    return _beginning(parameter.prefix)


def intervals_of_parameter(parameter: Indexed) -> IntervalIs:
    """Some interval of the parameter is there, in whatever group."""
    return IntervalIs(
        key=(interval_key(parameter), interval_key(parameter, 0xFFFF_FFFF)),
        low=(-UNBOUNDED, UNBOUNDED),
        high=(-UNBOUNDED, UNBOUNDED),
    )


def text_beginning(text: str) -> KeyIn:
    """Some text key begins with `text`, which must begin with its parameter's prefix."""
    rest = text.rstrip(chr(_LAST_CODE_POINT))
    last = ord(rest[-1]) + 1
    if _FIRST_SURROGATE <= last <= _LAST_SURROGATE:
        last = _LAST_SURROGATE + 1
    return KeyIn(text, rest[:-1] + chr(last))


def _beginning(common: bytes) -> KeyIn:
    following = (int.from_bytes(common) + 1).to_bytes(len(common))
    rest = bytes(KEY_BYTES - len(common))
    return KeyIn(common + rest, following + rest)


def _hash(text: str, size: int) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()


NONE = group("")
"""The group of values that say they have none, such as a Coding without a system."""
