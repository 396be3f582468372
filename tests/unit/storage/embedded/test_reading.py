"""Deadlines: a long query leaves the event loop soon, and ends when its time or its caller ends."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from msgspec.structs import replace

from fhir_server.storage.base import DeadlineExceeded
from fhir_server.storage.embedded import EmbeddedKeyValue, EmbeddedStore, reading
from fhir_server.storage.embedded.pieces import Sql
from fhir_server.storage.embedded.timed import Deadline, Timed, Turn
from fhir_server.storage.query import AnyOf, KeyIn, KeyIs, Not, Plan
from fhir_server.storage.versions import Change
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


def test_a_turn_is_over_when_its_work_is_done() -> None:
    began = time.thread_time()
    turn = Turn(0.02, time.monotonic() + 60)
    while not turn.passed:
        assert time.thread_time() - began < 0.1
    assert turn.passed


def test_waiting_is_not_work_but_no_turn_waits_for_long() -> None:
    turn = Turn(0.1, time.monotonic() + 60)
    time.sleep(0.15)
    assert not turn.passed
    time.sleep(0.5)
    assert turn.passed
    assert turn.passed


def test_a_turn_ends_with_its_query() -> None:
    assert not Turn(60, time.monotonic() + 60).passed
    assert Turn(60, time.monotonic() - 0.001).passed


LARGE = b"x" * (8 << 20)


@pytest.fixture
def read_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was read on the event loop so far, in any way."""
    found: list[object] = []
    gathered, row = Timed.gathered, Timed.row

    def noting(result: object) -> object:
        if threading.current_thread() is threading.main_thread():
            found.append(result)
        return result

    def gathered_noted(timed: Timed, *of: Any) -> object:
        return noting(gathered(timed, *of))

    def row_noted(timed: Timed, *of: Any) -> object:
        return noting(row(timed, *of))

    monkeypatch.setattr(Timed, "gathered", gathered_noted)
    monkeypatch.setattr(Timed, "row", row_noted)
    return found


async def test_what_is_large_is_read_by_a_thread(
    store: EmbeddedStore, read_on_the_loop: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LOOP_SECONDS", 0.1)  # however busy the machine is
    new = created("large", keyed(key(7)), type_="Large")
    large = Change(structs.replace(new.version, content=LARGE), new.terms)
    await store.commit([large])
    updated = structs.replace(
        large.version, number=2, updated=large.version.updated + 1, method="PUT"
    )
    await store.commit([Change(updated, new.terms)])
    assert list((await store.find(Plan("Large", KeyIs((key(7),))))).versions) == [updated]
    assert list((await store.find(Plan("Large"))).versions) == [updated]
    assert await store.get("Large", "large") == updated
    assert await store.get_many("Large", ["large"]) == {"large": updated}
    assert await store.get_version("Large", "large", 1) == large.version
    assert list(await store.scan("Large")) == [updated]
    assert list(await store.history("Large")) == [updated, large.version]
    assert await store.find_ids(Plan("Large")) == ["large"]
    assert LARGE[:100] not in repr(read_on_the_loop).encode()
    assert "large" in repr(read_on_the_loop)


async def test_a_large_record_is_read_by_a_thread(
    store: EmbeddedStore, read_on_the_loop: list[object]
) -> None:
    records = EmbeddedKeyValue(store)
    assert await records.compare_and_set("jobs", "a", None, LARGE[: 1 << 20])
    assert await records.get("jobs", "a") == LARGE[: 1 << 20]
    assert await records.items("jobs") == [("a", LARGE[: 1 << 20])]
    assert LARGE[:100] not in repr(read_on_the_loop).encode()


async def test_a_long_page_of_rather_large_rows_is_left_to_a_thread(
    tmp_path: Path, read_on_the_loop: list[object]
) -> None:
    store = EmbeddedStore(str(tmp_path / "large.db"))
    await store.open()
    changes = [created(f"{n}", type_="Large") for n in range(400)]
    await store.commit(
        [Change(structs.replace(each.version, content=LARGE[:120_000])) for each in changes]
    )
    assert len((await store.find(Plan("Large", limit=400))).versions) == 400
    assert LARGE[:100] not in repr(read_on_the_loop).encode()
    await store.close()


async def test_reads_go_on_while_long_queries_take_every_thread(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [asyncio.create_task(store.query(FOREVER)) for _ in range(8)]
    await asyncio.sleep(0.02)
    monkeypatch.setattr(reading, "_LOOP_SECONDS", 0.1)  # however busy the machine is
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
