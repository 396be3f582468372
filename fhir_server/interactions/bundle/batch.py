"""batch: each entry on its own, as if in the order sent; one that fails disturbs no other.

https://hl7.org/fhir/R4/http.html#transaction
"""

import asyncio
from typing import Any

from fhir_server.errors import FhirError
from fhir_server.fhir import bundle
from fhir_server.interactions.bundle.allowance import Allowance
from fhir_server.interactions.bundle.entries import Entry, entry_of, preferences, raw_entries
from fhir_server.interactions.bundle.neighbours import runs
from fhir_server.interactions.bundle.performing import attempt_entry
from fhir_server.interactions.bundle.responses import response_entry
from fhir_server.interactions.context import Context
from fhir_server.interactions.failures import failed
from fhir_server.interactions.request import Reply, Request, Resource


async def batch(request: Request, resource: Resource, context: Context) -> Reply:
    """A batch-response with an entry for each entry, in the same order."""
    prefer = preferences(request)
    raw = raw_entries(resource, context)
    sent = (_entry(one, index, context, prefer) for index, one in enumerate(raw))
    allowance = Allowance(context.policy.bundle_bytes, context.policy.bundle_seconds)
    answers: list[bytes] = []
    for run in runs(sent, context):
        replies = await asyncio.gather(*(_reply(entry, context, allowance) for entry in run))
        answers += [response_entry(reply, context.base_url) for reply in replies]
        await asyncio.sleep(0)
    return Reply(200, content=bundle.response("batch", answers))


def _entry(raw: Any, index: int, context: Context, prefer: str) -> Entry | Reply:
    try:
        return entry_of(raw, index, context, prefer)
    except FhirError as error:
        return failed(error)


async def _reply(entry: Entry | Reply, context: Context, allowance: Allowance) -> Reply:
    return entry if isinstance(entry, Reply) else await attempt_entry(entry, context, allowance)
