"""Index rows that SQLite makes of packed terms are those that the terms say."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from pathlib import Path

import pytest

from fhir_server.storage.base import StoreError
from fhir_server.storage.embedded import EmbeddedStore, writer
from fhir_server.storage.embedded.changes import commit, prepared
from fhir_server.storage.embedded.packing import pack, rows
from fhir_server.storage.embedded.transaction import Transaction
from fhir_server.storage.versions import Change, Terms
from tests.support.version_making import created, key, updated

pytestmark = pytest.mark.anyio

TEXTS = ("plain", 'in "quotes" \\', "line\nbreak", "nul\0and\1more", "é𝄞", "")
SIZES = (0, 1, 2, 40, 255, 256, 257, 700)


@pytest.fixture(params=[True, False], ids=["put off", "at once"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[EmbeddedStore]:
    monkeypatch.setattr(writer, "QUIET_SECONDS", -1.0 if request.param else 1e9)
    monkeypatch.setattr(writer, "_IDLE_SECONDS", 60.0)
    store = EmbeddedStore(str(tmp_path / "store.db"))
    await store.open()
    yield store
    await store.close()


def _terms(size: int, chance: random.Random) -> Terms:
    keys = [key(number) for number in chance.sample(range(10_000), size)]
    texts = chance.sample(TEXTS, min(size, len(TEXTS)))
    drivers = [chance.randbytes(chance.randrange(40)) for _ in range(min(size, 9))]
    intervals = [
        (chance.randrange(-(2**63), 2**63), chance.uniform(-9, 0), chance.uniform(0, 9))
        for _ in range(size)
    ]
    return Terms((*keys, *texts), tuple(set(drivers)), intervals, chance.randrange(99))


async def _indexed(store: EmbeddedStore) -> dict[str, set[tuple[object, ...]]]:
    def no_more(_: Transaction) -> None: ...

    await store.writer.run(no_more)
    with closing(sqlite3.connect(store.path)) as connection:
        return {
            table: set(connection.execute(f"SELECT {columns} FROM {table}"))
            for table, columns in (
                ("keys", "n, t"),
                ("drivers", "n, t, start"),
                ("intervals", "n, t"),
            )
        }


def _expected(changes: Iterable[Change]) -> dict[str, set[tuple[object, ...]]]:
    expected: dict[str, set[tuple[object, ...]]] = {"keys": set(), "drivers": set()}
    expected["intervals"] = set()
    for change in changes:
        n, terms = change.version.ordinal, rows(pack(change.terms))
        expected["keys"] |= {(n, term) for term in (*terms.keys, *terms.texts)}
        expected["drivers"] |= {(n, *driver) for driver in terms.drivers}
        expected["intervals"] |= {(n, span) for span in terms.spans}
    return expected


async def test_each_term_of_a_new_version_has_its_row(store: EmbeddedStore) -> None:
    chance = random.Random(7)
    changes = [created(f"id-{size}", _terms(size, chance)) for size in SIZES]
    for change in changes:
        await store.commit([change])

    assert await _indexed(store) == _expected(changes)


async def test_what_is_created_and_changed_in_one_group_has_the_rows_of_the_last(
    store: EmbeddedStore,
) -> None:
    chance = random.Random(8)
    first = [created(f"id-{size}", _terms(size, chance)) for size in SIZES]
    second = [updated(change, _terms(5, chance)) for change in first]
    await asyncio.gather(store.commit(first), store.commit(second))

    assert await _indexed(store) == _expected(second)


async def test_a_new_version_with_the_ordinal_of_one_that_is_erased_is_found(
    store: EmbeddedStore,
) -> None:
    chance = random.Random(10)
    change = created("again", _terms(5, chance))
    await store.commit([change])

    await asyncio.gather(store.purge(change.version.type, "again"), store.commit([change]))

    assert await _indexed(store) == _expected([change])


async def test_what_was_undone_leaves_room_for_as_many_terms(store: EmbeddedStore) -> None:
    chance = random.Random(9)
    large = created("large", _terms(700, chance))

    def fails(transaction: Transaction) -> None:
        commit(transaction, prepared([large]), ())
        transaction.flush()
        raise sqlite3.OperationalError("disk is full")

    with pytest.raises(StoreError, match="disk is full"):
        await store.writer.run(fails)
    await store.commit([large])

    assert await _indexed(store) == _expected([large])
