"""A plan as one SQL statement.

The driver says which index leads; every other test is a condition on the row of `resources`
that its ordinal leads to. Where the leading index already runs in the plan's order, rows are
taken as they come; otherwise the first `limit` are chosen by order and ordinal alone and their
content is read afterwards. A driver of a few terms is a union of as many ordered runs, each no
longer than the limit; a driver of many is one set.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import cast

from fhir_server.storage.embedded.conditions import (
    NEVER,
    Sql,
    among,
    condition,
    every,
    in_intervals,
    sql,
)
from fhir_server.storage.query import (
    By,
    Driver,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyIn,
    KeyIs,
    Plan,
    UpdatedIn,
)
from fhir_server.storage.versions import EARLIEST, LATEST

VERSION_COLUMNS = "r.id, r.number, r.n, r.updated, r.method, r.content"

_RUNS = 8
"""A driver of more terms than this is looked up as one set, without order."""

_VALUES = {By.ORDINAL: "r.n", By.START: "r.start", By.UPDATED: "r.updated"}


@dataclass(frozen=True, slots=True)
class _Source:
    """Rows to begin with: each live version that the driver allows, once, as `r`."""

    tables: Sql
    where: Sql
    order: By | None = None
    """The order in which they come, by the two columns that follow."""
    value: str = "r.n"
    ordinal: str = "r.n"
    window: tuple[int, int] = (EARLIEST, LATEST)
    """What the order's value lies in, ends included."""


def matches(plan: Plan, y: int, columns: str) -> Sql:
    """Select columns of `r` of the matches behind `after`, in order, at most `plan.limit`."""
    sources = _sources(plan.drive, y, plan.order.by)
    if len(sources) == 1 and sources[0].order is plan.order.by:
        return _run(sources[0], plan, y, columns)
    return _chosen_first(sources, plan, y, columns)


def counted(plan: Plan, y: int, most: int) -> Sql:
    """Count the matches whatever `after` says, no further than `most` (negative: all)."""
    source = _source(plan.drive, y, By.ORDINAL)
    tests = [condition(test, y) for test in plan.tests]
    return sql(
        Sql("SELECT count(*) FROM (SELECT 1 FROM "),
        source.tables,
        Sql(" WHERE "),
        every([source.where, *_window(source, *source.window), *tests]),
        Sql(" LIMIT ?)", (most,)),
    )


def _chosen_first(sources: list[_Source], plan: Plan, y: int, columns: str) -> Sql:
    down = " DESC" if plan.order.descending else ""
    pair = f"{_VALUES[plan.order.by]} AS v, r.n AS n"
    runs = [sql(Sql("SELECT v, n FROM ("), _run(each, plan, y, pair), Sql(")")) for each in sources]
    pieces = [runs[0]]
    for run in runs[1:]:
        pieces += [Sql(" UNION "), run]
    if len(runs) > 1:
        pieces.append(Sql(f" ORDER BY v{down}, n{down} LIMIT ?", (plan.limit,)))
    return sql(
        Sql(f"SELECT {columns} FROM ("),
        *pieces,
        Sql(f") p CROSS JOIN resources r ON r.n = p.n ORDER BY p.v{down}, p.n{down}"),
    )


def _run(source: _Source, plan: Plan, y: int, columns: str) -> Sql:
    """The matches of one source in the plan's order: as they come, or sorted."""
    by = plan.order.by
    value, ordinal = (source.value, source.ordinal) if source.order is by else (_VALUES[by], "r.n")
    down = " DESC" if plan.order.descending else ""
    ordering = f"{value}{down}" if by is By.ORDINAL else f"{value}{down}, {ordinal}{down}"
    tests = [condition(test, y) for test in plan.tests]
    return sql(
        Sql(f"SELECT {columns} FROM "),
        source.tables,
        Sql(" WHERE "),
        every([source.where, *_behind(source, plan, value, ordinal), *tests]),
        Sql(f" ORDER BY {ordering} LIMIT ?", (plan.limit,)),
    )


def _behind(source: _Source, plan: Plan, value: str, ordinal: str) -> list[Sql]:
    """The window and `after`. In the order of the index they make one range, which is sought."""
    after = plan.after
    if after is None:
        return _window(source, *source.window)
    sign = "<" if plan.order.descending else ">"
    if plan.order.by is By.ORDINAL:
        return [*_window(source, *source.window), Sql(f"{ordinal} {sign} ?", (after.ordinal,))]
    behind = Sql(f"({value}, {ordinal}) {sign} (?, ?)", tuple(after))
    if source.order is not plan.order.by:
        return [*_window(source, *source.window), behind]
    low, high = source.window
    if plan.order.descending and after.value <= high:
        return [*_window(source, low, LATEST), behind]
    if not plan.order.descending and after.value >= low:
        return [*_window(source, EARLIEST, high), behind]
    return _window(source, low, high)


def _window(source: _Source, low: int, high: int) -> list[Sql]:
    bounds = []
    if low > EARLIEST:
        bounds.append(Sql(f"{source.value} >= ?", (low,)))
    if high < LATEST:
        bounds.append(Sql(f"{source.value} <= ?", (high,)))
    return bounds


def _sources(driver: Driver | None, y: int, by: By) -> list[_Source]:
    """One source, or one for each of a few terms where each comes in the plan's order."""
    if isinstance(driver, KeyIs) and by is By.ORDINAL and 1 < len(driver.keys) <= _RUNS:
        return [_source(KeyIs((key,)), y, by) for key in dict.fromkeys(driver.keys)]
    if isinstance(driver, DriverIs) and by is By.START and 1 < len(driver.drivers) <= _RUNS:
        terms = dict.fromkeys(driver.drivers)
        return [_source(DriverIs((term,), driver.start, driver.end), y, by) for term in terms]
    return [_source(driver, y, by)]


def _source(driver: Driver | None, y: int, by: By) -> _Source:
    if driver is None:
        return _everything(y, by)
    return _SOURCES[type(driver)](driver, y)


def _everything(y: int, by: By) -> _Source:
    if by is By.UPDATED:
        return _updated_in(UpdatedIn(), y)
    return _Source(
        Sql("resources r INDEXED BY resources_live"),
        _live(y),
        By.ORDINAL,
    )


def _live(y: int) -> Sql:
    return Sql("r.y = ? AND r.content IS NOT NULL", (y,))


def _updated_in(driver: UpdatedIn, y: int) -> _Source:
    return _Source(
        Sql("resources r INDEXED BY resources_updated"),
        _live(y),
        By.UPDATED,
        "r.updated",
        window=(driver.low, driver.high - 1),
    )


def _id_is(driver: IdIs, y: int) -> _Source:
    if not driver.ids:
        return _Source(Sql("resources r INDEXED BY resources_live"), every([_live(y), NEVER]))
    return _Source(
        Sql("resources r INDEXED BY resources_id"),
        sql(
            Sql("r.y = ? AND ", (y,)), among("r.id", driver.ids), Sql(" AND r.content IS NOT NULL")
        ),
    )


def _key_is(driver: KeyIs, y: int) -> _Source:
    if len(driver.keys) != 1:
        return _set("keys", sql(Sql("x.y = ? AND ", (y,)), among("x.t", driver.keys)))
    return _Source(
        Sql("keys k CROSS JOIN resources r ON r.n = k.n"),
        Sql("k.y = ? AND k.t = ?", (y, driver.keys[0])),
        By.ORDINAL,
        "k.n",
        "k.n",
    )


def _key_in(driver: KeyIn, y: int) -> _Source:
    return _set("keys", Sql("x.y = ? AND x.t >= ? AND x.t < ?", (y, driver.low, driver.high)))


def _driver_is(driver: DriverIs, y: int) -> _Source:
    ends = _ends(driver)
    if len(driver.drivers) != 1:
        chosen = sql(
            Sql("x.y = ? AND ", (y,)),
            among("x.t", driver.drivers),
            Sql(" AND x.start BETWEEN ? AND ?", driver.start),
        )
        return _set("drivers", chosen, ends)
    return _Source(
        Sql("drivers k CROSS JOIN resources r ON r.n = k.n"),
        every([Sql("k.y = ? AND k.t = ?", (y, driver.drivers[0])), *ends]),
        By.START,
        "k.start",
        "k.n",
        driver.start,
    )


def _ends(driver: DriverIs) -> list[Sql]:
    if driver.end == (EARLIEST, LATEST):
        return []
    return [Sql("r.stop BETWEEN ? AND ?", driver.end)]


def _interval_is(driver: IntervalIs, y: int) -> _Source:
    return _set("intervals", in_intervals(driver, y))


def _set(table: str, chosen: Sql, tests: Collection[Sql] = ()) -> _Source:
    """The rows that some row `x` of an index leads to, once each and in no order."""
    return _Source(
        sql(
            Sql(f"(SELECT DISTINCT x.n AS n FROM {table} x WHERE "),
            chosen,
            Sql(") k CROSS JOIN resources r ON r.n = k.n"),
        ),
        every(list(tests)),
    )


_SOURCES = cast(
    "dict[type, Callable[[Driver, int], _Source]]",
    {
        KeyIs: _key_is,
        KeyIn: _key_in,
        DriverIs: _driver_is,
        IntervalIs: _interval_is,
        IdIs: _id_is,
        UpdatedIn: _updated_in,
    },
)
