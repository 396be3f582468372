"""Each shape of plan begins at the index it should, and sorts only where no index has the order."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from random import Random

import pytest
from msgspec.structs import replace

from fhir_server.storage.base import DeadlineExceeded
from fhir_server.storage.embedded import history, schema
from fhir_server.storage.embedded.pieces import Sql
from fhir_server.storage.embedded.render import VERSION_COLUMNS, counted, keys_of, matches
from fhir_server.storage.query import (
    LONG,
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
    UpdatedIn,
)
from fhir_server.storage.versions import KEY_BYTES, LATEST, HistoryPosition, Position
from tests.support.random_versions import random_plan
from tests.support.version_making import key

Y = 1
SORT = "USE TEMP B-TREE FOR ORDER BY"
KEY, MANY = key(1), tuple(map(key, range(40)))
CODE, ID, UPDATED = KeyIs((KEY,)), IdIs(frozenset("ab")), UpdatedIn(5, 9)
WINDOW = DriverIs((KEY,), (5, LATEST))


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = schema.connect(":memory:")
    connection.executescript(schema.TABLES)
    yield connection
    connection.close()


def steps(connection: sqlite3.Connection, statement: Sql) -> list[str]:
    explained = connection.execute(f"EXPLAIN QUERY PLAN {statement.text}", statement.values)
    return [row[3] for row in explained]


IN_ORDER: list[tuple[Driver | None, By, str]] = [
    (None, By.ORDINAL, "SEARCH r USING INDEX resources_live (y=?"),
    (None, By.UPDATED, "SEARCH r USING INDEX resources_updated (y=?"),
    (UPDATED, By.UPDATED, "SEARCH r USING INDEX resources_updated (y=? AND updated"),
    (CODE, By.ORDINAL, "SEARCH k USING PRIMARY KEY (y=? AND t=?"),
    (WINDOW, By.START, "SEARCH k USING PRIMARY KEY (y=? AND t=? AND "),
]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("after", [None, Position(7, 7)])
@pytest.mark.parametrize(("driver", "by", "index"), IN_ORDER)
def test_an_index_in_the_order_of_the_plan_is_read_without_sorting(
    connection: sqlite3.Connection,
    driver: Driver | None,
    by: By,
    index: str,
    after: Position | None,
    *,
    descending: bool,
) -> None:
    tests = (Not(KeyIs((key(2),))), WINDOW)
    plan = Plan("A", driver, tests, Order(by, descending), after)
    done = steps(connection, matches(plan, Y, VERSION_COLUMNS))
    assert done[0].startswith(index)
    assert not any(SORT in step for step in done)
    if after:
        assert "<" in done[0] or ">" in done[0]


SETS = (
    KeyIs(MANY),
    KeyIn("a", "b"),
    KeyIn(key(1), key(9)),
    KeyHas("ab", "c"),
    IntervalIs((1, 1), (5, 9)),
    DriverIs(MANY),
)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("after", [None, Position(7, 7)])
@pytest.mark.parametrize("driver", SETS)
def test_a_set_is_read_in_order_of_ordinal_without_sorting(
    connection: sqlite3.Connection, driver: Driver, after: Position | None, *, descending: bool
) -> None:
    plan = Plan("A", driver, (Not(KeyIs((key(2),))),), Order(descending=descending), after)
    done = steps(connection, matches(plan, Y, VERSION_COLUMNS))
    assert done[0] == "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"
    assert done[1].startswith("LIST SUBQUERY")
    assert not any(SORT in step for step in done), done


SORTED: list[tuple[Driver, By, str]] = [
    (CODE, By.START, "SEARCH k USING PRIMARY KEY (y=? AND t=?)"),
    (CODE, By.UPDATED, "SEARCH k USING PRIMARY KEY (y=? AND t=?)"),
    (KeyIs(MANY), By.ORDINAL, "SEARCH x USING PRIMARY KEY (y=? AND t=?)"),
    (KeyIn("a", "b"), By.ORDINAL, "SEARCH x USING PRIMARY KEY (y=? AND t>? AND t<?)"),
    (KeyIn(key(1), key(9)), By.START, "SEARCH x USING PRIMARY KEY (y=? AND t>? AND t<?)"),
    (DriverIs(MANY), By.START, "SEARCH x USING PRIMARY KEY (y=? AND t=?"),
    (WINDOW, By.ORDINAL, "SEARCH k USING PRIMARY KEY (y=? AND t=? AND start>?)"),
    (IntervalIs((1, 1), (5, 9)), By.ORDINAL, "SEARCH x USING PRIMARY KEY (y=? AND t>? AND t<?)"),
    (ID, By.ORDINAL, "SEARCH r USING INDEX resources_id (y=? AND id=?)"),
    (UPDATED, By.ORDINAL, "SEARCH r USING INDEX resources_updated (y=? AND updated>?"),
]


@pytest.mark.parametrize(("driver", "by", "index"), SORTED)
def test_every_driver_begins_at_its_index(
    connection: sqlite3.Connection, driver: Driver, by: By, index: str
) -> None:
    plan = Plan("A", driver, (KeyIs((key(2),)),), Order(by))
    for statement in (matches(plan, Y, VERSION_COLUMNS), counted(plan, Y, 10)):
        done = steps(connection, statement)
        assert any(step.startswith(index) for step in done), done


@pytest.mark.parametrize(
    ("driver", "by"),
    [(KeyIs((KEY, key(2))), By.ORDINAL), (DriverIs((KEY, key(2)), (5, 9)), By.START)],
)
def test_a_few_terms_are_runs_that_end_at_the_limit(
    connection: sqlite3.Connection, driver: Driver, by: By
) -> None:
    plan = Plan("A", driver, (KeyIs((key(3),)),), Order(by), Position(7, 7))
    done = steps(connection, matches(plan, Y, VERSION_COLUMNS))
    runs = [step for step in done if step.startswith("SEARCH k USING PRIMARY KEY (y=? AND t=? AND")]
    assert len(runs) == 2
    assert "MERGE (UNION)" in done


@pytest.mark.parametrize("order", [Order(By.START), Order(By.START, descending=True)])
@pytest.mark.parametrize("after", [None, Position(7, 7)])
def test_short_and_long_dates_of_one_term_are_merged_as_they_come(
    connection: sqlite3.Connection, order: Order, after: Position | None
) -> None:
    driver = DriverIs((KEY,), end=(5 * LONG, LATEST), long=(key(2),))
    plan = Plan("A", driver, (KeyIs((key(3),)),), order, after)
    done = steps(connection, matches(plan, Y, VERSION_COLUMNS))
    runs = [step for step in done if step.startswith("SEARCH k USING PRIMARY KEY (y=? AND t=? AND")]
    assert len(runs) == 2
    assert "MERGE (UNION ALL)" in done
    assert not any("TEMP B-TREE" in step for step in done), done


def test_no_random_plan_reads_a_whole_table(connection: sqlite3.Connection) -> None:
    random = Random(1)
    for _ in range(400):
        plan = random_plan(random)
        for statement in (matches(plan, Y, "r.id"), counted(plan, Y, -1)):
            for step in steps(connection, statement):
                whole = step.startswith("SCAN ") and "VIRTUAL TABLE" not in step
                assert not whole or step in _PASSES, (step, statement)


_PASSES = {
    *("SCAN a", "SCAN c", "SCAN k", "SCAN l", "SCAN p", "SCAN x", "SCAN CONSTANT ROW"),
    *(f"SCAN (subquery-{number})" for number in range(200)),
}
"""Not of tables: of lists in the query itself and of subqueries, whose own steps are looked at."""


@pytest.mark.parametrize("test", [CODE, KeyIs(MANY), WINDOW])
def test_a_test_of_a_candidate_is_one_seek(connection: sqlite3.Connection, test: Driver) -> None:
    done = steps(connection, matches(Plan("A", None, (test,)), Y, "r.id"))
    assert any("SEARCH x USING PRIMARY KEY (y=? AND t=? AND" in step for step in done), done


def test_counting_by_one_index_looks_at_no_row(connection: sqlite3.Connection) -> None:
    for driver in (CODE, KeyIs(MANY), KeyIn("a", "b"), WINDOW, IntervalIs((1, 1))):
        done = steps(connection, counted(Plan("A", driver), Y, -1))
        assert not any(" r " in step for step in done), done


def test_keys_that_many_matches_share_are_selected_once(connection: sqlite3.Connection) -> None:
    """However many versions have the one key that is looked for, beside others."""
    shared, other, across = key(7)[:-1] + b"\7", b"\xff" * KEY_BYTES, b"\1" * 8 + key(7)[:8]
    lists = {1: [key(3), shared], 2: [shared, other], 3: [key(4), other], 4: [shared, key(8)]}
    lists |= {n: [key(n), shared] for n in range(20, 30)}
    lists |= {5: [across, key(7)[8:] + bytes(8)]}
    for n, keys in lists.items():
        connection.execute(
            "INSERT INTO resources (n, y, id, live, number, updated, method, start, stop, keys,"
            " texts, drivers, spans) VALUES (?, ?, ?, 1, 1, 1, 'POST', 0, 0, ?, '[]', '', '')",
            (n, Y, str(n), b"".join(keys)),
        )
    found = connection.execute(*keys_of(Plan("A"), Y, shared)).fetchall()
    assert sorted(found) == [(shared,), (b"".join(lists[5]),)]
    found = connection.execute(*keys_of(Plan("A"), Y, key(7)[:-1])).fetchall()
    assert (b"".join(lists[4]),) in found


ALTERNATIVES: dict[str, Callable[[int], Driver]] = {
    "keys": lambda at: KeyIs((key(at), f"t{at}")),
    "ids": lambda at: IdIs(frozenset({f"id-{at}"})),
    "intervals": lambda at: IntervalIs((at, at), (at, at + 1)),
    "intervals of several keys": lambda at: IntervalIs((at, at + 1)),
    "ranges of bytes": lambda at: KeyIn(key(2 * at), key(2 * at + 1)),
    "ranges of texts": lambda at: KeyIn(f"t{at:04}", f"t{at:04}z"),
    "parts of texts": lambda at: KeyHas(f"t{at:04}", "x"),
    "moments": lambda at: UpdatedIn(2 * at, 2 * at + 1),
}


def any_of(kind: str, size: int) -> AnyOf:
    """Alternatives of a kind, some of them together in one of their own."""
    tests = [ALTERNATIVES[kind](at) for at in range(size)]
    return AnyOf((AnyOf(tuple(tests[:2])), *tests[2:]))


@pytest.mark.parametrize("kind", ALTERNATIVES)
def test_the_text_of_a_statement_does_not_depend_on_how_many_alternatives_there_are(
    kind: str,
) -> None:
    def texts(sizes: range) -> set[str]:
        plans = [Plan("A", None, (any_of(kind, size),)) for size in sizes]
        return {matches(plan, Y, "r.id").text for plan in plans}

    assert len(texts(range(100, 3000, 700))) == 1
    assert len(texts(range(2, 3000, 50))) <= 8


@pytest.mark.parametrize(
    ("kind", "index"),
    [
        ("intervals", "SEARCH x USING PRIMARY KEY (y=? AND t>? AND t<?)"),
        ("intervals of several keys", "SEARCH x USING PRIMARY KEY (y=? AND t>? AND t<?)"),
        ("ranges of bytes", "SEARCH x USING PRIMARY KEY (y=? AND t>? AND t<?)"),
        ("ranges of texts", "SEARCH x USING PRIMARY KEY (y=? AND t>? AND t<?)"),
        ("parts of texts", "SEARCH x USING PRIMARY KEY (y=? AND t>? AND t<?)"),
        ("keys", "SEARCH x USING PRIMARY KEY (y=? AND t=?)"),
        ("ids", "SEARCH r USING INDEX resources_id (y=? AND id=?)"),
    ],
)
def test_each_of_many_alternatives_is_sought_in_its_index(
    connection: sqlite3.Connection, kind: str, index: str
) -> None:
    test = any_of(kind, 200)
    drive = IdIs(frozenset(map(str, range(200)))) if kind == "ids" else None
    for statement in (
        matches(Plan("A", drive, (test,)), Y, VERSION_COLUMNS),
        matches(Plan("A", drive or CODE, (test,)), Y, VERSION_COLUMNS),
        counted(Plan("A", drive, (test,)), Y, -1),
    ):
        done = steps(connection, statement)
        assert index in done, done
        assert not any(step.startswith("SCAN r") for step in done), done


@pytest.mark.parametrize("kind", ALTERNATIVES)
def test_ten_times_two_hundred_alternatives_are_prepared_at_once(
    connection: sqlite3.Connection, kind: str
) -> None:
    plan = Plan("A", KeyIs(MANY[:16]), (any_of(kind, 200),) * 10)
    statement = matches(plan, Y, VERSION_COLUMNS)
    began = time.perf_counter()
    connection.execute(f"EXPLAIN {statement.text}", statement.values).fetchall()
    assert time.perf_counter() - began < 0.2


def test_a_plan_too_long_to_be_prepared_in_time_is_not_begun() -> None:
    for size in (10, 50):
        tests = (IntervalIs((1, 1)),) * size
        assert len(matches(Plan("A", KeyIs(MANY[:16]), tests), Y, "r.id").text) < 40_000
    endless = Plan("A", None, (IntervalIs((1, 1)),) * 10_000)
    with pytest.raises(DeadlineExceeded):
        matches(endless, Y, "r.id")
    with pytest.raises(DeadlineExceeded):
        counted(endless, Y, -1)


@pytest.mark.parametrize("by", list(By))
@pytest.mark.parametrize("size", [1, 3, 40])
def test_a_lower_bound_on_the_end_is_one_on_the_start_of_what_is_short(
    connection: sqlite3.Connection, by: By, size: int
) -> None:
    copies = tuple(map(key, range(100, 100 + size)))
    drive = DriverIs(MANY[:size], (5, LATEST), (LONG * 3, LATEST), copies)
    plan = Plan("A", drive, (), Order(by))
    bound = "(y=? AND t=? AND start>? AND start<?)"
    both = {LONG * 2 + 1, LONG * 2}
    for statement in (matches(plan, Y, "r.id"), counted(plan, Y, -1)):
        assert both < set(statement.values)
        done = steps(connection, statement)
        assert any(bound in step for step in done), done
        assert not any("(y=? AND t=?)" in step for step in done), done


def test_the_text_of_a_statement_does_not_depend_on_its_values() -> None:
    plans = [
        Plan("A", KeyIs((key(at),)), (KeyIs((f"t{at}", key(at))), WINDOW), limit=at)
        for at in range(1, 4)
    ]
    assert len({matches(plan, Y, "r.id").text for plan in plans}) == 1
    long_lists = [Plan("A", KeyIs(tuple(map(key, range(size))))) for size in (100, 5000)]
    assert len({matches(plan, Y, "r.id").text for plan in long_lists}) == 1


@pytest.mark.parametrize("after", [None, HistoryPosition(7, 7, 7)])
def test_histories_come_in_order_from_their_indexes(
    connection: sqlite3.Connection, after: HistoryPosition | None
) -> None:
    wanted = history.Selection(5, (1, 9), after, 50)
    for statement in (history.of_types([1], wanted), history.of_types(range(1, 150), wanted)):
        done = steps(connection, statement)
        assert not any(SORT in step for step in done)
        searches = [step for step in done if step.startswith("SEARCH")]
        assert all(
            "resources_updated (y=? AND updated" in step
            or "history_updated (y=? AND updated" in step
            or "INTEGER PRIMARY KEY" in step
            for step in searches
        )
    done = steps(connection, history.of_instance(Y, "a", wanted))
    assert not any(step.startswith("SCAN") for step in done)


def test_reading_on_behind_a_position_begins_there(connection: sqlite3.Connection) -> None:
    plan = Plan("A", WINDOW, (), Order(By.START), Position(7, 7))
    for inside in (plan, replace(plan, order=Order(By.START, descending=True))):
        (first, *_) = steps(connection, matches(inside, Y, "r.id"))
        assert "(start,n)" in first
