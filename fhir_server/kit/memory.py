"""The garbage collector, told how a server lives: much that stays, bursts that die young."""

import gc

_YOUNG_OBJECTS = 50_000
"""Objects made before the collector looks: a bundle of 100 entries makes so many."""


def settle() -> None:
    """Call it when all is open: what lives now lives as long as the process, and is not visited."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
