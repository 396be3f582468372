"""Histories: the current and the superseded versions of a scope, merged newest first.

https://hl7.org/fhir/R4/http.html#history

Each table runs in the order asked for by its own index, so that a page costs what it shows.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_server.storage.embedded.pieces import Sql, every, joined, sql
from fhir_server.storage.versions import HistoryPosition


@dataclass(frozen=True, slots=True)
class Selection:
    """Which versions of the scope are wanted."""

    since: int | None
    at: tuple[int, int] | None
    after: HistoryPosition | None
    limit: int


def of_instance(y: int, id_: str, wanted: Selection) -> Sql:
    current = _current("resources_id", Sql("r.y = ? AND r.id = ?", (y, id_)), wanted)
    superseded = sql(
        Sql(f"SELECT {_SUPERSEDED} FROM resources r INDEXED BY resources_id"),
        Sql(" CROSS JOIN history h INDEXED BY history_version ON h.n = r.n WHERE "),
        every([Sql("r.y = ? AND r.id = ?", (y, id_)), *_conditions("h", wanted)]),
    )
    return _merged([current, superseded], wanted)


def of_types(types: Sequence[int], wanted: Selection) -> Sql:
    """The history of all these types together; at least one."""
    runs = []
    for y in types:
        runs.append(_current("resources_updated", Sql("r.y = ?", (y,)), wanted))
        runs.append(
            sql(
                Sql(f"SELECT {_SUPERSEDED} FROM history h INDEXED BY history_updated"),
                Sql(" CROSS JOIN resources r ON r.n = h.n WHERE "),
                every([Sql("h.y = ?", (y,)), *_conditions("h", wanted)]),
            )
        )
    return _merged(runs, wanted)


_CURRENT = "r.id, r.number, r.n, r.updated, r.method, r.content, r.y"
_SUPERSEDED = "r.id, h.number, h.n, h.updated, h.method, h.content, h.y"


def _current(index: str, scope: Sql, wanted: Selection) -> Sql:
    return sql(
        Sql(f"SELECT {_CURRENT} FROM resources r INDEXED BY {index} WHERE "),
        every([scope, *_conditions("r", wanted)]),
    )


def _conditions(table: str, wanted: Selection) -> list[Sql]:
    conditions = []
    if wanted.since is not None:
        conditions.append(Sql(f"{table}.updated >= ?", (wanted.since,)))
    if wanted.at is not None:
        first, last = wanted.at
        conditions.append(Sql(f"{table}.updated <= ?", (last,)))
        if table == "h":
            conditions.append(Sql("h.superseded > ?", (first,)))
    if wanted.after is not None:
        row = f"({table}.updated, {table}.n, {table}.number)"
        conditions.append(Sql(f"{row} < (?, ?, ?)", tuple(wanted.after)))
    return conditions


def _merged(runs: Sequence[Sql], wanted: Selection) -> Sql:
    newest = Sql(" ORDER BY 4 DESC, 3 DESC, 2 DESC LIMIT ?", (wanted.limit,))
    return sql(joined(" UNION ALL ", runs), newest)
