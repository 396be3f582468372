"""batch: each entry on its own, in the order sent; one that fails does not disturb another.

https://hl7.org/fhir/R4/http.html#transaction
"""

import asyncio
from typing import Any

from fhir_server.errors import FhirError
from fhir_server.fhir import bundle
from fhir_server.interactions.answering import preference
from fhir_server.interactions.bundle.entries import entry_of, raw_entries
from fhir_server.interactions.bundle.responses import response_entry
from fhir_server.interactions.context import Context
from fhir_server.interactions.failures import failed, placed
from fhir_server.interactions.request import Reply, Request, Resource


async def batch(request: Request, resource: Resource, context: Context) -> Reply:
    """A batch-response with an entry for each entry, in the same order."""
    prefer = f"return={preference(request, 'return') or 'minimal'}"
    entries = []
    for index, raw in enumerate(raw_entries(resource, context)):
        reply = await _entry(raw, index, context, prefer)
        entries.append(response_entry(reply, context.base_url))
        await asyncio.sleep(0)
    return Reply(200, content=bundle.response("batch", entries))


async def _entry(raw: Any, index: int, context: Context, prefer: str) -> Reply:
    try:
        entry = entry_of(raw, index, context, prefer)
        try:
            return await context.table.perform(entry.request, context)
        except FhirError as error:
            return failed(placed(error, index, entry.what))
    except Exception as error:  # noqa: BLE001 -- whatever befalls one entry, the others go on
        return failed(error)
