"""An error as status and OperationOutcome: the only place where one becomes the other.

Bundle entries fail by the same words as requests do, which is why this lies a floor below
`api`. What we did not foresee shows an id to the caller and everything else to the log.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace

import structlog

from fhir_server.errors import FhirError
from fhir_server.fhir.outcome import Issue, operation_outcome
from fhir_server.interactions.request import Reply
from fhir_server.interactions.validating import InvalidResource
from fhir_server.storage.base import StoreError

_log = structlog.get_logger()


def failed(error: Exception) -> Reply:
    """The reply that tells of an error; never a stack trace, never what was stored."""
    if isinstance(error, FhirError):
        reply = Reply(error.status, content=operation_outcome(_issues_of(error)))
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


def _issues_of(error: FhirError) -> Sequence[Issue]:
    if isinstance(error, InvalidResource):
        return error.issues
    return [Issue("error", error.issue, error.message, error.expression)]


def unplace(error: FhirError) -> None:
    """Take the places from an error that is not about what was sent."""
    error.expression = ()
    if isinstance(error, InvalidResource):
        error.issues = [replace(each, expression=()) for each in error.issues]


def placed(error: FhirError, index: int, what: str) -> FhirError:
    """The error of a bundle's entry, saying which entry it was and where in the bundle."""
    error.message = f"Entry {index}, {what}: {error.message}"
    error.expression = tuple(_in_entry(index, error.expression))
    if isinstance(error, InvalidResource):
        error.issues = [_placed(each, index, what) for each in error.issues]
    return error


def _placed(issue: Issue, index: int, what: str) -> Issue:
    return replace(
        issue,
        diagnostics=f"Entry {index}, {what}: {issue.diagnostics}",
        expression=_in_entry(index, issue.expression),
    )


def _in_entry(index: int, expression: Sequence[str]) -> Sequence[str]:
    entry = f"Bundle.entry[{index}]"
    if not expression:
        return [entry]
    inner = [place.partition(".")[2] for place in expression]
    return [f"{entry}.resource.{place}" if place else f"{entry}.resource" for place in inner]
