"""New ids: time-ordered UUIDs (RFC 9562, version 7) and creation ordinals.

Both rise with time, so what is created together lies together in every index.
"""

import itertools
import os
import threading
from collections.abc import Iterator
from typing import Protocol

from fhir_server.kit.clock import Clock

_SEQUENCE_BITS = 12
_WORKER_BITS = 10
_DRAWN = 256


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
        self._random: Iterator[str] = iter(())

    def new_id(self) -> str:
        text = f"{self._clock.now() & 0xFFFF_FFFF_FFFF:012x}{self._random_digits()}"
        variant = "89ab"[int(text[16], 16) & 3]
        return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"

    def _random_digits(self) -> str:
        """Twenty hexadecimal digits."""
        with self._lock:
            # Drawn many at a time: each draw gives up the interpreter's lock, and a thread that
            # writes would keep it for long.
            digits = next(self._random, None)
            if digits is None:
                drawn = os.urandom(_DRAWN * 10).hex()
                self._random = iter([drawn[i : i + 20] for i in range(0, len(drawn), 20)])
                digits = next(self._random)
            return digits

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


class RequestIds:
    """Ids for requests: unique, short, and made without asking the system each time."""

    def __init__(self) -> None:
        self._process = os.urandom(6).hex()
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """Twenty hexadecimal digits; twelve tell the process, eight the request."""
        return f"{self._process}{next(self._numbers) & 0xFFFF_FFFF:08x}"
