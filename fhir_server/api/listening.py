"""Whether the caller still waits for an answer that takes long to make.

https://asgi.readthedocs.io/en/latest/specs/www.html#disconnect-receive-event
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fhir_server.api.body import Receive


@asynccontextmanager
async def listening(receive: Receive) -> AsyncIterator[Callable[[], bool]]:
    """Says at any time whether the caller has gone; begin it once the body is there."""

    async def hear() -> bool:
        message = await receive()
        return bool(message["type"] == "http.disconnect")

    heard = asyncio.create_task(hear())
    try:
        yield lambda: heard.done() and heard.result()
    finally:
        heard.cancel()
