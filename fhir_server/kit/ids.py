"""New ids: time-ordered UUIDs (RFC 9562, version 7) and creation ordinals.

Both rise with time, so what is created together lies together in every index.
"""

import os
import threading
from typing import Protocol

from fhir_server.kit.clock import Clock

_SEQUENCE_BITS = 12
_WORKER_BITS = 10


class IdSource(Protocol):
    def new_id(self) -> str:
        """A UUID of version 7, as 36 characters."""
        ...

    def new_ordinal(self) -> int:
        """A positive 63-bit integer, never given twice, rising within one source."""
        ...


class TimeOrderedIds:
    """Ids from a clock and random bytes; ordinals are ms (41 bits), worker (10), sequence (12)."""

    def __init__(self, clock: Clock, worker: int | None = None) -> None:
        self._clock = clock
        self._worker = int.from_bytes(os.urandom(2)) if worker is None else worker
        self._worker &= (1 << _WORKER_BITS) - 1
        self._last = 0
        self._sequence = 0
        self._lock = threading.Lock()

    def new_id(self) -> str:
        text = f"{self._clock.now() & 0xFFFF_FFFF_FFFF:012x}{os.urandom(10).hex()}"
        variant = "89ab"[int(text[16], 16) & 3]
        return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"

    def new_ordinal(self) -> int:
        with self._lock:
            now = self._clock.now()
            if now > self._last:
                self._last, self._sequence = now, 0
            else:
                self._sequence += 1
                if self._sequence >> _SEQUENCE_BITS:
                    self._last, self._sequence = self._last + 1, 0
            tail = self._worker << _SEQUENCE_BITS | self._sequence
            return self._last << (_WORKER_BITS + _SEQUENCE_BITS) | tail
