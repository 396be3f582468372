"""Criteria: each a test, and what an index can make of it.

What a search asks is bound to criteria (`binding.py`), of which a plan is made (`planning.py`).
Alternatives become one test that an index can begin with, where there is one:

    one alternative      AnyOf(t)                          →  t
    alternative keys     AnyOf(KeyIs(a), KeyIs(b))         →  KeyIs(a, b)
    alternative ids      AnyOf(IdIs(a), IdIs(b))           →  IdIs(a, b)
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import msgspec

from fhir_server.storage.query import (
    AllOf,
    AnyOf,
    Driver,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyHas,
    KeyIn,
    KeyIs,
    Not,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import Key

NOTHING: Final = AnyOf(())
"""The test that nothing meets."""
_DRIVERS: Final[frozenset[type]] = frozenset(
    {KeyIs, KeyIn, KeyHas, DriverIs, IntervalIs, IdIs, UpdatedIn}
)


class Rank(IntEnum):
    """How selective a criterion usually is: the lower, the better to begin with."""

    ID = 0
    PAIR = 1
    IDENTIFIER = 2
    REFERENCE = 3
    TERM_AND_DATE = 4
    URI = 5
    TOKEN = 6
    DATE_ALONE = 7
    INTERVAL = 8
    STRING = 9
    UPDATED = 10
    CATEGORY = 11
    ANYWHERE = 12


class Criterion(msgspec.Struct, frozen=True):
    """One criterion as a test, and what an index can make of it."""

    code: str
    """The parameter's name, for explanations."""
    test: Test
    rank: Rank
    members: tuple[bytes, ...] = ()
    """Membership terms of which every match carries one, such as a patient's."""
    members_exact: bool = False
    """Whether carrying one of `members` also means to match."""
    pairs: tuple[Key, ...] = ()
    """Keys that are drivers with a member; every match carries one, and who does matches."""
    alone: bool = False
    """Whether these keys are drivers without a member as well."""
    main_date: bool = False
    """Whether the test is about the date by which drivers are ordered."""

    @property
    def driver(self) -> Driver | None:
        """The test, if an index can begin with it."""
        return self.test if type(self.test) in _DRIVERS else None  # type: ignore[return-value]  # these are the drivers

    @property
    def around(self) -> Driver | None:
        """What every match meets and others may, where the test itself is no driver."""
        return around(self.test) if isinstance(self.test, AllOf | AnyOf) else None


def any_of(tests: Sequence[Test]) -> Test:
    """Alternatives as one test that an index can begin with, where there is such a test."""
    if len(tests) == 1:
        return tests[0]
    flat = [each for test in tests for each in (test.tests if isinstance(test, AnyOf) else (test,))]
    keys = [key for test in flat if isinstance(test, KeyIs) for key in test.keys]
    ids = frozenset(id_ for test in flat if isinstance(test, IdIs) for id_ in test.ids)
    others = [test for test in flat if not isinstance(test, KeyIs | IdIs)]
    merged: list[Test] = [KeyIs(tuple(dict.fromkeys(keys)))] if keys else []
    merged += [IdIs(ids)] if ids else []
    merged += dict.fromkeys(others)
    if len(merged) == 1:
        return merged[0]
    return AnyOf(tuple(merged)) if merged else NOTHING


def around(test: Test) -> Driver | None:
    """A driver that whatever meets the test meets too; None where none is to be seen.

    all of them     any one; a box around the rest comes first
    any of them     the keys of all, or one interval from the least to the greatest
    """
    match test:
        case AllOf(tests):
            return next((driver for each in tests if (driver := around(each))), None)
        case AnyOf(tests):
            drivers = [around(each) for each in tests]
            return _spanning(drivers)
        case Not():
            return None
        case _:
            return test


def _spanning(drivers: Sequence[Driver | None]) -> Driver | None:
    keys = [key for driver in drivers if isinstance(driver, KeyIs) for key in driver.keys]
    spans = [driver for driver in drivers if isinstance(driver, IntervalIs)]
    if drivers and all(isinstance(driver, KeyIs) for driver in drivers):
        return KeyIs(tuple(dict.fromkeys(keys)))
    if len(spans) == len(drivers) and len({span.key for span in spans}) == 1:
        lows, highs = [span.low for span in spans], [span.high for span in spans]
        return IntervalIs(spans[0].key, _hull(lows), _hull(highs))
    return None


def _hull(ranges: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return min(low for low, _ in ranges), max(high for _, high in ranges)
