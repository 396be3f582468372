"""OperationOutcome: how a server says what happened.

https://hl7.org/fhir/R4/operationoutcome.html
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["fatal", "error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing to tell."""

    severity: Severity
    code: str
    """From https://hl7.org/fhir/R4/valueset-issue-type.html."""
    diagnostics: str
    """A sentence for a person; never patient content."""
    expression: Sequence[str] = ()
    """FHIRPath of the places meant."""
    message_id: str = ""
    """A name for what is said, which stays the same when the words are bettered."""


MESSAGE_ID = "http://hl7.org/fhir/StructureDefinition/operationoutcome-message-id"


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """The resource; without any issue it says that all is well, since it needs one."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [_issue(issue) for issue in issues] or [_issue(ALL_OK)],
    }


ALL_OK = Issue("information", "informational", "All OK")


def _issue(issue: Issue) -> dict[str, Any]:
    written: dict[str, Any] = {
        "severity": issue.severity,
        "code": issue.code,
        "diagnostics": issue.diagnostics,
    }
    if issue.expression:
        written["expression"] = list(issue.expression)
    if issue.message_id:
        extension = {"url": MESSAGE_ID, "valueString": issue.message_id}
        return {"extension": [extension], **written}
    return written
