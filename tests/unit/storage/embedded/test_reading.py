"""Deadlines: a long query leaves the event loop soon, and ends when its time or its caller ends."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_server.storage.base import DeadlineExceeded
from fhir_server.storage.embedded import EmbeddedStore
from fhir_server.storage.embedded.pieces import Sql
from fhir_server.storage.embedded.timed import Deadline, Timed
from fhir_server.storage.query import AnyOf, KeyIn, Not, Plan
from tests.support.version_making import TYPE, created, key, keyed

pytestmark = pytest.mark.anyio

FOREVER = Sql(
    "WITH RECURSIVE a(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM a) SELECT max(i) FROM a"
)
DEADLINE = 0.3


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(str(tmp_path / "store.db"), deadline=DEADLINE)
    await store.open()
    await store.commit([created(f"id-{n}", keyed(key(n))) for n in range(2000)])
    yield store
    await store.close()


async def longest_pause(seconds: float) -> float:
    """How long the event loop was held up at worst, over some time."""
    longest, until = 0.0, time.monotonic() + seconds
    while (before := time.monotonic()) < until:
        await asyncio.sleep(0)
        longest = max(longest, time.monotonic() - before)
    return longest


async def test_a_query_ends_at_its_deadline(store: EmbeddedStore) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await store.query(FOREVER)
    assert DEADLINE <= time.monotonic() - began < DEADLINE + 1


async def test_a_plan_that_takes_too_long_ends_at_the_deadline(store: EmbeddedStore) -> None:
    slow = AnyOf(tuple(Not(KeyIn(key(0), key(n))) for n in range(10_000, 10_400)))
    with pytest.raises(DeadlineExceeded):
        await store.count(Plan(TYPE, None, (AnyOf((Not(slow), Not(slow))),)))


async def test_a_long_query_does_not_hold_up_the_event_loop(store: EmbeddedStore) -> None:
    query = asyncio.create_task(store.query(FOREVER))
    await asyncio.sleep(0)
    assert await longest_pause(DEADLINE / 2) < 0.15
    with pytest.raises(DeadlineExceeded):
        await query


async def test_queries_of_a_slow_form_are_tried_on_the_loop_less_and_less(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Sql] = []
    rows = Timed.rows

    def noting(timed: Timed, statement: Sql, deadline: Deadline) -> object:
        if threading.current_thread() is threading.main_thread():
            tried.append(statement)
        return rows(timed, statement, deadline)

    monkeypatch.setattr(Timed, "rows", noting)
    slow = Sql(FOREVER.text.replace("FROM a)", "FROM a WHERE i < 30000)"))
    for _ in range(20):
        assert await store.query(slow) == [(30_000,)]
    assert len(tried) <= 5


async def test_a_query_whose_caller_is_gone_ends_soon(store: EmbeddedStore) -> None:
    queries = [asyncio.create_task(store.query(FOREVER)) for _ in range(8)]
    await asyncio.sleep(0.05)
    for query in queries:
        query.cancel()
    await asyncio.wait(queries)
    began = time.monotonic()
    assert len((await store.find(replace(Plan(TYPE), limit=1000))).versions) == 1000
    assert time.monotonic() - began < DEADLINE


async def test_reads_go_on_while_long_queries_take_every_thread(store: EmbeddedStore) -> None:
    queries = [asyncio.create_task(store.query(FOREVER)) for _ in range(8)]
    await asyncio.sleep(0.02)
    assert await store.get(TYPE, "id-1") is not None
    assert len((await store.find(Plan(TYPE))).versions) == 50
    results = await asyncio.gather(*queries, return_exceptions=True)
    assert all(isinstance(result, DeadlineExceeded) for result in results)


async def test_closing_ends_what_runs(tmp_path: Path) -> None:
    store = EmbeddedStore(str(tmp_path / "other.db"), deadline=60)
    await store.open()
    query = asyncio.create_task(store.query(FOREVER))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await store.close()
    assert time.monotonic() - began < 5
    with pytest.raises(DeadlineExceeded):
        await query
