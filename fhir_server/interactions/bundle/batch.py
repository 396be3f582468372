"""batch: each entry on its own, in the order sent; one that fails does not disturb another.

https://hl7.org/fhir/R4/http.html#transaction
"""

import asyncio
from typing import Any

from fhir_server.errors import FhirError
from fhir_server.fhir import bundle
from fhir_server.interactions.bundle.allowance import Allowance
from fhir_server.interactions.bundle.entries import entry_of, preferences, raw_entries
from fhir_server.interactions.bundle.performing import attempt_entry
from fhir_server.interactions.bundle.responses import response_entry
from fhir_server.interactions.context import Context
from fhir_server.interactions.failures import failed
from fhir_server.interactions.request import Reply, Request, Resource


async def batch(request: Request, resource: Resource, context: Context) -> Reply:
    """A batch-response with an entry for each entry, in the same order."""
    prefer = preferences(request)
    allowance = Allowance(context.policy.bundle_bytes, context.policy.bundle_seconds)
    entries = []
    for index, raw in enumerate(raw_entries(resource, context)):
        reply = await _reply(raw, index, context, prefer, allowance)
        entries.append(response_entry(reply, context.base_url))
        await asyncio.sleep(0)
    return Reply(200, content=bundle.response("batch", entries))


async def _reply(
    raw: Any, index: int, context: Context, prefer: str, allowance: Allowance
) -> Reply:
    try:
        entry = entry_of(raw, index, context, prefer)
    except FhirError as error:
        return failed(error)
    return await attempt_entry(entry, context, allowance)
