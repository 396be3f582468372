"""Whether this process wants more requests, as `/readyz` tells a load balancer.

A load balancer needs some seconds to notice. So SIGTERM first makes the process not ready,
lets it serve on for a while, and only then goes to whoever handled the signal before.
"""

import asyncio
import math
import signal
import time
from types import FrameType


class Readiness:
    """Ready until the process is asked to stop."""

    def __init__(self, delay: float = 0, grace: float = 0) -> None:
        """`delay`: seconds to serve on. `grace`: seconds after them until no step may begin."""
        self.stopping = False
        """Whether SIGTERM has come: not ready any more, though still serving."""
        self._delay = delay
        self._grace = grace
        self._closes = math.inf

    @property
    def closing(self) -> bool:
        """Whether the end is so near that a long answer begins no further step."""
        return time.monotonic() >= self._closes

    def watch(self) -> None:
        """Listen for SIGTERM from now on; call it in the main thread, inside the event loop."""
        loop = asyncio.get_running_loop()
        previous = signal.getsignal(signal.SIGTERM)

        def pass_on() -> None:
            if callable(previous):
                previous(signal.SIGTERM, None)

        def stop(_number: int, _frame: FrameType | None) -> None:
            delay = 0 if self.stopping else self._delay  # asked twice: at once
            self.stopping = True
            self._closes = time.monotonic() + delay + self._grace
            loop.call_soon_threadsafe(loop.call_later, delay, pass_on)

        signal.signal(signal.SIGTERM, stop)
