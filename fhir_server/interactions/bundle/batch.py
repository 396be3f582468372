"""batch: each entry on its own, in the order sent; one that fails does not disturb another.

https://hl7.org/fhir/R4/http.html#transaction
"""

import asyncio
from typing import Any

from fhir_server.fhir import bundle
from fhir_server.interactions.bundle.entries import entry_of, preferences, raw_entries
from fhir_server.interactions.bundle.performing import perform_entry
from fhir_server.interactions.bundle.responses import response_entry
from fhir_server.interactions.context import Context
from fhir_server.interactions.failures import failed
from fhir_server.interactions.request import Reply, Request, Resource


async def batch(request: Request, resource: Resource, context: Context) -> Reply:
    """A batch-response with an entry for each entry, in the same order."""
    prefer = preferences(request)
    entries = []
    for index, raw in enumerate(raw_entries(resource, context)):
        reply = await _entry(raw, index, context, prefer)
        entries.append(response_entry(reply, context.base_url))
        await asyncio.sleep(0)
    return Reply(200, content=bundle.response("batch", entries))


async def _entry(raw: Any, index: int, context: Context, prefer: str) -> Reply:
    try:
        return await perform_entry(entry_of(raw, index, context, prefer), context)
    except Exception as error:  # noqa: BLE001 -- whatever befalls one entry, the others go on
        return failed(error)
