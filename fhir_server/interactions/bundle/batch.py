"""batch: each entry on its own, in the order sent; one that fails does not disturb another.

https://hl7.org/fhir/R4/http.html#transaction
"""

import asyncio
from typing import Any

from fhir_server.fhir import bundle
from fhir_server.interactions.bundle.allowance import Allowance
from fhir_server.interactions.bundle.entries import Entry, entry_of, preferences, raw_entries
from fhir_server.interactions.bundle.performing import perform_entry, placing
from fhir_server.interactions.bundle.responses import response_entry
from fhir_server.interactions.context import Context
from fhir_server.interactions.failures import failed
from fhir_server.interactions.request import Reply, Request, Resource


async def batch(request: Request, resource: Resource, context: Context) -> Reply:
    """A batch-response with an entry for each entry, in the same order."""
    prefer = preferences(request)
    policy, clock = context.policy, asyncio.get_running_loop().time
    allowance = Allowance(policy.batch_bytes, policy.batch_seconds, clock)
    entries = []
    for index, raw in enumerate(raw_entries(resource, context)):
        reply = await _entry(raw, index, context, prefer, allowance)
        entries.append(response_entry(reply, context.base_url))
        await asyncio.sleep(0)
    return Reply(200, content=bundle.response("batch", entries))


async def _entry(
    raw: Any, index: int, context: Context, prefer: str, allowance: Allowance
) -> Reply:
    try:
        entry = entry_of(raw, index, context, prefer)
        with placing(entry):
            allowance.require_time()
        return await _within(allowance, entry, context)
    except Exception as error:  # noqa: BLE001 -- whatever befalls one entry, the others go on
        return failed(error)


async def _within(allowance: Allowance, entry: Entry, context: Context) -> Reply:
    """The entry's reply; where there is no room a read fails, and a write shows no resource."""
    reads = entry.request.method in {"GET", "HEAD"} or entry.request.path[-1:] == ["_search"]
    if reads:
        with placing(entry):
            allowance.require_room()
    reply = await perform_entry(entry, context)
    if not allowance.take(reply):
        if reads:
            with placing(entry):
                allowance.require_room()
        reply.shows_version = False
    return reply
