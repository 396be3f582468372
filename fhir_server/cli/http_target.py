"""Loading over HTTP, into any FHIR R4 server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from fhir_server import __version__
from fhir_server.cli.refusal import Refusal
from fhir_server.cli.targets import PREFER, Answer, Target, resource_of
from fhir_server.fhir import json_format
from fhir_server.interactions.request import Resource

_PATIENCE = httpx.Timeout(10, read=300, write=300)
"""Seconds: a server busy with whole patients may take its time to answer, not to connect."""
_HEADERS = {
    "accept": "application/fhir+json",
    "content-type": "application/fhir+json",
    "user-agent": f"fhir-server/{__version__}",
    **PREFER,
}


@asynccontextmanager
async def over_http(
    base: str, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Target]:
    """The server at a FHIR base URL; Refusal if nothing there speaks FHIR.

    `transport` stands in for the network.
    """
    base = base.rstrip("/")
    async with httpx.AsyncClient(
        headers=_HEADERS, timeout=_PATIENCE, transport=transport
    ) as client:
        await _greet(client, f"{base}/metadata")
        yield _HttpTarget(client, base)


class _HttpTarget:
    in_flight = 4

    def __init__(self, client: httpx.AsyncClient, base: str) -> None:
        self._client = client
        self._base = base

    async def send(self, bundle: Resource) -> Answer:
        try:
            response = await self._client.post(self._base, content=json_format.write(bundle))
        except httpx.HTTPError as error:
            return _undelivered(f"the server did not answer: {_said(error)}")
        return Answer(response.status_code, resource_of(response.content))


async def _greet(client: httpx.AsyncClient, url: str) -> None:
    try:
        response = await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Refusal(f"{url} does not answer: {_said(error)}") from None
    if resource_of(response.content).get("resourceType") != "CapabilityStatement":
        raise Refusal(
            f"{url} answers {response.status_code} and no CapabilityStatement;"
            " --server takes the FHIR base URL, such as http://127.0.0.1:8000/fhir"
        )


def _undelivered(words: str) -> Answer:
    issue = {"severity": "error", "code": "transient", "diagnostics": words}
    return Answer(503, {"resourceType": "OperationOutcome", "issue": [issue]})


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
