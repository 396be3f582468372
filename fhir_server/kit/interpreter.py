"""The interpreter, told how a server lives.

Much that it holds stays for good, and what a request makes dies young. Beside the thread of
the event loop there are threads that write and scan.
"""

import gc
import sys

_YOUNG_OBJECTS = 50_000
"""Objects made before the collector looks: a bundle of 100 entries makes so many."""
_TURN = 0.001
"""Seconds a thread may hold the interpreter while another waits: a request is shorter."""


def settle() -> None:
    """Call it when all is open: what lives now lives as long as the process, and is not visited."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
    sys.setswitchinterval(_TURN)
