"""Group commit: one bad job fails alone, a lock that is not let go is told in words."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fhir_server.storage.base import Conflict, DeadlineExceeded, StoreError
from fhir_server.storage.embedded import EmbeddedStore, writer
from fhir_server.storage.embedded.transaction import Transaction
from fhir_server.storage.query import AnyOf, Guard, IntervalIs, KeyIs, Not, Plan
from fhir_server.storage.versions import Terms
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
    assert await store.point("SELECT count(*) FROM records", ()) == (0,)


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


SLOW = Not(AnyOf(tuple(IntervalIs((1, at), (at, at)) for at in range(2, 5))))
"""A test that takes as long as there are versions with intervals."""


async def _guards_that_take(store: EmbeddedStore, seconds: float) -> list[Guard]:
    """Guards that hold and take so long together; each takes a small part of it."""
    spans = tuple((number, 0.0, 1.0) for number in range(100, 130))
    await store.commit([created(f"{n}", Terms(intervals=spans)) for n in range(200)])
    guard = Guard(Plan(TYPE, None, (Not(SLOW),)), frozenset())
    began = time.monotonic()
    await store.commit([created(f"timed-{began}")], [guard])
    return [guard] * (2 + int(seconds / (time.monotonic() - began)))


async def test_all_guards_of_a_commit_have_one_deadline_together(tmp_path: Path) -> None:
    store = EmbeddedStore(str(tmp_path / "store.db"), deadline=0.4)
    await store.open()
    guards = await _guards_that_take(store, 3.0)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await store.commit([created("a")], guards)
    assert time.monotonic() - began < 1.5
    assert await store.get(TYPE, "a") is None
    await store.close()


async def test_guards_of_a_caller_who_is_gone_hold_up_nobody(store: EmbeddedStore) -> None:
    guards = await _guards_that_take(store, 3.0)
    gone = [asyncio.create_task(store.commit([created(f"gone-{n}")], guards)) for n in range(3)]
    await asyncio.sleep(0.1)
    for commit in gone:
        commit.cancel()
    began = time.monotonic()
    await store.commit([created("a")])
    assert time.monotonic() - began < 1.0
    assert not await store.get_many(TYPE, [f"gone-{n}" for n in range(3)])


async def test_a_job_whose_caller_was_gone_before_it_began_is_not_done(
    store: EmbeddedStore,
) -> None:
    held = threading.Event()
    first = asyncio.create_task(store.writer.run(lambda _: held.wait(5)))
    await asyncio.sleep(0.05)
    gone = asyncio.create_task(store.commit([created("gone")]))
    stays = asyncio.create_task(store.commit([created("stays")]))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    held.set()
    await asyncio.gather(first, stays)
    assert await store.get(TYPE, "gone") is None
    assert await store.get(TYPE, "stays") is not None


async def test_jobs_that_take_long_do_not_keep_the_store_locked_together(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_GROUP_SECONDS", 0.05)
    other = EmbeddedStore(store.path)
    await other.open()
    slow = [asyncio.create_task(store.writer.run(lambda _: time.sleep(0.1))) for _ in range(20)]
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await other.commit([created("a")])
    assert time.monotonic() - began < 1.5
    await asyncio.gather(*slow)
    await other.close()


async def test_what_comes_up_in_one_turn_of_the_loop_is_written_together(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit([created("before")])
    sizes: list[int] = []
    write = writer.Writer._write  # noqa: SLF001 -- how many are in a group is seen nowhere else

    def counted(self: writer.Writer, group: Any) -> Any:
        sizes.append(len(group))
        return write(self, group)

    monkeypatch.setattr(writer.Writer, "_write", counted)
    await asyncio.gather(*[store.commit([created(f"id-{n}")]) for n in range(20)])

    assert sizes[0] == 20


async def test_what_was_just_asked_of_a_store_that_closes_is_done(tmp_path: Path) -> None:
    store = EmbeddedStore(str(tmp_path / "store.db"))
    await store.open()
    commit = asyncio.create_task(store.commit([created("a")]))
    await asyncio.sleep(0)
    await store.close()

    await commit
