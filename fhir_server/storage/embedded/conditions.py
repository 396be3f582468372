"""A test of a plan as an SQL condition on one row `r` of `resources`.

The text of a condition depends on the shape of its test alone, never on its values, so that
SQLite's prepared statements are found again. A test that an index answers by one seek per
candidate does so; a range is looked for in the terms that the row itself carries.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

import json
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, cast

from fhir_server.storage.embedded.packing import (
    SPAN_BYTES,
    integer_bytes,
    number_bytes,
    shared_beginning,
)
from fhir_server.storage.query import (
    AllOf,
    AnyOf,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyIn,
    KeyIs,
    Not,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import KEY_BYTES

Value = str | bytes | int

_FEW = 32
"""Up to so many values of a list are host parameters, their number rounded up."""
_SEEKS = 64
"""A list of more keys than this is looked up once for all candidates, not for each."""
_BRANCHES = 8


class Sql(NamedTuple):
    """A piece of SQL and its values, in the order of its question marks."""

    text: str
    values: tuple[Value, ...] = ()


NEVER = Sql("?", (0,))
"""A value, as SQLite finds no use for an index beside a constant that is false."""
ALWAYS = Sql("1")


def sql(*pieces: Sql) -> Sql:
    """The pieces, one after the other."""
    return Sql(
        "".join(piece.text for piece in pieces),
        tuple(value for piece in pieces for value in piece.values),
    )


def condition(test: Test, y: int) -> Sql:
    """The test of `r`, whose type is `y`."""
    return _CONDITIONS[type(test)](test, y)


def every(conditions: Sequence[Sql]) -> Sql:
    return _combined(" AND ", conditions) if conditions else ALWAYS


def some(conditions: Sequence[Sql]) -> Sql:
    return _combined(" OR ", conditions) if conditions else NEVER


def among(column: str, values: Collection[str | bytes]) -> Sql:
    """Whether the column is one of the values, however many there are."""
    listed = list(values)
    if not listed:
        return NEVER
    if len(listed) == 1:
        return Sql(f"{column} = ?", (listed[0],))
    if len(listed) <= _FEW:
        size = 1 << (len(listed) - 1).bit_length()
        padding = [listed[-1]] * (size - len(listed))
        return Sql(f"{column} IN ({','.join('?' * size)})", (*listed, *padding))
    joined = b"".join(value for value in listed if isinstance(value, bytes))
    texts = json.dumps([value for value in listed if isinstance(value, str)], ensure_ascii=False)
    return Sql(f"{column} IN ({_LISTED})", (joined, joined, joined, texts))


def in_intervals(test: IntervalIs, y: int) -> Sql:
    """Whether the row `x` of `intervals` is such an interval, as a range of its index."""
    (first, last), (low, low_to) = test.key, test.low
    begin, end = integer_bytes(first), integer_bytes(last)
    if first == last:
        begin, end = begin + number_bytes(low), end + number_bytes(low_to)
    beyond = end + b"\xff" * (SPAN_BYTES + 1 - len(end))
    return sql(
        Sql("x.y = ? AND x.t BETWEEN ? AND ? AND ", (y, begin, beyond)),
        Sql(_SPAN_PARTS.format(span="x.t"), _span_bounds(test)),
    )


# The values of one long list: byte keys cut from one blob, texts from one JSON array.
_LISTED = f"""
    WITH RECURSIVE a(i) AS (
        SELECT 1 WHERE length(?) > 0
        UNION ALL SELECT i + {KEY_BYTES} FROM a WHERE i + {KEY_BYTES} <= length(?)
    ) SELECT substr(?, i, {KEY_BYTES}) FROM a UNION ALL SELECT value FROM json_each(?)
"""

# The keys of a row are sorted. `instr` finds where the beginning that all keys of the range
# share might stand (it need not be the beginning of a key); from there the walk goes on to the
# first key that is not below the range.
_KEY_IN_ROW = f"""(instr(r.keys, ?) > 0 AND EXISTS (
    WITH RECURSIVE a(i) AS (
        SELECT (instr(r.keys, ?) - 1) / {KEY_BYTES} * {KEY_BYTES} + 1
        UNION ALL SELECT i + {KEY_BYTES} FROM a
        WHERE i + {KEY_BYTES} <= length(r.keys) AND substr(r.keys, i, {KEY_BYTES}) < ?
    ) SELECT 1 FROM a
    WHERE substr(r.keys, i, {KEY_BYTES}) >= ? AND substr(r.keys, i, {KEY_BYTES}) < ?
))"""

_TEXT_IN_ROW = "EXISTS (SELECT 1 FROM json_each(r.texts) x WHERE x.value >= ? AND x.value < ?)"

_SPAN_PARTS = (
    "substr({span}, 1, 8) BETWEEN ? AND ? AND substr({span}, 9, 8) BETWEEN ? AND ?"
    " AND substr({span}, 17, 8) BETWEEN ? AND ?"
)

_SPAN_IN_ROW = f"""EXISTS (
    WITH RECURSIVE a(i) AS (
        SELECT 1 UNION ALL SELECT i + {SPAN_BYTES} FROM a WHERE i + {SPAN_BYTES} <= length(r.spans)
    ), x(t) AS (SELECT substr(r.spans, i, {SPAN_BYTES}) FROM a)
    SELECT 1 FROM x WHERE {_SPAN_PARTS.format(span="x.t")}
)"""


def _combined(word: str, conditions: Sequence[Sql]) -> Sql:
    """Joined as a balanced tree: SQLite limits how deep expressions nest."""
    if len(conditions) > _BRANCHES:
        middle = len(conditions) // 2
        conditions = [
            _combined(word, conditions[:middle]),
            _combined(word, conditions[middle:]),
        ]
    text = word.join(condition.text for condition in conditions)
    return Sql(f"({text})", tuple(value for part in conditions for value in part.values))


def _key_is(test: KeyIs, y: int) -> Sql:
    chosen = among("x.t", test.keys)
    if len(test.keys) > _SEEKS:
        return sql(Sql("r.n IN (SELECT x.n FROM keys x WHERE x.y = ? AND ", (y,)), chosen, Sql(")"))
    return sql(
        Sql("EXISTS (SELECT 1 FROM keys x WHERE x.y = ? AND ", (y,)),
        chosen,
        Sql(" AND x.n = r.n)"),
    )


def _key_in(test: KeyIn, _: int) -> Sql:
    if isinstance(test.low, bytes) and isinstance(test.high, bytes):
        shared = shared_beginning(test.low, test.high)
        return Sql(_KEY_IN_ROW, (shared, shared, test.low, test.low, test.high))
    return Sql(_TEXT_IN_ROW, (test.low, test.high))


def _driver_is(test: DriverIs, y: int) -> Sql:
    return sql(
        Sql("(r.start BETWEEN ? AND ? AND r.stop BETWEEN ? AND ?", (*test.start, *test.end)),
        Sql(" AND EXISTS (SELECT 1 FROM drivers x WHERE x.y = ? AND ", (y,)),
        among("x.t", test.drivers),
        Sql(" AND x.start = r.start AND x.n = r.n))"),
    )


def _interval_is(test: IntervalIs, _: int) -> Sql:
    return Sql(_SPAN_IN_ROW, _span_bounds(test))


def _span_bounds(test: IntervalIs) -> tuple[bytes, ...]:
    numbers = (*test.low, *test.high)
    return (*map(integer_bytes, test.key), *map(number_bytes, numbers))


def _id_is(test: IdIs, _: int) -> Sql:
    return among("r.id", test.ids)


def _updated_in(test: UpdatedIn, _: int) -> Sql:
    return Sql("(r.updated >= ? AND r.updated < ?)", (test.low, test.high))


def _not(test: Not, y: int) -> Sql:
    return sql(Sql("NOT "), condition(test.test, y))


def _any_of(test: AnyOf, y: int) -> Sql:
    return some([condition(part, y) for part in test.tests])


def _all_of(test: AllOf, y: int) -> Sql:
    return every([condition(part, y) for part in test.tests])


_CONDITIONS = cast(
    "dict[type, Callable[[Test, int], Sql]]",
    {
        KeyIs: _key_is,
        KeyIn: _key_in,
        DriverIs: _driver_is,
        IntervalIs: _interval_is,
        IdIs: _id_is,
        UpdatedIn: _updated_in,
        Not: _not,
        AnyOf: _any_of,
        AllOf: _all_of,
    },
)
