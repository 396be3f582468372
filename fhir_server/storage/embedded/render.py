"""A plan as one SQL statement.

The driver says which index leads; every other test is a condition on the row of `resources`
that its ordinal leads to. Where the leading index already runs in the plan's order, rows are
taken as they come, and so are those of a set in order of ordinal, once the set is known; otherwise
the first `limit` are chosen by order and ordinal alone and their content is read afterwards. A
driver of a few terms is a union of as many ordered runs, each no longer than the limit; a driver of
many is one set. Of one term, short and long dates are two ordered runs without a version in common,
merged as they come.

Nothing interrupts SQLite while it prepares a statement, and a prepared one takes some twenty times
the memory of its text. So the text of a plan has a bounded length.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

from functools import lru_cache

from fhir_server.storage.base import DeadlineExceeded
from fhir_server.storage.embedded.conditions import conditions
from fhir_server.storage.embedded.pieces import (
    LONG_TEXT,
    Sql,
    Value,
    every,
    joined,
    sql,
)
from fhir_server.storage.embedded.sources import Source, parts_of, source_of, sources_of
from fhir_server.storage.query import (
    By,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyHas,
    KeyIn,
    KeyIs,
    Plan,
    UpdatedIn,
    is_short,
)
from fhir_server.storage.versions import EARLIEST, KEY_BYTES, LATEST

VERSION_COLUMNS = "r.id, r.number, r.n, r.updated, r.method, r.content"

_LONGEST_TEXT = 4 * LONG_TEXT
_FEW_TESTS = 8
_PLAIN = (KeyIs, KeyIn, KeyHas, DriverIs, IdIs, IntervalIs, UpdatedIn)
"""Tests of which a plan that is remembered may have a few."""
_JOIN = Sql(" CROSS JOIN resources r ON r.n = k.n")
_VALUES = {By.ORDINAL: "r.n", By.START: "r.start", By.UPDATED: "r.updated", By.ID: "r.id"}
_VALUES_OF_ROW = frozenset(_VALUES.values())


def matches(plan: Plan, y: int, columns: str) -> Sql:
    """Select columns of `r` of the matches behind `after`, in order, at most `plan.limit`.

    A row may have further columns behind those asked for.
    """
    return (_kept_matches if _is_short(plan) else _matches)(plan, y, columns)


def _is_short(plan: Plan) -> bool:
    """Whether the statement of a plan may be remembered: screens ask the same again and again."""
    tests = plan.tests
    short = all(isinstance(each, _PLAIN) and is_short(each) for each in tests)
    return short and len(tests) <= _FEW_TESTS and is_short(plan.drive)


def _matches(plan: Plan, y: int, columns: str) -> Sql:
    statement = _selected(sources_of(plan.drive, y, plan.order.by), plan, y, columns)
    if len(statement.text) > LONG_TEXT:
        sets = [source_of(part, y, plan.order.by) for part in parts_of(plan.drive)]
        statement = _selected(sets, plan, y, columns)
    return _bounded(statement)


_kept_matches = lru_cache(maxsize=512)(_matches)


def counted(plan: Plan, y: int, most: int) -> Sql:
    """Count the matches whatever `after` says, no further than `most` (negative: all)."""
    return (_kept_counted if _is_short(plan) else _counted)(plan, y, most)


def _counted(plan: Plan, y: int, most: int) -> Sql:
    if most < 0 and len(parts_of(plan.drive)) == 1:
        return _of_every_match(plan, y, "count(*)")
    matching = _of_every_match(plan, y)
    return sql(Sql("SELECT count(*) FROM ("), matching, Sql(" LIMIT ?)", (most,)))


_kept_counted = lru_cache(maxsize=512)(_counted)


def keys_of(plan: Plan, y: int, shared: bytes) -> Sql:
    """Select packed keys of the matches, in no order and whatever `after` says, each list once.

    Of most matches it is the only key that begins with `shared`; of others all they have, or none.
    So what many matches have in common is told apart without a step of ours for each of them.
    """
    return (_kept_keys_of if _is_short(plan) else _keys_of)(plan, y, shared)


def _keys_of(plan: Plan, y: int, shared: bytes) -> Sql:
    matching = _of_every_match(plan, y, "r.keys AS s, instr(r.keys, ?) AS i", (shared,))
    return sql(Sql(_ONLY_SUCH_KEY, (len(shared), shared)), matching, Sql(" LIMIT -1) WHERE i > 0"))


_kept_keys_of = lru_cache(maxsize=512)(_keys_of)


# `instr` may find the beginning across the end of a key. The limit keeps SQLite from copying the
# call of `instr` to each place that has its result.
_ONLY_SUCH_KEY = f"""SELECT DISTINCT CASE
    WHEN i % {KEY_BYTES} = 1 AND substr(s, i + {KEY_BYTES}, ?) <> ? THEN substr(s, i, {KEY_BYTES})
    ELSE s END FROM ("""


def _of_every_match(plan: Plan, y: int, columns: str = "1", values: tuple[Value, ...] = ()) -> Sql:
    """Columns of each match; `values` are theirs. `r` is looked at where something asks for it."""
    runs = []
    for part in parts_of(plan.drive):
        source = source_of(part, y, By.ORDINAL)
        tests = [*source.of_row, *conditions(plan.tests, y)]
        where = every([source.where, *_window(source, *source.window), *tests])
        join = [_JOIN] if source.leads and (tests or "r." in columns) else []
        selected = Sql(f"SELECT {columns} FROM ", values)
        runs.append(sql(selected, source.lead, *join, Sql(" WHERE "), where))
    return _bounded(joined(" UNION ALL ", runs))


def _bounded(statement: Sql) -> Sql:
    if len(statement.text) > _LONGEST_TEXT:
        raise DeadlineExceeded("the query has too many parts to be answered in time")
    return statement


def _selected(sources: list[Source], plan: Plan, y: int, columns: str) -> Sql:
    if len(sources) == 1 and plan.order.by is By.ORDINAL:
        sources = [_by_ordinal(sources[0])]
    if all(source.order is plan.order.by for source in sources):
        if len(sources) == 1:
            return _run(sources[0], plan, y, columns)
        if isinstance(plan.drive, DriverIs) and len(set(plan.drive.drivers)) == 1:
            return _merged(sources, plan, y, columns)
    return _chosen_first(sources, plan, y, columns)


def _by_ordinal(source: Source) -> Source:
    """A set of ordinals, once it is known, in their order, so that a page need not see all rows."""
    if source.ordinals is None:
        return source
    chosen = sql(Sql("r.n IN ("), source.ordinals, Sql(")"))
    return Source(Sql("resources r"), chosen, source.of_row, order=By.ORDINAL)


def _merged(sources: list[Source], plan: Plan, y: int, columns: str) -> Sql:
    """Runs that have no version in common, none walked further than the page needs.

    SQLite sees that they come in order only where it is one of their own columns.
    """
    runs = [
        _unordered(each, plan, y, f"{columns}, {each.value} AS v, {each.ordinal} AS o", each.value)
        for each in sources
    ]
    down = " DESC" if plan.order.descending else ""
    best = Sql(f" ORDER BY v{down}, o{down} LIMIT ?", (plan.limit,))
    return sql(joined(" UNION ALL ", runs), best)


def _chosen_first(sources: list[Source], plan: Plan, y: int, columns: str) -> Sql:
    down = " DESC" if plan.order.descending else ""
    runs = [sql(Sql("SELECT v, n FROM ("), _run(each, plan, y), Sql(")")) for each in sources]
    best = Sql(f" ORDER BY v{down}, n{down} LIMIT ?", (plan.limit,))
    return sql(
        Sql(f"SELECT {columns} FROM ("),
        joined(" UNION ", runs),
        *([best] if len(runs) > 1 else []),
        Sql(f") p CROSS JOIN resources r ON r.n = p.n ORDER BY p.v{down}, p.n{down}"),
    )


def _run(source: Source, plan: Plan, y: int, columns: str = "") -> Sql:
    """The matches of one source in the plan's order, as they come or sorted.

    Without columns their order values and ordinals, which may be had without looking at `r`.
    """
    by, ordinal = plan.order.by, source.ordinal
    natural = by is By.ORDINAL or source.order is by
    value = ordinal if by is By.ORDINAL else source.value if natural else _VALUES[by]
    down = " DESC" if plan.order.descending else ""
    ordering = f"{value}{down}" if by is By.ORDINAL else f"{value}{down}, {ordinal}{down}"
    return sql(
        _unordered(source, plan, y, columns, value),
        Sql(f" ORDER BY {ordering} LIMIT ?", (plan.limit,)),
    )


def _unordered(source: Source, plan: Plan, y: int, columns: str, value: str) -> Sql:
    """The same without order and limit; `value` is what the order compares."""
    tests = [*source.of_row, *conditions(plan.tests, y)]
    of_row = columns or tests or value in _VALUES_OF_ROW
    return sql(
        Sql(f"SELECT {columns or f'{value} AS v, {source.ordinal} AS n'} FROM "),
        source.lead,
        *([_JOIN] if source.leads and of_row else []),
        Sql(" WHERE "),
        every([source.where, *_behind(source, plan, value), *tests]),
    )


def _behind(source: Source, plan: Plan, value: str) -> list[Sql]:
    """The window and `after`. In the order of the index they make one range, which is sought."""
    after, (low, high) = plan.after, source.window
    if after is None:
        return _window(source, low, high)
    sign = "<" if plan.order.descending else ">"
    if plan.order.by is By.ORDINAL:
        return [*_window(source, low, high), Sql(f"{source.ordinal} {sign} ?", (after.ordinal,))]
    behind = Sql(f"({value}, {source.ordinal}) {sign} (?, ?)", tuple(after))
    if source.order is not plan.order.by or isinstance(after.value, str):
        return [*_window(source, low, high), behind]
    if plan.order.descending and after.value <= high:
        return [*_window(source, low, LATEST), behind]
    if not plan.order.descending and after.value >= low:
        return [*_window(source, EARLIEST, high), behind]
    return _window(source, low, high)


def _window(source: Source, low: int, high: int) -> list[Sql]:
    bounds = []
    if low > EARLIEST:
        bounds.append(Sql(f"{source.value} >= ?", (low,)))
    if high < LATEST:
        bounds.append(Sql(f"{source.value} <= ?", (high,)))
    return bounds
