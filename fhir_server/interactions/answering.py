"""Answers that several interactions share: what a write returns, and what Prefer asks for.

https://hl7.org/fhir/R4/http.html#ops
"""

from collections.abc import Sequence

from fhir_server.fhir.outcome import Issue, operation_outcome
from fhir_server.interactions.request import Reply, Request, Resource
from fhir_server.storage.versions import Version

_FORMS = frozenset({"minimal", "representation", "operationoutcome"})


def preference(request: Request, name: str) -> str | None:
    """The value of one preference in Prefer, lower case; None when it is not stated."""
    header = request.headers.get("prefer")
    if header is None:
        return None
    for part in header.replace(";", ",").split(","):
        key, _, value = part.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"').lower()
    return None


def return_form(request: Request, default: str) -> str:
    """minimal, representation or operationoutcome, as Prefer: return says; else the default."""
    form = preference(request, "return")
    return form if form in _FORMS else default


def written(request: Request, version: Version, status: int, *, default: str) -> Reply:
    """The answer to a create or update, in the form that Prefer: return asks for."""
    done = "created" if status == 201 else "stored"
    what = f"{version.type}/{version.id} {done} as version {version.number}."
    return _returned(request, version, status, what, default)


def found(request: Request, version: Version, *, default: str) -> Reply:
    """The answer to a conditional create that found a resource and stored none."""
    where = f"{version.type}/{version.id} was there already in version {version.number}"
    return _returned(request, version, 200, f"{where}; nothing was stored.", default)


def deleted(request: Request, version: Version | None, what: str) -> Reply:
    """The answer to a delete: 204, or 200 with an OperationOutcome when Prefer asks for one."""
    if return_form(request, "minimal") != "operationoutcome":
        return Reply(204, version, shows_version=False)
    issue = Issue("information", "informational", what)
    return Reply(200, version, content=operation_outcome([issue]))


def warn(reply: Reply, warnings: Sequence[str]) -> None:
    """Add warnings to a reply, and to the OperationOutcome that is its content, if it is one."""
    reply.warnings += warnings
    outcome = outcome_of(reply)
    if warnings and outcome is not None:
        outcome["issue"] += warnings_outcome(warnings)["issue"]


def outcome_of(reply: Reply) -> Resource | None:
    """The OperationOutcome that is the reply's content; None if that is something else."""
    content = reply.content
    if isinstance(content, dict) and content["resourceType"] == "OperationOutcome":
        return content
    return None


def warnings_outcome(warnings: Sequence[str]) -> Resource:
    return operation_outcome([Issue("warning", "incomplete", words) for words in warnings])


def _returned(request: Request, version: Version, status: int, what: str, default: str) -> Reply:
    reply = Reply(status, version)
    reply.location = f"{version.type}/{version.id}/_history/{version.number}"
    form = return_form(request, default)
    if form == "minimal":
        reply.shows_version = False
    elif form == "operationoutcome":
        reply.content = operation_outcome([Issue("information", "informational", what)])
    return reply
