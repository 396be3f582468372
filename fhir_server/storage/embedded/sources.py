"""Where a plan begins: the index that its driver leads to, as SQL.

A source yields ordinals of live versions, each once. Where its index runs in the plan's order, its
rows come so; where not, it is a set.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from fhir_server.storage.embedded.conditions import in_interval
from fhir_server.storage.embedded.listed import among, has_values
from fhir_server.storage.embedded.packing import askable, stored
from fhir_server.storage.embedded.pieces import ALWAYS, NEVER, Sql, every, sql
from fhir_server.storage.query import (
    LONG,
    By,
    Driver,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyHas,
    KeyIn,
    KeyIs,
    UpdatedIn,
)
from fhir_server.storage.versions import EARLIEST, LATEST

_RUNS: Final = 16
"""A driver of more terms than this is looked up as one set, without order."""


@dataclass(frozen=True, slots=True)
class Source:
    """Rows to begin with: each live version that the driver allows, once."""

    lead: Sql
    """`resources r` by one of its indexes, or an index `k` that leads to it."""
    where: Sql
    of_row: tuple[Sql, ...] = ()
    """What the driver asks of `r` itself, where `k` leads."""
    order: By | None = None
    """The order in which rows come, by the two columns that follow."""
    value: str = "r.n"
    ordinal: str = "r.n"
    window: tuple[int, int] = (EARLIEST, LATEST)
    """What the order's value lies in, ends included."""
    ordinals: Sql | None = None
    """The same as a query of ordinals, for what comes in no order."""

    @property
    def leads(self) -> bool:
        return self.ordinal == "k.n"


def sources_of(driver: Driver | None, y: int, by: By) -> list[Source]:
    """As few as can be, or one for each of a few terms where each comes in the plan's order."""
    if isinstance(driver, KeyIs) and by is By.ORDINAL and len(driver.keys) <= _RUNS:
        runs: list[Driver] = [KeyIs((key,)) for key in dict.fromkeys(driver.keys)]
    elif isinstance(driver, DriverIs) and by is By.START and len(driver.drivers) <= _RUNS:
        runs = [
            DriverIs((term,), part.start, part.end)
            for part in _dated_parts(driver)
            for term in dict.fromkeys(part.drivers)
        ]
    else:
        runs = []
    return [source_of(each, y, by) for each in runs or parts_of(driver)]


def parts_of(driver: Driver | None) -> Sequence[Driver | None]:
    """Drivers that together say the same and have no version in common."""
    return _dated_parts(driver) if isinstance(driver, DriverIs) else [driver]


def _dated_parts(driver: DriverIs) -> list[DriverIs]:
    """The short dates and the long ones, which have no version in common.

    A lower bound on the end says nothing of where a date begins, unless it is short.
    """
    (low, high), border = driver.start, driver.end[0] - LONG
    if not driver.long or border < low:
        return [driver]
    short = DriverIs(driver.drivers, (border + 1, high), driver.end)
    return [short, DriverIs(driver.long, (low, min(high, border)), driver.end)]


def source_of(driver: Driver | None, y: int, by: By) -> Source:
    """What one driver leads to; of every live version, in the order wanted if there is an index."""
    if driver is None:
        return _everything(y, by)
    return _SOURCES[type(driver)](driver, y)


def _everything(y: int, by: By) -> Source:
    if by is By.UPDATED:
        return _updated_in(UpdatedIn(), y)
    if by is By.ID:
        lead = Sql("resources r INDEXED BY resources_id")
        return Source(lead, _live(y), order=By.ID, value="r.id")
    return Source(Sql("resources r INDEXED BY resources_live"), _live(y), order=By.ORDINAL)


def _live(y: int) -> Sql:
    """What the indexes do not show yet is not shown by another way either."""
    return Sql("r.y = ? AND r.live = 1 AND r.n NOT IN unindexed", (y,))


def _updated_in(driver: UpdatedIn, y: int) -> Source:
    return Source(
        Sql("resources r INDEXED BY resources_updated"),
        _live(y),
        order=By.UPDATED,
        value="r.updated",
        window=(driver.low, driver.high - 1),
    )


def _id_is(driver: IdIs, y: int) -> Source:
    ids = askable(driver.ids)
    if not ids:
        return Source(Sql("resources r INDEXED BY resources_live"), every([_live(y), NEVER]))
    return Source(
        Sql("resources r INDEXED BY resources_id"),
        every([_live(y), among("r.id", ids)]),
    )


def _key_is(driver: KeyIs, y: int) -> Source:
    if len(driver.keys) != 1:
        return _set("keys", sql(Sql("x.y = ? AND ", (y,)), among("x.t", stored(driver.keys))))
    chosen = Sql("k.y = ? AND k.t = ?", (y, *stored(driver.keys)))
    return Source(Sql("keys k"), chosen, order=By.ORDINAL, value="k.n", ordinal="k.n")


def _key_in(driver: KeyIn, y: int) -> Source:
    return _set(
        "keys", Sql("x.y = ? AND x.t >= ? AND x.t < ?", (y, *stored((driver.low, driver.high))))
    )


def _key_has(driver: KeyHas, y: int) -> Source:
    chosen = "x.y = ? AND x.t >= ? AND x.t < ? AND instr(substr(x.t, ?), ?) > 0"
    return _set("keys", Sql(chosen, (y, *has_values(driver))))


def _driver_is(driver: DriverIs, y: int) -> Source:
    open_end = driver.end == (EARLIEST, LATEST)
    ends = () if open_end else (Sql("r.stop BETWEEN ? AND ?", driver.end),)
    if len(driver.drivers) != 1:
        chosen = sql(
            Sql("x.y = ? AND ", (y,)),
            among("x.t", driver.drivers),
            Sql(" AND x.start BETWEEN ? AND ?", driver.start),
        )
        return _set("drivers", chosen, ends)
    return Source(
        Sql("drivers k"),
        Sql("k.y = ? AND k.t = ?", (y, driver.drivers[0])),
        ends,
        order=By.START,
        value="k.start",
        ordinal="k.n",
        window=driver.start,
    )


def _interval_is(driver: IntervalIs, y: int) -> Source:
    return _set("intervals", in_interval(driver, y))


def _set(table: str, chosen: Sql, of_row: tuple[Sql, ...] = ()) -> Source:
    """What some row `x` of an index leads to, once each and in no order."""
    distinct = sql(Sql(f"(SELECT DISTINCT x.n AS n FROM {table} x WHERE "), chosen, Sql(") k"))
    ordinals = sql(Sql(f"SELECT x.n FROM {table} x WHERE "), chosen)
    return Source(distinct, ALWAYS, of_row, ordinal="k.n", ordinals=ordinals)


_SOURCES = cast(
    "dict[type, Callable[[Driver, int], Source]]",
    {
        KeyIs: _key_is,
        KeyIn: _key_in,
        KeyHas: _key_has,
        DriverIs: _driver_is,
        IntervalIs: _interval_is,
        IdIs: _id_is,
        UpdatedIn: _updated_in,
    },
)
