"""An error as status and OperationOutcome: the only place where one becomes the other.

Bundle entries fail by the same words as requests do, which is why this lies a floor below
`api`. What we did not foresee shows an id to the caller and everything else to the log.
"""

import secrets
from collections.abc import Sequence

import structlog

from fhir_server.errors import FhirError
from fhir_server.fhir.outcome import Issue, operation_outcome
from fhir_server.interactions.request import Reply
from fhir_server.storage.base import StoreError

_log = structlog.get_logger()


def failed(error: Exception) -> Reply:
    """The reply that tells of an error; never a stack trace, never what was stored."""
    if isinstance(error, FhirError):
        issue = Issue("error", error.issue, error.message, error.expression)
        reply = Reply(error.status, content=operation_outcome([issue]))
        reply.headers |= error.headers
        return reply
    incident = secrets.token_hex(8)
    told = f"Tell the operator this incident: {incident}"
    if isinstance(error, StoreError):
        _log.error("store failed", incident=incident, reason=str(error), exc_info=error)
        issue = Issue("error", "transient", f"The store failed; try again later. {told}")
        return Reply(503, content=operation_outcome([issue]))
    _log.error("unexpected error", incident=incident, exc_info=error)
    issue = Issue("fatal", "exception", f"The server failed unexpectedly. {told}")
    return Reply(500, content=operation_outcome([issue]))


def placed(error: FhirError, index: int, what: str) -> FhirError:
    """The error of a bundle's entry, saying which entry it was and where in the bundle."""
    error.message = f"Entry {index}, {what}: {error.message}"
    error.expression = tuple(_in_entry(index, error.expression))
    return error


def _in_entry(index: int, expression: Sequence[str]) -> Sequence[str]:
    entry = f"Bundle.entry[{index}]"
    if not expression:
        return [entry]
    inner = [place.partition(".")[2] for place in expression]
    return [f"{entry}.resource.{place}" if place else f"{entry}.resource" for place in inner]
