"""EmbeddedKeyValue: small records in the same file as the store's versions."""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

from collections.abc import Sequence

from fhir_server.storage.base import StoreError
from fhir_server.storage.embedded.pieces import Sql
from fhir_server.storage.embedded.store import EmbeddedStore
from fhir_server.storage.embedded.transaction import Transaction

MOST_BYTES = 1 << 20


class EmbeddedKeyValue:
    """Lives as long as its store is open."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store

    async def get(self, namespace: str, key: str) -> bytes | None:
        row = await self._store.point(_GET, (namespace, key, self._store.clock.now()))
        return None if row is None else bytes(row[0])

    async def compare_and_set(
        self,
        namespace: str,
        key: str,
        expected: bytes | None,
        value: bytes | None,
        expires: int | None = None,
    ) -> bool:
        if value is not None and len(value) > MOST_BYTES:
            raise StoreError(f"a record holds at most {MOST_BYTES} bytes, not {len(value)}")
        now = self._store.clock.now()

        def work(transaction: Transaction) -> bool:
            connection = transaction.connection
            row = connection.execute(_GET, (namespace, key, now)).fetchone()
            if (None if row is None else row[0]) != expected:
                return False
            connection.execute(_SWEEP, (now,))
            if value is None:
                connection.execute(_DELETE, (namespace, key))
            else:
                connection.execute(_PUT, (namespace, key, expires, value))
            return True

        return await self._store.writer.run(work, puts_off=True)

    async def items(self, namespace: str) -> Sequence[tuple[str, bytes]]:
        statement = Sql(_ITEMS, (namespace, self._store.clock.now()))
        return [(key, value) for key, value in await self._store.query(statement)]


_LIVE = "(expires IS NULL OR expires > ?)"
_GET = f"SELECT value FROM records WHERE namespace = ? AND key = ? AND {_LIVE}"
_ITEMS = f"SELECT key, value FROM records WHERE namespace = ? AND {_LIVE} ORDER BY key"
_PUT = "INSERT OR REPLACE INTO records (namespace, key, expires, value) VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM records WHERE namespace = ? AND key = ?"
_SWEEP = "DELETE FROM records WHERE expires <= ?"
