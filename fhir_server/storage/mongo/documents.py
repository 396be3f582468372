"""Versions as documents, and back.

    current  <Type>    _id  v number  n ordinal  u updated  m method
                       b content, or l where large content lies, or x: 1 for a deletion
                       k keys  c drivers  d start  e end  r intervals    live versions only
                       t the commit that holds it, if one does
    history  <Type>_h  _id {i id, v number}, i, and v n u m b l x as above

A document of number 0 holds a place for a version that is not decided yet: it has no terms and
nobody but the commit named in `t` may look at it. Every live version has the term ALL.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bson.int64 import Int64

from fhir_server.storage.base import StoreError
from fhir_server.storage.mongo.topology import Document
from fhir_server.storage.versions import Change, Key, Terms, Version

ALL = 0
"""A key of every live version: a number, so that no range of texts or bytes can contain it."""
PROJECTION = dict.fromkeys(("v", "n", "u", "m", "b", "l", "x", "d", "t"), 1)
"""What is read of a document: never its terms."""
LARGEST_NUMBER = 1.7976931348623157e308
INLINE_BYTES = 12 * 1024 * 1024
"""Content above this lies apart, as a document may have 16 MB."""
TERM_BYTES = 3 * 1024 * 1024

_CARRIED = ("v", "n", "u", "m", "b", "l", "x")
_KEY_OVERHEAD = 12
_DISPUTED = "\ue000"
_INTERVAL_BYTES = 52


@dataclass(frozen=True, slots=True)
class Write:
    """One change made ready: the document that shall replace version `number - 1`."""

    index: int
    type: str
    id: str
    ordinal: int
    predecessor: int
    """0: there is none."""
    document: Document | None
    """None: erase the resource with all its versions."""

    @property
    def creates(self) -> bool:
        return self.predecessor == 0


def held_by(writes: Iterable[Write]) -> tuple[dict[str, list[str]], list[Int64]]:
    """The ids by type that a commit holds, and the ordinals it reserves."""
    held: dict[str, list[str]] = {}
    ordinals = []
    for write in writes:
        held.setdefault(write.type, []).append(write.id)
        if write.creates:
            ordinals.append(Int64(write.ordinal))
    return held, ordinals


def write_of(index: int, change: Change, apart: str | None = None) -> Write:
    """Make a change ready; `apart` names where its content lies if it is not inline."""
    version = change.version
    document = document_of(change, apart)
    return Write(index, version.type, version.id, version.ordinal, version.number - 1, document)


def document_of(change: Change, apart: str | None = None) -> Document:
    """The current document of a version; StoreError if its terms alone are too large."""
    version = change.version
    document: Document = {
        "_id": version.id,
        "v": version.number,
        "n": Int64(version.ordinal),
        "u": Int64(version.updated),
        "m": version.method,
    }
    if version.content is None:
        document["x"] = 1
        return document
    document["b" if apart is None else "l"] = version.content if apart is None else apart
    return document | terms_of(change.terms)


def terms_of(terms: Terms) -> Document:
    """The fields by which a live version is found; empty arrays are left out."""
    size = sum(len(key) + _KEY_OVERHEAD for key in (*terms.keys, *terms.drivers))
    size += _INTERVAL_BYTES * len(terms.intervals)
    if size > TERM_BYTES:
        raise StoreError(f"a version has {size} bytes of terms, more than {TERM_BYTES}")
    fields: Document = {
        "k": [ALL, *map(portable, terms.keys)],
        "d": Int64(terms.start),
        "e": Int64(terms.end),
    }
    if terms.drivers:
        fields["c"] = list(terms.drivers)
    if terms.intervals:
        fields["r"] = [
            {"p": Int64(key), "a": finite(low), "z": finite(high)}
            for key, low, high in dict.fromkeys(terms.intervals)
        ]
    return fields


def history_of(current: Mapping[str, Any]) -> Document:
    """The document that keeps a version once it is superseded."""
    kept = {name: current[name] for name in _CARRIED if name in current}
    identity = {"i": current["_id"], "v": current["v"]}
    return {"_id": identity, "i": current["_id"], **kept}


def version_of(type_: str, document: Mapping[str, Any]) -> Version:
    """The version a document of either collection holds; large content must be in `b`."""
    return Version(
        type_,
        document["i"] if "i" in document else document["_id"],
        document["v"],
        int(document["n"]),
        int(document["u"]),
        document["m"],
        None if "x" in document else document["b"],
    )


def portable(key: Key) -> Key:
    """A key that servers order alike, be it by code point, as UTF-8 or as UTF-16.

    Only from U+E000 on do these differ: what is there, and beyond, becomes U+E000 and two
    characters that no order disagrees about.
    """
    if isinstance(key, bytes) or max(key, default="") < _DISPUTED:
        return key
    return "".join(map(_undisputed, key))


def finite(number: float) -> float:
    """The number as a double that every server stores and compares alike."""
    return max(-LARGEST_NUMBER, min(float(number), LARGEST_NUMBER))


def _undisputed(character: str) -> str:
    if character < _DISPUTED:
        return character
    high, low = divmod(ord(character) - ord(_DISPUTED), 0x1000)
    return f"{_DISPUTED}{chr(0x20 + high)}{chr(0x20 + low)}"
