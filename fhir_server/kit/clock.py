"""The time, passed in: milliseconds since 1970 in UTC."""

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00Z."""
        ...


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1_000_000


class SettableClock:
    """A clock for tests: stands still until moved."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def advance(self, milliseconds: int) -> None:
        self.time += milliseconds
