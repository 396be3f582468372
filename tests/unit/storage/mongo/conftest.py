"""What tests of the MongoDB store share."""

import pytest

from fhir_server.storage.mongo import topology


@pytest.fixture
def no_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without transactions, also where the one that is named has them."""

    async def never(*_: object) -> bool:
        return False

    monkeypatch.setattr(topology, "_transactions_work", never)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Content of a few bytes counts as large."""
    monkeypatch.setattr("fhir_server.storage.mongo.store.INLINE_BYTES", 10)
    monkeypatch.setattr("fhir_server.storage.mongo.contents.CHUNK_BYTES", 8)
    monkeypatch.setattr("fhir_server.storage.mongo.blobs.CHUNK_BYTES", 8)
