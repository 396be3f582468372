"""What goes into a store and comes out: versions, their terms, changes.

Times are milliseconds since 1970 in UTC. A store compares keys as bytes and numbers as
numbers, nothing else: every rule of meaning was applied before a term reached it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

Key = bytes | str
"""A term. Bytes are exactly KEY_BYTES long and compare for equality or by common beginning;
text carries its own parameter prefix and is ordered by code point, as UTF-8 is."""

KEY_BYTES = 16

EARLIEST = -(2**62)
"""Open beginning of an interval, and the start of a resource without a date."""
LATEST = 2**62
"""Open end of an interval."""


Interval = tuple[int, float, float]
"""One indexed date, number or quantity: key, low and high, both ends included.

The key, of signed 64 bits, is which parameter (and unit, or first component) it belongs to.
"""


class Terms(msgspec.Struct, frozen=True):
    """Everything by which one version can be found. No duplicates in `keys` and `drivers`."""

    keys: Sequence[Key] = ()
    """Equality and prefix terms."""
    drivers: Sequence[bytes] = ()
    """Pre-combined terms, each ordered by `start` in the index."""
    intervals: Sequence[Interval] = ()
    start: int = EARLIEST
    """First millisecond of the resource's main date; EARLIEST when it has none."""
    end: int = EARLIEST
    """Last millisecond of it; EARLIEST when it has none."""


NO_TERMS = Terms()


class Version(msgspec.Struct, frozen=True, gc=False):
    """One version of one resource, exactly as it will be served.

    A struct, which is made in a quarter of a microsecond: a page has many.
    """

    type: str
    id: str
    number: int
    """1, 2, 3 … without gaps."""
    ordinal: int
    """Creation order of the resource; unique in a store and the same in all its versions."""
    updated: int
    """meta.lastUpdated; rises strictly from version to version."""
    method: str
    """How it came about: POST, PUT, PATCH or DELETE."""
    content: bytes | None
    """The JSON to serve; None marks a deletion."""

    @property
    def deleted(self) -> bool:
        return self.content is None


class Change(msgspec.Struct, frozen=True):
    """Store this version, if the current one is its predecessor (number 1: if there is none)."""

    version: Version
    terms: Terms = NO_TERMS


class Position(NamedTuple):
    """A place in an ordered result: the value of the order, then the ordinal as tie-break."""

    value: int | str
    """Text when the order is by id."""
    ordinal: int


class HistoryPosition(NamedTuple):
    """A place in a history, which runs by these three, all descending."""

    updated: int
    ordinal: int
    number: int


@dataclass(frozen=True, slots=True)
class Page:
    """Matches in order; `next` continues after the last one, None when it was the last page."""

    versions: Sequence[Version]
    next: Position | None
    first: Position | None = None
    """Where the first match stands, so that what comes before it can be asked for."""
