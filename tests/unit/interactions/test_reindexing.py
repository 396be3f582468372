"""Terms that an older program made are made again when the store is opened."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.fhir import json_format
from fhir_server.interactions.reindexing import Index, keep_index_current
from fhir_server.search import keys
from fhir_server.search.indexing import FORMAT, Indexer
from fhir_server.search.values.reference import local_form
from fhir_server.search.words import FullText
from fhir_server.storage.base import NewerSchema
from fhir_server.storage.opening import Storage
from fhir_server.storage.query import KeyIs, Plan
from fhir_server.storage.versions import NO_TERMS, Change, Version
from tests.support.stores import opened

pytestmark = pytest.mark.anyio

INDEXER = Indexer(load_definitions(), "http://h/fhir")
TEXT = FullText.TEXT
MARK = ("system", "index-format")


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with opened(f"sqlite:{tmp_path / 'x.db'}") as storage:
        yield storage


def indexing(storage: Storage) -> Index:
    async def index(versions: Sequence[Version]) -> None:
        await storage.store.retag(
            [
                Change(each, INDEXER.terms(json_format.parse(each.content or b"")))
                for each in versions
            ]
        )

    return index


def patient(number: int) -> Version:
    content = b'{"resourceType":"Patient","id":"p%d","name":[{"family":"F"}]}' % number
    return Version("Patient", f"p{number}", 1, number + 1, 1000 + number, "PUT", content)


async def test_what_an_older_program_stored_is_found_as_what_this_one_stores(
    storage: Storage,
) -> None:
    versions = [patient(number) for number in range(700)]
    deleted = Version("Group", "g", 1, 5000, 1, "DELETE", None)
    await storage.store.commit([Change(version, NO_TERMS) for version in [*versions, deleted]])
    assert (
        await keep_index_current(storage.store, storage.key_value, indexing(storage), TEXT) == 700
    )
    for number in (0, 499, 500, 699):
        key = keys.itself("Patient").prefix + local_form("Patient", f"p{number}")
        assert await storage.store.find_ids(Plan("Patient", KeyIs((key,)))) == [f"p{number}"]
    assert await storage.store.get("Patient", "p3") == patient(3)


async def test_an_index_of_this_format_is_left_alone(storage: Storage) -> None:
    assert await keep_index_current(storage.store, storage.key_value, indexing(storage), TEXT) == 0
    assert await storage.key_value.get(*MARK) == str(FORMAT).encode()
    await storage.store.commit([Change(patient(1), NO_TERMS)])
    assert await keep_index_current(storage.store, storage.key_value, indexing(storage), TEXT) == 0


async def test_an_index_of_a_newer_format_is_refused(storage: Storage) -> None:
    newer = str(FORMAT + 1).encode()
    await storage.key_value.compare_and_set(*MARK, None, newer)
    with pytest.raises(NewerSchema, match=f"format {FORMAT + 1}, this program knows {FORMAT}"):
        await keep_index_current(storage.store, storage.key_value, indexing(storage), TEXT)
