"""Index rows of versions that are new, made within SQLite of the terms packed in their rows.

That costs half of what making them here does, and other threads run meanwhile. Rows go in sorted,
so that each page of an index is visited once.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

import json
import sqlite3
from collections.abc import Sequence

from fhir_server.storage.embedded.packing import SPAN_BYTES
from fhir_server.storage.versions import KEY_BYTES

_FIRST_PLACES = 256


class Splitting:
    """Makes index rows over one connection, which writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("CREATE TEMP TABLE places (i INTEGER PRIMARY KEY)")
        connection.execute(_GROW, (0, _FIRST_PLACES))

    def index(self, ordinals: Sequence[int]) -> None:
        """Add the rows of these versions, but for drivers; what is there already stays."""
        listed = (json.dumps(ordinals),)
        # A transaction that is undone undoes this as well: so what is there is asked each time.
        ((most, places),) = self._connection.execute(_MOST, listed).fetchall()
        if most is not None and most > places:
            self._connection.execute(_GROW, (places, 1 << (most - 1).bit_length()))
        for statement in (_TEXTS, _KEYS, _SPANS):
            self._connection.execute(statement, listed)


_NEW = "json_each(?1) l CROSS JOIN resources r ON r.n = l.value"
_PLACES = "CROSS JOIN temp.places p ON p.i < length"
"""One for each term of the version that has the most."""
_GROW = (
    "WITH RECURSIVE place(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM place WHERE i < ?2 - 1)"
    " INSERT INTO temp.places SELECT i FROM place"
)
_MOST = (
    f"SELECT max(max(length(r.keys) / {KEY_BYTES}, length(r.spans) / {SPAN_BYTES})),"
    f" (SELECT max(i) + 1 FROM temp.places) FROM {_NEW}"
)
_TEXTS = (
    "INSERT OR IGNORE INTO keys (y, t, n) SELECT r.y, t.value, r.n"
    f" FROM {_NEW} CROSS JOIN json_each(r.texts) t ORDER BY 1, 2, 3"
)
_KEYS = (
    f"INSERT OR IGNORE INTO keys (y, t, n) SELECT r.y, substr(r.keys, {KEY_BYTES} * p.i + 1,"
    f" {KEY_BYTES}), r.n FROM {_NEW} {_PLACES}(r.keys) / {KEY_BYTES} ORDER BY 1, 2, 3"
)
_SPANS = (
    f"INSERT OR IGNORE INTO intervals (y, t, n) SELECT r.y, substr(r.spans, {SPAN_BYTES} * p.i + 1,"
    f" {SPAN_BYTES}), r.n FROM {_NEW} {_PLACES}(r.spans) / {SPAN_BYTES} ORDER BY 1, 2, 3"
)
