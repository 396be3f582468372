"""Where bundles are loaded to: what a server over HTTP and a system in this process share."""

from dataclasses import dataclass
from typing import Any, Protocol

from fhir_server.errors import MalformedContent
from fhir_server.fhir import json_format
from fhir_server.interactions.request import Resource

PREFER = {"prefer": "return=minimal"}
"""What was sent need not come back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a bundle: the status, and the Bundle or OperationOutcome that came back."""

    status: int
    resource: Resource


class Target(Protocol):
    in_flight: int
    """How many bundles to have under way at once."""

    async def send(self, bundle: Resource) -> Answer:
        """Have a transaction or batch carried out; what the target refuses is an answer too."""
        ...


def resource_of(data: bytes) -> Resource:
    """The JSON object of an answer's body; an empty one when it is something else."""
    try:
        value: Any = json_format.parse(data)
    except MalformedContent:
        return {}
    return value if isinstance(value, dict) else {}
