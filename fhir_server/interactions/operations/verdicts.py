"""Verdicts on codes as the answers of $validate-code.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html

R4 knows `result`, `message` and `display`. What else is told has the names it got later, in R5 and
in the guide for terminology servers: `code`, `system`, `version`, `issues`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fhir_server.interactions.operations.results import Item, parameters, text, value
from fhir_server.interactions.request import Resource
from fhir_server.terminology.verdict import Finding, Verdict

_STANDING: Final = "status-check"
"""The kind of what is to be said of definitions rather than of the code."""
_KINDS: Final = "http://hl7.org/fhir/tools/CodeSystem/tx-issue-type"


def answer(
    verdicts: Sequence[Verdict], concept: Mapping[str, Any] | None, further: Sequence[Finding] = ()
) -> Resource:
    """The answer about one code, or about the codings of a CodeableConcept together."""
    findings = [*further, *(each for verdict in verdicts for each in verdict.findings)]
    errors = [each.text for each in findings if each.severity == "error"]
    result = not errors and any(verdict.inside for verdict in verdicts)
    told = errors or [each.text for each in findings if each.kind != _STANDING]
    return parameters(
        value("result", "boolean", result),
        *text("message", "string", " ".join(told)),
        *_code(_one_meant(verdicts), alone=concept is None),
        *([] if concept is None else [value("codeableConcept", "CodeableConcept", concept)]),
        *_not_here(verdicts),
        *([_issues(findings)] if findings else []),
    )


def _one_meant(verdicts: Sequence[Verdict]) -> Verdict:
    """Of several codings the first that is one of the value set; else the first."""
    return next((each for each in verdicts if each.inside), verdicts[0])


def _code(verdict: Verdict, *, alone: bool) -> list[Item]:
    """What is known of the code; of codings that are none of the value set, nothing."""
    if not alone and verdict.inside is False:
        return []
    named = alone or verdict.inside
    return [
        *text("display", "string", verdict.display),
        *(text("code", "code", verdict.code) if named else []),
        *(text("system", "uri", verdict.system) if named else []),
        *text("version", "string", verdict.version),
        *text("normalized-code", "code", verdict.normalized),
        *([value("inactive", "boolean", content=True)] if verdict.inactive else []),
        *text("status", "string", verdict.status),
    ]


def _not_here(verdicts: Sequence[Verdict]) -> list[Item]:
    """The code systems for want of which something cannot be told."""
    unknown = dict.fromkeys(each.unknown_system for each in verdicts)
    causes = dict.fromkeys(each.caused_by for each in verdicts)
    return [
        *(item for each in unknown for item in text("x-unknown-system", "canonical", each)),
        *(
            item
            for each in causes
            for item in text("x-caused-by-unknown-system", "canonical", each)
        ),
    ]


def _issues(findings: Sequence[Finding]) -> Item:
    outcome = {"resourceType": "OperationOutcome", "issue": [_issue(each) for each in findings]}
    return {"name": "issues", "resource": outcome}


def _issue(finding: Finding) -> dict[str, Any]:
    issue: dict[str, Any] = {
        "severity": finding.severity,
        "code": finding.code,
        "details": {
            "coding": [{"system": _KINDS, "code": finding.kind}],
            "text": finding.text,
        },
    }
    if finding.place:
        issue["expression"] = [finding.place]
    return issue
