"""Every contract test runs once for each kind of store, on new and empty data."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fhir_server.kit.clock import SettableClock
from fhir_server.storage.base import BlobStore, KeyValue, Store
from fhir_server.storage.opening import Storage
from tests.support.stores import STORES, StoreKind, opened


@pytest.fixture(params=STORES, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> StoreKind:
    chosen: StoreKind = request.param
    for attribute, value in chosen.patches.items():
        monkeypatch.setattr(attribute, value)
    return chosen


@pytest.fixture
def address(kind: StoreKind, tmp_path: Path) -> str:
    return kind.address(tmp_path)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
async def storage(address: str, clock: SettableClock) -> AsyncIterator[Storage]:
    async with opened(address, clock=clock) as storage:
        yield storage


@pytest.fixture
def store(storage: Storage) -> Store:
    return storage.store


@pytest.fixture
def key_value(storage: Storage) -> KeyValue:
    return storage.key_value


@pytest.fixture
def blobs(storage: Storage) -> BlobStore:
    return storage.blobs
