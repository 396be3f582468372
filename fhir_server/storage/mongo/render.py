"""Plans as filters of the portable subset of the query language.

The driver stands at the top level, where the server looks for an index; every other test stands
under `$and`. Ranges over arrays are inside `$elemMatch`, so that one element has to meet both ends.
Every open end is a finite number.
"""

import re
from collections.abc import Sequence

from bson.int64 import Int64
from msgspec.structs import replace

from fhir_server.storage.mongo.documents import ALL, finite, portable
from fhir_server.storage.mongo.topology import Document
from fhir_server.storage.query import (
    LONG,
    AllOf,
    AnyOf,
    By,
    Driver,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyHas,
    KeyIn,
    KeyIs,
    Not,
    Order,
    Plan,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import EARLIEST, LATEST, Key, Position

_FIELDS = {By.ORDINAL: "n", By.START: "d", By.UPDATED: "u", By.ID: "_id"}
_HINTS = {
    type(None): "k",
    KeyIs: "k",
    KeyIn: "k",
    KeyHas: "k",
    DriverIs: "c",
    IntervalIs: "r",
    UpdatedIn: "u",
    IdIs: "_id_",
}
_UNIQUE = frozenset({"n", "_id"})
_EVERY = (EARLIEST, LATEST)
_NONE: Document = {"_id": {"$in": []}}
LIVE: Document = {"d": {"$exists": True}}
"""Deletions and held places are in the indexes of id and time as well."""


def filter_of(plan: Plan, *, paged: bool = True) -> Document:
    """What a match looks like; with `paged`, only matches behind `plan.after`."""
    rest = [test_of(test) for test in plan.tests]
    if isinstance(plan.drive, IdIs | UpdatedIn):
        rest.append(LIVE)
    if paged and plan.after is not None:
        rest.append(_behind(plan.order, plan.after))
    top = driver_of(plan.drive)
    return {**top, "$and": rest} if rest else top


def driver_of(drive: Driver | None) -> Document:
    """The driver as a filter.

    A lower bound on the end says nothing of where a date begins, unless it is short: so the long
    ones, which are under a term of their own, are looked for apart. The branches do not overlap.
    """
    if drive is None:
        return {"k": ALL}
    if not isinstance(drive, DriverIs) or not drive.long or drive.end[0] == EARLIEST:
        return test_of(drive)
    low, high = drive.start
    border = drive.end[0] - LONG
    short = replace(drive, start=(max(low, border + 1), high))
    long = replace(drive, drivers=drive.long, start=(low, min(high, border)))
    return {"$or": [test_of(one) for one in (short, long)]}


def sort_of(order: Order) -> list[tuple[str, int]]:
    """The order, always with the ordinal as tie-break."""
    way = -1 if order.descending else 1
    field = _FIELDS[order.by]
    return [(field, way)] if field in _UNIQUE else [(field, way), ("n", way)]


def hint_of(drive: Driver | None, by: By = By.ORDINAL) -> str:
    """The index the driver begins in; without a driver, the one of ids if that is the order."""
    return _HINTS[IdIs if drive is None and by is By.ID else type(drive)]


def position_of(order: Order, document: Document) -> Position:
    """Where a match stands in the order."""
    value = document[_FIELDS[order.by]]
    return Position(value if order.by is By.ID else int(value), int(document["n"]))


def test_of(test: Test) -> Document:
    """One test as a filter; the cases are those of `storage/query.py`."""
    match test:
        case KeyIs() | KeyIn() | KeyHas():
            return _key(test)
        case DriverIs():
            return _driver(test)
        case IntervalIs(key, low, high):
            return {"r": {"$elemMatch": {"p": _whole(key), "a": _real(low), "z": _real(high)}}}
        case IdIs(ids):
            return {"_id": _one_of(tuple(sorted(ids)))} if ids else _NONE
        case UpdatedIn(low, high):
            return {"u": {"$gte": Int64(low), "$lt": Int64(high)}}
        case Not(inner):
            return {"$nor": [test_of(inner)]}
        case AnyOf(tests):
            return {"$or": [test_of(one) for one in tests]} if tests else _NONE
        case AllOf(tests):
            return {"$and": [test_of(one) for one in tests]} if tests else {}


def _key(test: KeyIs | KeyIn | KeyHas) -> Document:
    match test:
        case KeyIs(keys):
            return {"k": _one_of(tuple(map(portable, keys)))} if keys else _NONE
        case KeyIn(low, high):
            return {"k": {"$elemMatch": {"$gte": portable(low), "$lt": portable(high)}}}
        case KeyHas():
            return {"k": {"$elemMatch": _having(test)}}


def _having(test: KeyHas) -> Document:
    low, high = (str(portable(end)) for end in test.range)
    written = f"^{re.escape(low)}[\\s\\S]*{re.escape(str(portable(test.part)))}"
    return {"$gte": low, "$lt": high, "$regex": written}


def _driver(test: DriverIs) -> Document:
    if not test.drivers:
        return _NONE
    found: Document = {"c": _one_of(test.drivers)}
    if test.start != _EVERY:
        found["d"] = _whole(test.start)
    if test.end != _EVERY:
        found["e"] = _whole(test.end)
    return found


def _one_of(values: Sequence[Key]) -> object:
    return values[0] if len(values) == 1 else {"$in": list(values)}


def _whole(ends: tuple[int, int]) -> object:
    low, high = ends
    return Int64(low) if low == high else {"$gte": Int64(low), "$lte": Int64(high)}


def _real(ends: tuple[float, float]) -> Document:
    return {"$gte": finite(ends[0]), "$lte": finite(ends[1])}


def _behind(order: Order, after: Position) -> Document:
    """Behind a position: by the value of the order, then by the ordinal."""
    beyond = "$lt" if order.descending else "$gt"
    field = _FIELDS[order.by]
    ordinal = {"n": {beyond: Int64(after.ordinal)}}
    if field == "n":
        return ordinal
    if isinstance(after.value, str):
        return {field: {beyond: after.value}}
    value = Int64(after.value)
    return {
        "$and": [
            {field: {f"{beyond}e": value}},
            {"$or": [{field: {beyond: value}}, {field: value, **ordinal}]},
        ]
    }
