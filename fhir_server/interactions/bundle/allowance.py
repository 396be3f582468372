"""How much the answer to a bundle may hold, and how long its entries may take together.

An entry is never cut short: what was begun ends, and what the allowance no longer covers is
refused before it begins.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fhir_server.errors import TimedOut, TooCostly
from fhir_server.interactions.request import Reply


@dataclass(slots=True)
class Allowance:
    """What is left for the entries that are still to come."""

    bytes: int
    """Of resources in the answer, at the beginning."""
    seconds: float
    now: Callable[[], float]
    """Seconds of a clock that never goes back."""
    _taken: int = 0
    _until: float = 0
    _full: bool = False

    def __post_init__(self) -> None:
        self._until = self.now() + self.seconds

    def require_time(self) -> None:
        """TimedOut when the time is up."""
        if self.now() >= self._until:
            raise TimedOut(
                f"The entries before took the {self.seconds:g} s that a batch may take, so this one"
                " was not begun; send it again."
            )

    def require_room(self) -> None:
        """TooCostly once an answer had no room."""
        if self._full:
            raise TooCostly(
                f"The answer would hold more than {self.bytes} bytes of resources; ask for less,"
                " or in several batches."
            )

    def take(self, reply: Reply) -> bool:
        """Count the resource of a reply; whether there was room for it."""
        taken = self._taken + _size(reply)
        self._full = self._full or taken > self.bytes
        if taken > self.bytes:
            return False
        self._taken = taken
        return True


def _size(reply: Reply) -> int:
    if isinstance(reply.content, bytes):
        return len(reply.content)
    if reply.content is None and reply.version is not None and reply.shows_version:
        return len(reply.version.content or b"")
    return 0
