"""A test of a plan as an SQL condition on one row `r` of `resources`.

The text of a condition depends on the shape of its test alone, never on its values or on how many
alternatives of one kind there are, so that SQLite's prepared statements are found again. A test
that an index answers by one seek per candidate does so; a range is looked for in the terms that
the row itself carries.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

from collections.abc import Callable, Iterator, Sequence
from typing import cast

from fhir_server.storage.embedded.listed import (
    SPAN_IN_ROW,
    among,
    has_some,
    has_values,
    in_some_bytes,
    in_some_interval,
    in_some_texts,
    span_bounds,
    span_parts,
    span_range,
    updated_in_some,
)
from fhir_server.storage.embedded.packing import askable, stored
from fhir_server.storage.embedded.pieces import Sql, every, some, sql
from fhir_server.storage.query import (
    AllOf,
    AnyOf,
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
from fhir_server.storage.versions import KEY_BYTES

_SEEKS = 64
"""A list of more keys than this is looked up once for all candidates, not for each."""


def condition(test: Test, y: int) -> Sql:
    """The test of `r`, whose type is `y`."""
    return _CONDITIONS[type(test)](test, y)


def conditions(tests: Sequence[Test], y: int) -> list[Sql]:
    """All tests of `r`; what none of them may be is one condition."""
    flat = [*_flat(AllOf, tests)]
    nots = tuple(test.test for test in flat if isinstance(test, Not))
    if len(nots) > 1:
        flat = [*(test for test in flat if not isinstance(test, Not)), Not(AnyOf(nots))]
    return [condition(test, y) for test in flat]


def in_interval(test: IntervalIs, y: int) -> Sql:
    """Whether the row `x` of `intervals` is such an interval, as a range of its index."""
    return sql(
        Sql("x.y = ? AND x.t BETWEEN ? AND ? AND ", (y, *span_range(test))),
        Sql(span_parts("??????"), span_bounds(test)),
    )


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

_TEXT_PART_IN_ROW = (
    "EXISTS (SELECT 1 FROM json_each(r.texts) x WHERE x.value >= ? AND x.value < ?"
    " AND instr(substr(x.value, ?), ?) > 0)"
)


def _key_is(test: KeyIs, y: int) -> Sql:
    chosen = among("x.t", stored(test.keys))
    if len(test.keys) > _SEEKS:
        return sql(Sql("r.n IN (SELECT x.n FROM keys x WHERE x.y = ? AND ", (y,)), chosen, Sql(")"))
    return sql(
        Sql("EXISTS (SELECT 1 FROM keys x WHERE x.y = ? AND ", (y,)),
        chosen,
        Sql(" AND x.n = r.n)"),
    )


def _key_in(test: KeyIn, _: int) -> Sql:
    low, high = test.low, test.high
    if isinstance(low, bytes) and isinstance(high, bytes):
        shared = _shared(low, _before(high))
        return Sql(_KEY_IN_ROW, (shared, shared, low, low, high))
    return Sql(_TEXT_IN_ROW, stored((low, high)))


def _key_has(test: KeyHas, _: int) -> Sql:
    return Sql(_TEXT_PART_IN_ROW, has_values(test))


def _before(key: bytes) -> bytes:
    """The greatest key of the same length that is less; the least one stays as it is."""
    return max(int.from_bytes(key) - 1, 0).to_bytes(len(key))


def _shared(one: bytes, other: bytes) -> bytes:
    """The beginning that both have."""
    for at, (left, right) in enumerate(zip(one, other, strict=True)):
        if left != right:
            return one[:at]
    return one


def _driver_is(test: DriverIs, y: int) -> Sql:
    return sql(
        Sql("(r.start BETWEEN ? AND ? AND r.stop BETWEEN ? AND ?", (*test.start, *test.end)),
        Sql(" AND EXISTS (SELECT 1 FROM drivers x WHERE x.y = ? AND ", (y,)),
        among("x.t", test.drivers),
        Sql(" AND x.start = r.start AND x.n = r.n))"),
    )


def _interval_is(test: IntervalIs, _: int) -> Sql:
    return Sql(SPAN_IN_ROW, span_bounds(test))


def _id_is(test: IdIs, _: int) -> Sql:
    return among("r.id", askable(test.ids))


def _updated_in(test: UpdatedIn, _: int) -> Sql:
    return Sql("(r.updated >= ? AND r.updated < ?)", (test.low, test.high))


def _not(test: Not, y: int) -> Sql:
    return sql(Sql("NOT "), condition(test.test, y))


def _all_of(test: AllOf, y: int) -> Sql:
    return every(conditions(test.tests, y))


def _any_of(test: AnyOf, y: int) -> Sql:
    """Alternatives of one kind as one list, wherever there are several."""
    kinds: dict[object, list[Test]] = {}
    for part in _flat(AnyOf, test.tests):
        kinds.setdefault(_kind(part), []).append(part)
    either = []
    for kind, parts in kinds.items():
        together = _TOGETHER.get(kind)
        if together is None or len(parts) == 1:
            either += [condition(part, y) for part in parts]
        else:
            either.append(together(parts, y))
    return some(either)


def _flat(kind: type[AllOf | AnyOf], tests: Sequence[Test]) -> Iterator[Test]:
    """The tests without those that only hold others together in the same way."""
    for test in tests:
        if isinstance(test, AllOf | AnyOf) and isinstance(test, kind):
            yield from _flat(kind, test.tests)
        else:
            yield test


def _kind(test: Test) -> object:
    return (KeyIn, type(test.low)) if isinstance(test, KeyIn) else type(test)


def _some_key(tests: Sequence[KeyIs], y: int) -> Sql:
    return _key_is(KeyIs(tuple(dict.fromkeys(key for test in tests for key in test.keys))), y)


def _some_id(tests: Sequence[IdIs], y: int) -> Sql:
    return _id_is(IdIs(frozenset(id_ for test in tests for id_ in test.ids)), y)


def _some_bytes(tests: Sequence[KeyIn], y: int) -> Sql:
    return in_some_bytes([cast("tuple[bytes, bytes]", (test.low, test.high)) for test in tests], y)


def _some_texts(tests: Sequence[KeyIn], y: int) -> Sql:
    ends = (stored((test.low, test.high)) for test in tests)
    return in_some_texts([cast("tuple[str, str]", both) for both in ends], y)


def _some_moment(tests: Sequence[UpdatedIn], _: int) -> Sql:
    return updated_in_some([(test.low, test.high) for test in tests])


_CONDITIONS = cast(
    "dict[type, Callable[[Test, int], Sql]]",
    {
        KeyIs: _key_is,
        KeyIn: _key_in,
        KeyHas: _key_has,
        DriverIs: _driver_is,
        IntervalIs: _interval_is,
        IdIs: _id_is,
        UpdatedIn: _updated_in,
        Not: _not,
        AnyOf: _any_of,
        AllOf: _all_of,
    },
)
_TOGETHER = cast(
    "dict[object, Callable[[list[Test], int], Sql]]",
    {
        KeyIs: _some_key,
        (KeyIn, bytes): _some_bytes,
        (KeyIn, str): _some_texts,
        KeyHas: has_some,
        IntervalIs: in_some_interval,
        IdIs: _some_id,
        UpdatedIn: _some_moment,
    },
)
