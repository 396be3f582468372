"""One entry of a bundle, carried out as if it had been sent alone.

https://hl7.org/fhir/R4/http.html#transaction
"""

from collections.abc import Iterator
from contextlib import contextmanager

from fhir_server.errors import BadRequest, FhirError
from fhir_server.interactions.bundle.allowance import Allowance
from fhir_server.interactions.bundle.entries import Entry
from fhir_server.interactions.context import Context, Interaction
from fhir_server.interactions.failures import failed, placed, unplace
from fhir_server.interactions.request import Reply
from fhir_server.interactions.routing import perform


def interaction_of(entry: Entry, context: Context) -> Interaction:
    """What the entry asks for; its errors are placed."""
    with placing(entry):
        interaction = context.table.find(entry.request, context)
        if interaction.name == "bundle":
            raise BadRequest("A bundle within a bundle is not carried out.")
        return interaction


async def perform_entry(entry: Entry, context: Context) -> Reply:
    """The entry's own reply, without a body for a HEAD; its errors are placed."""
    interaction = interaction_of(entry, context)
    with placing(entry):
        reply = await perform(interaction, entry.request, context)
    if entry.request.method == "HEAD":
        reply.content, reply.shows_version = None, False
    return reply


async def attempt_entry(entry: Entry, context: Context, allowance: Allowance) -> Reply:
    """The entry's reply within the allowance; an error, whatever it is, becomes its reply."""
    try:
        with placing(entry):
            context.require_wanted()
            allowance.require_time()
            if entry.reads:
                allowance.require_room()
        reply = await perform_entry(entry, context)
        with placing(entry):
            allowance.count(reply, asked=entry.reads)
    except Exception as error:  # noqa: BLE001 -- whatever befalls one entry, the others go on
        return failed(error)
    return reply


@contextmanager
def placing(entry: Entry) -> Iterator[None]:
    """Errors from within say which entry they are of, and where in the bundle."""
    try:
        yield
    except FhirError as error:
        if entry.request.method == "PATCH":
            unplace(error)  # it is about what was patched, which is nowhere in the bundle
        raise placed(error, entry.index, entry.what) from None
