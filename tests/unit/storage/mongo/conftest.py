"""What tests of the MongoDB store share."""

import pytest

from fhir_server.storage.mongo import topology


@pytest.fixture
def no_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without transactions, also where the one that is named has them."""

    async def never(*_: object) -> bool:
        return False

    monkeypatch.setattr(topology, "_transactions_work", never)
