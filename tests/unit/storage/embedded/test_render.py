"""Each shape of plan begins at the index it should, and sorts only where no index has the order."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from fhir_server.storage.embedded import history, schema
from fhir_server.storage.embedded.pieces import Sql
from fhir_server.storage.embedded.render import VERSION_COLUMNS, counted, matches
from fhir_server.storage.query import (
    LONG,
    By,
    Driver,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyIn,
    KeyIs,
    Not,
    Order,
    Plan,
    UpdatedIn,
)
from fhir_server.storage.versions import LATEST, HistoryPosition, Position
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
