"""Turns for others: a bundle of thousands of entries must not hold up every other request."""

import asyncio

_IN_A_ROW = 50
"""Entries looked at before other requests get their turn."""


async def let_others(place: int) -> None:
    """Let other requests have their turn, after some entries; `place` counts them."""
    if place % _IN_A_ROW == 0:
        await asyncio.sleep(0)
