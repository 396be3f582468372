"""What a store is asked: a plan of a driver, tests and an order. No FHIR word in it.

A test is true or false of one live version and its terms. The oracle in
`tests/support/oracle.py` says in Python what each means; a store must agree with it.

These are structs, made in a fifth of a microsecond where a frozen dataclass takes two: a search
makes a dozen. They are copied by `msgspec.structs.replace`.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import msgspec

from fhir_server.storage.versions import EARLIEST, LATEST, Key, Position

LONG: Final = 86_400_000
"""Milliseconds from which on a main date is long: a day."""


class KeyIs(msgspec.Struct, frozen=True):
    """Some key is one of these."""

    keys: tuple[Key, ...]


class KeyIn(msgspec.Struct, frozen=True):
    """Some key lies in [low, high). Both ends are text, or both are bytes of KEY_BYTES."""

    low: Key
    high: Key


class KeyHas(msgspec.Struct, frozen=True):
    """Some text key begins with `beginning` and has `part` anywhere behind it.

    An index can only go through all keys with that beginning.
    """

    beginning: str
    """Not empty; its last character is one of ASCII."""
    part: str

    @property
    def range(self) -> tuple[str, str]:
        """All keys that begin so, as [low, high)."""
        return self.beginning, self.beginning[:-1] + chr(ord(self.beginning[-1]) + 1)


class DriverIs(msgspec.Struct, frozen=True):
    """Some driver term is one of these, and the main date begins and ends in the windows.

    Both windows include their ends. A version without a date has EARLIEST for both.
    """

    drivers: tuple[bytes, ...]
    start: tuple[int, int] = (EARLIEST, LATEST)
    end: tuple[int, int] = (EARLIEST, LATEST)
    long: tuple[bytes, ...] = ()
    """For speed alone, it changes no answer: copies of `drivers`, or none. Versions under a term
    whose date ends LONG or more after it begins are under its copy as well, so that others need
    to be looked for only where they begin after `end[0] - LONG`."""


class IntervalIs(msgspec.Struct, frozen=True):
    """One interval has its key, its low and its high end in these ranges, ends included."""

    key: tuple[int, int]
    low: tuple[float, float] = (EARLIEST, LATEST)
    high: tuple[float, float] = (EARLIEST, LATEST)


class IdIs(msgspec.Struct, frozen=True):
    """The id is one of these."""

    ids: frozenset[str]


class UpdatedIn(msgspec.Struct, frozen=True):
    """`updated` lies in [low, high)."""

    low: int = EARLIEST
    high: int = LATEST


class Not(msgspec.Struct, frozen=True):
    test: "Test"


class AnyOf(msgspec.Struct, frozen=True):
    """True when one of the tests is; false when there are none."""

    tests: tuple["Test", ...]


class AllOf(msgspec.Struct, frozen=True):
    """True when every test is; true when there are none."""

    tests: tuple["Test", ...]


Driver = KeyIs | KeyIn | KeyHas | DriverIs | IntervalIs | IdIs | UpdatedIn
"""A test that an index can begin with."""
Test = Driver | Not | AnyOf | AllOf


_MOST_TERMS_OF_SHORT: Final = 64


def is_short(driver: Driver | None) -> bool:
    """Whether it has few terms, so that what is known of it may be remembered."""
    match driver:
        case KeyIs(terms) | DriverIs(terms) | IdIs(terms):
            return len(terms) <= _MOST_TERMS_OF_SHORT
        case _:
            return True


class By(Enum):
    ORDINAL = "ordinal"
    START = "start"
    UPDATED = "updated"
    ID = "id"

    __hash__ = object.__hash__
    """In place of that of the name, for which Python code is run."""


class Order(msgspec.Struct, frozen=True):
    by: By = By.ORDINAL
    descending: bool = False
    """The tie-break by ordinal runs the same way."""


class Plan(msgspec.Struct, frozen=True):
    """Live versions of one type that meet the driver and every test, in order.

    The driver only says where to begin; it means the same as being one of the tests.
    """

    type: str
    drive: Driver | None = None
    """None: every live version of the type."""
    tests: tuple[Test, ...] = ()
    order: Order = Order()
    after: Position | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Guard:
    """A promise that must still hold when a commit happens: the plan matches just these ids.

    The plan's order, `after` and `limit` do not matter; at most two matches are looked at.
    """

    plan: Plan
    expected: frozenset[str]
