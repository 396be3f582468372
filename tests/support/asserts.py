"""What an answer must be, in one line each. An error is compared as a whole outcome."""

from collections.abc import Sequence
from typing import Any

import httpx


def assert_issue(
    response: httpx.Response,
    status: int,
    code: str,
    diagnostics: str,
    *expression: str,
    severity: str = "error",
) -> None:
    """The answer is an OperationOutcome of exactly this one issue."""
    assert (response.status_code, response.json()) == (
        status,
        outcome(code, diagnostics, *expression, severity=severity),
    )
    assert response.headers["content-type"] == "application/fhir+json;charset=utf-8"


def outcome(
    code: str, diagnostics: str, *expression: str, severity: str = "error"
) -> dict[str, Any]:
    """An OperationOutcome of one issue, spelled out."""
    issue = {"severity": severity, "code": code, "diagnostics": diagnostics}
    places = {"expression": list(expression)} if expression else {}
    return {"resourceType": "OperationOutcome", "issue": [issue | places]}


def statuses(response: httpx.Response) -> Sequence[str]:
    """The status of every entry of a response bundle, which must be one."""
    bundle = response.json()
    assert response.status_code == 200, bundle
    return [entry["response"]["status"] for entry in bundle.get("entry", ())]


def without_meta(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource without what the server adds to a new one."""
    return {name: value for name, value in resource.items() if name not in {"id", "meta"}}


def link(response: httpx.Response, relation: str) -> str | None:
    """The URL of a bundle's link; None when there is none of that relation."""
    for each in response.json().get("link", ()):
        if each["relation"] == relation:
            url: str = each["url"]
            return url
    return None
