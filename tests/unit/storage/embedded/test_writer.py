"""Group commit: one bad job fails alone, a lock that is not let go is told in words."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from fhir_server.storage.base import Conflict, StoreError
from fhir_server.storage.embedded import EmbeddedStore
from fhir_server.storage.embedded.transaction import Transaction
from fhir_server.storage.query import KeyIs, Plan
from tests.support.version_making import TYPE, created, found, key, keyed

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(str(tmp_path / "store.db"))
    await store.open()
    yield store
    await store.close()


def _writes_then_fails(transaction: Transaction) -> None:
    transaction.connection.execute("INSERT INTO records VALUES ('half', 'done', NULL, x'')")
    raise sqlite3.OperationalError("database or disk is full")


async def test_a_job_that_fails_halfway_is_undone_alone(store: EmbeddedStore) -> None:
    commits = [store.commit([created(f"id-{n}", keyed(key(1)))]) for n in range(10)]
    refused = store.commit([created("id-0")])
    results = await asyncio.gather(
        *commits, store.writer.run(_writes_then_fails), refused, return_exceptions=True
    )
    assert results[:10] == [None] * 10
    assert isinstance(results[10], StoreError)
    assert isinstance(results[11], Conflict)
    assert len(await found(store, Plan(TYPE, KeyIs((key(1),))))) == 10
    assert store.row("SELECT count(*) FROM records", ()) == (0,)


async def test_the_words_of_a_failure_are_for_the_operator(store: EmbeddedStore) -> None:
    with pytest.raises(StoreError, match="disk is full"):
        await store.writer.run(_writes_then_fails)


async def test_a_type_first_met_in_a_job_that_was_undone_can_be_met_again(
    store: EmbeddedStore,
) -> None:
    def fails(transaction: Transaction) -> None:
        transaction.type_number("Fresh")
        raise ValueError("of the caller's own")

    with pytest.raises(ValueError, match="own"):
        await store.writer.run(fails)
    new = created("a", type_="Fresh")
    await store.commit([new])
    assert await store.get("Fresh", "a") == new.version


async def test_text_that_cannot_be_stored_harms_nobody_else(store: EmbeddedStore) -> None:
    broken = created("a", keyed("\ud800"))
    results = await asyncio.gather(
        store.commit([broken]), store.commit([created("b")]), return_exceptions=True
    )
    assert isinstance(results[0], UnicodeEncodeError)
    assert results[1] is None
    assert await store.counts() == {TYPE: 1}


async def test_a_lock_that_another_process_keeps_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fhir_server.storage.embedded.schema.BUSY_SECONDS", 0.1)
    path = str(tmp_path / "store.db")
    store = EmbeddedStore(path)
    await store.open()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process"):
            await store.commit([created("a")])
        other.execute("COMMIT")
    await store.commit([created("a")])
    await store.close()


async def test_closing_waits_for_what_was_asked_before(tmp_path: Path) -> None:
    store = EmbeddedStore(str(tmp_path / "store.db"))
    await store.open()
    commits = [asyncio.create_task(store.commit([created(f"id-{n}")])) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*commits)
    await store.open()
    assert await store.counts() == {TYPE: 50}
    await store.close()


async def test_a_closed_store_says_so(store: EmbeddedStore) -> None:
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.commit([created("a")])
    await store.open()


async def test_many_jobs_at_once_are_few_transactions(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Transaction] = []
    finish = Transaction.finish

    def counting(transaction: Transaction) -> int:
        begun.append(transaction)
        return finish(transaction)

    monkeypatch.setattr(Transaction, "finish", counting)
    await asyncio.gather(*(store.commit([created(f"id-{n}")]) for n in range(100)))
    assert len(begun) <= 10
