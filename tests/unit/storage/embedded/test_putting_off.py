"""Index rows that are put off: by whom, and who has them written."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from pathlib import Path
from types import coroutine
from typing import Any

import pytest

from fhir_server.storage.base import DeadlineExceeded
from fhir_server.storage.embedded import EmbeddedKeyValue, EmbeddedStore, writer
from fhir_server.storage.embedded.pieces import Sql
from fhir_server.storage.embedded.transaction import Transaction
from fhir_server.storage.query import Guard, KeyIs, Plan
from fhir_server.storage.versions import Change, Page
from tests.support.version_making import TYPE, created, deleted, found, key, keyed, updated

pytestmark = pytest.mark.anyio

FOREVER = Sql(
    "WITH RECURSIVE a(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM a) SELECT max(i) FROM a"
)
BY_KEY = Plan(TYPE, KeyIs((key(1),)))
FIRST = created("first", keyed(key(1)))


@pytest.fixture(autouse=True)
def never_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test does has rows written."""
    monkeypatch.setattr(writer, "QUIET_SECONDS", -1.0)
    monkeypatch.setattr(writer, "_IDLE_SECONDS", 60.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(str(tmp_path / "store.db"))
    await store.open()
    await store.commit([FIRST])
    yield store
    await store.close()


async def put_off(store: EmbeddedStore) -> int:
    row = await store.point("SELECT count(*) FROM unindexed", ())
    assert row is not None
    return int(row[0])


async def _update(store: EmbeddedStore) -> None:
    await store.commit([updated(FIRST, keyed(key(1)))])


async def _delete_and_create(store: EmbeddedStore) -> None:
    await store.commit([deleted(FIRST), created("other", keyed(key(1)))])


async def _create_under_a_guard(store: EmbeddedStore) -> None:
    await store.commit([created("other")], [Guard(BY_KEY, frozenset({"first"}))])


async def _create_many(store: EmbeddedStore) -> None:
    await store.commit([created(f"many-{number}") for number in range(100)])


async def _retag(store: EmbeddedStore) -> None:
    assert await store.retag([Change(FIRST.version, keyed(key(1), key(2)))]) == 1


async def _purge(store: EmbeddedStore) -> None:
    assert await store.purge(TYPE, "first")


async def _find(store: EmbeddedStore) -> None:
    assert await found(store, BY_KEY) == ["first"]


async def _find_ids(store: EmbeddedStore) -> None:
    assert await store.find_ids(BY_KEY) == ["first"]


async def _count(store: EmbeddedStore) -> None:
    assert await store.count(BY_KEY) == (1, True)


async def _estimate(store: EmbeddedStore) -> None:
    assert await store.estimate(TYPE, BY_KEY.drive) == 1


Deed = Callable[[EmbeddedStore], Awaitable[None]]
WRITES_ALL: tuple[Deed, ...] = (
    *(_update, _delete_and_create, _create_under_a_guard, _create_many, _retag, _purge),
    *(_find, _find_ids, _count, _estimate),
)


@pytest.mark.parametrize("deed", WRITES_ALL, ids=lambda deed: deed.__name__.strip("_"))
async def test_whoever_must_see_the_indexes_whole_has_them_written(
    store: EmbeddedStore, deed: Deed
) -> None:
    assert await put_off(store) == 1
    await deed(store)
    assert await put_off(store) == 0


async def _create(store: EmbeddedStore) -> None:
    await store.commit([created("other", keyed(key(1)))])


async def _set_a_record(store: EmbeddedStore) -> None:
    assert await EmbeddedKeyValue(store).compare_and_set("jobs", "a", None, b"1")


async def _read(store: EmbeddedStore) -> None:
    assert await store.get(TYPE, "first") == FIRST.version
    assert list(await store.history(TYPE)) == [FIRST.version]
    assert list(await store.scan(TYPE)) == [FIRST.version]
    assert await store.counts() == {TYPE: 1}


@pytest.mark.parametrize("deed", [_create, _set_a_record, _read], ids=lambda deed: deed.__name__)
async def test_what_needs_no_index_leaves_rows_put_off(store: EmbeddedStore, deed: Deed) -> None:
    await deed(store)
    assert await put_off(store) >= 1


async def test_rows_are_written_when_too_many_are_put_off(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_MOST_PUT_OFF", 5)
    for number in range(20):
        await store.commit([created(f"id-{number}", keyed(key(1)))])
        assert await put_off(store) <= 5
    assert len(await found(store, BY_KEY)) == 21


async def test_rows_are_written_when_the_writer_is_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_IDLE_SECONDS", 0.01)
    store = EmbeddedStore(str(tmp_path / "other.db"))
    await store.open()
    await store.commit([created("a", keyed(key(1)))])
    async with asyncio.timeout(5):
        while await put_off(store):
            await asyncio.sleep(0.01)
    await store.close()


async def test_rows_are_written_when_the_store_closes(tmp_path: Path) -> None:
    path = str(tmp_path / "other.db")
    store = EmbeddedStore(path)
    await store.open()
    await store.commit([created("a", keyed(key(1)))])
    assert await put_off(store) == 1
    await store.close()
    await store.open()
    assert await put_off(store) == 0
    await store.close()


async def test_once_somebody_asks_rows_are_not_put_off_for_a_while(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUIET_SECONDS", 60.0)
    await found(store, BY_KEY)
    await store.commit([created("a", keyed(key(1)))])
    assert await put_off(store) == 0


async def test_a_process_whose_rows_another_has_written_stops_putting_off(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUIET_SECONDS", 60.0)
    other = EmbeddedStore(store.path)
    await other.open()
    assert len(await found(other, BY_KEY)) == 1
    await other.close()
    await store.commit([created("a", keyed(key(1)))])
    assert await put_off(store) == 0


def _fails(_: Transaction) -> None:
    raise ValueError("of the caller's own")


async def test_after_a_job_that_failed_rows_are_still_written_when_the_writer_is_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_IDLE_SECONDS", 0.2)
    store = EmbeddedStore(str(tmp_path / "other.db"))
    await store.open()
    await store.commit([created("a", keyed(key(1)))])
    with pytest.raises(ValueError, match="own"):
        await store.writer.run(_fails)
    assert await put_off(store) == 1
    async with asyncio.timeout(5):
        while await put_off(store):
            await asyncio.sleep(0.01)
    await store.close()


async def test_indexing_when_idle_is_tried_again_when_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_IDLE_SECONDS", 0.1)
    failures = iter(range(2))
    finish = Transaction.finish

    def failing_at_first(transaction: Transaction) -> int:
        if next(failures, None) is not None:
            raise sqlite3.OperationalError("database or disk is full")
        return finish(transaction)

    store = EmbeddedStore(str(tmp_path / "other.db"))
    await store.open()
    await store.commit([created("a", keyed(key(1)))])
    monkeypatch.setattr(Transaction, "finish", failing_at_first)
    async with asyncio.timeout(5):
        while await put_off(store):
            await asyncio.sleep(0.01)
    assert next(failures, None) is None
    await store.close()


async def test_waiting_for_the_indexes_and_reading_have_one_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fhir_server.storage.embedded.store.counted", lambda *_: FOREVER)
    store = EmbeddedStore(str(tmp_path / "other.db"), deadline=0.6)
    await store.open()
    await store.commit([created("a", keyed(key(1)))])
    holds = asyncio.create_task(store.writer.run(lambda _: time.sleep(0.4), puts_off=True))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await store.count(BY_KEY)
    assert await put_off(store) == 0
    assert time.monotonic() - began < 0.85
    await holds
    await store.close()


async def test_who_asks_outside_of_a_task_waits_for_the_indexes_in_one(
    store: EmbeddedStore,
) -> None:
    begun: list[tuple[Coroutine[Any, Any, Page], object]] = []

    def begin() -> None:
        assert asyncio.current_task() is None
        search = store.find(BY_KEY)
        begun.append((search, search.send(None)))

    assert await put_off(store)
    asyncio.get_running_loop().call_soon(begin)
    while not begun:
        await asyncio.sleep(0)
    ((search, awaited),) = begun
    assert awaited is None
    page = await _rest(search)
    assert [version.id for version in page.versions] == ["first"]


@coroutine
def _rest(begun: Coroutine[Any, Any, Page]) -> Generator[Any, Any, Page]:
    """The rest of a coroutine that has only given way so far."""
    try:
        while True:
            yield begun.send(None)
    except StopIteration as end:
        found: Page = end.value
        return found
