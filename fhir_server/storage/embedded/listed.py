"""Lists of values and of ranges, each bound as one value, however long it is.

SQLite's time to prepare a statement grows with the square of its alternatives, and nothing
interrupts it. So alternatives of one kind are not conditions joined by OR, but records of one
blob or elements of one JSON array, of which the statement makes a table `l`: its text is the same
for any number of them. A few ranges are compared with the terms that a row carries; more are
looked up in their index, each as one range of it, once for all candidates.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

import json
from collections.abc import Collection, Sequence
from typing import Final

from fhir_server.storage.embedded.packing import SPAN_BYTES, integer_bytes, number_bytes, stored
from fhir_server.storage.embedded.pieces import NEVER, Sql
from fhir_server.storage.query import IntervalIs, KeyHas
from fhir_server.storage.versions import KEY_BYTES, Key

FEW_RANGES: Final = 8
"""More ranges than this are usually narrow, and cost each candidate more than their index once."""

_FEW = 32
"""Up to so many values of a list are host parameters, their number rounded up."""


def among(column: str, values: Collection[Key]) -> Sql:
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
    joined = b"".join([value for value in listed if isinstance(value, bytes)])
    texts = [value for value in listed if isinstance(value, str)]
    if not texts:
        return Sql(f"{column} IN ({_BYTES})", (joined, joined, joined))
    return Sql(f"{column} IN ({_BYTES} UNION ALL {_TEXTS})", (joined, joined, joined, _json(texts)))


def in_some_interval(tests: Sequence[IntervalIs], y: int) -> Sql:
    """Whether an interval of `r` is as one of these tests says."""
    joined = b"".join(_record(test) for test in tests)
    if len(tests) <= FEW_RANGES:
        return Sql(_SOME_SPAN_IN_ROW, (joined, joined, joined))
    return Sql(_SOME_SPAN_IN_INDEX, (joined, joined, joined, y))


def in_some_bytes(ranges: Sequence[tuple[bytes, bytes]], y: int) -> Sql:
    """Whether a key of `r` lies in one of these ranges [low, high)."""
    joined = b"".join(end for ends in ranges for end in ends)
    if len(ranges) <= FEW_RANGES:
        return Sql(_SOME_KEY_IN_ROW, (joined, joined, joined))
    return Sql(_SOME_KEY_IN_INDEX, (joined, joined, joined, y))


def in_some_texts(ranges: Sequence[tuple[str, str]], y: int) -> Sql:
    """Whether a text of `r` lies in one of these ranges [low, high)."""
    if len(ranges) <= FEW_RANGES:
        return Sql(_SOME_TEXT_IN_ROW, (_json(ranges),))
    return Sql(_SOME_TEXT_IN_INDEX, (_json(ranges), y))


def has_some(tests: Sequence[KeyHas], y: int) -> Sql:
    """Whether a text of `r` is as one of these tests says."""
    listed = _json([has_values(test) for test in tests])
    if len(tests) <= FEW_RANGES:
        return Sql(_SOME_PART_IN_ROW, (listed,))
    return Sql(_SOME_PART_IN_INDEX, (listed, y))


def has_values(test: KeyHas) -> tuple[str | int, ...]:
    """The range of texts, where the part may begin, counted from 1, and the part."""
    low, high, part = map(str, stored((*test.range, test.part)))
    return low, high, len(low) + 1, part


def updated_in_some(ranges: Sequence[tuple[int, int]]) -> Sql:
    """Whether `r` was updated in one of these ranges [low, high)."""
    return Sql(_SOME_MOMENT, (_json(ranges),))


def span_range(test: IntervalIs) -> tuple[bytes, bytes]:
    """The first and the last span that the index may hold for this test."""
    (first, last), (low, low_to) = test.key, test.low
    begin, end = integer_bytes(first), integer_bytes(last)
    if first == last:
        begin, end = begin + number_bytes(low), end + number_bytes(low_to)
    return begin.ljust(SPAN_BYTES, b"\0"), end.ljust(SPAN_BYTES, b"\xff")


def span_bounds(test: IntervalIs) -> tuple[bytes, ...]:
    """The values of `span_parts`, eight bytes each."""
    numbers = (*test.low, *test.high)
    return (*map(integer_bytes, test.key), *map(number_bytes, numbers))


def span_parts(bounds: Sequence[str]) -> str:
    """Whether the key, the low and the high end of a span `x.t` lie between two bounds each."""
    parts = zip((1, 9, 17), bounds[::2], bounds[1::2], strict=True)
    return " AND ".join(f"substr(x.t, {at}, 8) BETWEEN {low} AND {high}" for at, low, high in parts)


def _record(test: IntervalIs) -> bytes:
    return b"".join((*span_range(test), *span_bounds(test)))


def _json(values: object) -> str:
    return json.dumps(values, ensure_ascii=False)


def _cut(blob: str, size: int) -> str:
    """Tables for WITH RECURSIVE that end in `c(v)`: the records of a blob, in order."""
    return f"""a(i) AS (
        SELECT 1 WHERE length({blob}) > 0
        UNION ALL SELECT i + {size} FROM a WHERE i + {size} <= length({blob})
    ), c(v) AS (SELECT substr({blob}, i, {size}) FROM a)"""


def _records(size: int) -> str:
    """The table `l(v)` of a bound blob. It depends on no row, so that it is made once."""
    return f"l(v) AS MATERIALIZED (WITH RECURSIVE {_cut('?', size)} SELECT v FROM c)"


def _ends(size: int) -> tuple[str, str]:
    """Both ends of a record that is a range of values of this size."""
    return f"substr(l.v, 1, {size})", f"substr(l.v, {size + 1}, {size})"


_PAIRS = "l(low, high) AS MATERIALIZED (SELECT e.value ->> 0, e.value ->> 1 FROM json_each(?) e)"
_BYTES = f"WITH RECURSIVE {_cut('?', KEY_BYTES)} SELECT v FROM c"
_TEXTS = "SELECT value FROM json_each(?)"
_PARTS = """l(low, high, start, part) AS MATERIALIZED (
    SELECT e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3 FROM json_each(?) e
)"""
_LOW_SPAN, _HIGH_SPAN = _ends(SPAN_BYTES)
_LOW_KEY, _HIGH_KEY = _ends(KEY_BYTES)
_RECORD_BYTES = 2 * SPAN_BYTES + 6 * 8
_RECORD_PARTS = span_parts(
    [f"substr(l.v, {at}, 8)" for at in range(2 * SPAN_BYTES + 1, _RECORD_BYTES, 8)]
)

SPAN_IN_ROW: Final = f"""EXISTS (
    WITH RECURSIVE {_cut("r.spans", SPAN_BYTES)}, x(t) AS (SELECT v FROM c)
    SELECT 1 FROM x WHERE {span_parts("??????")}
)"""
"""Whether an interval of `r` lies within `span_bounds`."""
_SOME_SPAN_IN_ROW = f"""EXISTS (
    WITH RECURSIVE {_records(_RECORD_BYTES)}, {_cut("r.spans", SPAN_BYTES)},
        x(t) AS (SELECT v FROM c)
    SELECT 1 FROM x CROSS JOIN l WHERE {_RECORD_PARTS}
)"""
_SOME_KEY_IN_ROW = f"""EXISTS (
    WITH RECURSIVE {_records(2 * KEY_BYTES)}, {_cut("r.keys", KEY_BYTES)},
        x(t) AS (SELECT v FROM c)
    SELECT 1 FROM x CROSS JOIN l WHERE x.t >= {_LOW_KEY} AND x.t < {_HIGH_KEY}
)"""
_SOME_TEXT_IN_ROW = f"""EXISTS (
    WITH {_PAIRS}
    SELECT 1 FROM json_each(r.texts) x CROSS JOIN l WHERE x.value >= l.low AND x.value < l.high
)"""
_SOME_SPAN_IN_INDEX = f"""r.n IN (
    WITH {_records(_RECORD_BYTES)} SELECT x.n FROM l CROSS JOIN intervals x
    WHERE x.y = ? AND x.t BETWEEN {_LOW_SPAN} AND {_HIGH_SPAN} AND {_RECORD_PARTS}
)"""
_SOME_KEY_IN_INDEX = f"""r.n IN (
    WITH {_records(2 * KEY_BYTES)} SELECT x.n FROM l CROSS JOIN keys x
    WHERE x.y = ? AND x.t >= {_LOW_KEY} AND x.t < {_HIGH_KEY}
)"""
_SOME_TEXT_IN_INDEX = f"""r.n IN (
    WITH {_PAIRS} SELECT x.n FROM l CROSS JOIN keys x
    WHERE x.y = ? AND x.t >= l.low AND x.t < l.high
)"""
_SOME_PART_IN_ROW = f"""EXISTS (
    WITH {_PARTS} SELECT 1 FROM json_each(r.texts) x CROSS JOIN l
    WHERE x.value >= l.low AND x.value < l.high AND instr(substr(x.value, l.start), l.part) > 0
)"""
_SOME_PART_IN_INDEX = f"""r.n IN (
    WITH {_PARTS} SELECT x.n FROM l CROSS JOIN keys x
    WHERE x.y = ? AND x.t >= l.low AND x.t < l.high AND instr(substr(x.t, l.start), l.part) > 0
)"""
_SOME_MOMENT = f"""EXISTS (
    WITH {_PAIRS} SELECT 1 FROM l WHERE r.updated >= l.low AND r.updated < l.high
)"""
