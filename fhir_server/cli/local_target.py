"""Loading without a server: the whole system runs in this process, on the store of the settings."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fhir_server.cli.refusal import Refusal
from fhir_server.cli.targets import PREFER, Answer, Target, resource_of
from fhir_server.config import Settings
from fhir_server.interactions.request import Request, Resource, body_of
from fhir_server.kit.interpreter import settle
from fhir_server.storage.base import StoreError
from fhir_server.system import System, open_system

_PATIENCE = 3600.0
"""Seconds that a bundle may take: nobody waits for this process, and nothing may be left out."""


@asynccontextmanager
async def in_process(settings: Settings) -> AsyncIterator[Target]:
    """The system that the settings describe; Refusal if its store cannot be opened."""
    patient = settings.model_copy(
        update={"request_deadline": _PATIENCE, "bundle_deadline": _PATIENCE}
    )
    async with AsyncExitStack() as stack:
        try:
            system = await stack.enter_async_context(open_system(patient))
        except (StoreError, OSError) as error:
            raise Refusal(f"the store cannot be opened: {error}") from None
        settle()
        yield _LocalTarget(system)


class _LocalTarget:
    in_flight = 2

    def __init__(self, system: System) -> None:
        self._system = system

    async def send(self, bundle: Resource) -> Answer:
        reply = await self._system.handle(Request("POST", (), headers=PREFER, body=bundle))
        return Answer(reply.status, resource_of(body_of(reply) or b""))
