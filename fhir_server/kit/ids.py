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
        time = f"{self._clock.now() & 0xFFFF_FFFF_FFFF:012x}"
        return f"{time[:8]}-{time[8:]}-{self._random_part()}"

    def _random_part(self) -> str:
        """What follows the time, version and variant included."""
        with self._lock:
            # Drawn many at a time: each draw gives up the interpreter's lock, and a thread that
            # writes would keep it for long.
            part = next(self._random, None)
            if part is None:
                drawn = os.urandom(_DRAWN * 10).hex()
                digits = [drawn[i : i + 20] for i in range(0, len(drawn), 20)]
                self._random = iter([_shaped(each) for each in digits])
                part = next(self._random)
            return part

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


def _shaped(digits: str) -> str:
    """Twenty hexadecimal digits as the random part, six bits of them replaced."""
    variant = "89ab"[int(digits[4], 16) & 3]
    return f"7{digits[1:4]}-{variant}{digits[5:8]}-{digits[8:]}"


class RequestIds:
    """Ids for requests: unique, short, and made without asking the system each time."""

    def __init__(self) -> None:
        self._process = os.urandom(6).hex()
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """Twenty hexadecimal digits; twelve tell the process, eight the request."""
        return f"{self._process}{next(self._numbers) & 0xFFFF_FFFF:08x}"
