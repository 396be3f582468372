"""Code systems and value sets made for tests, and observations of their codes."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.search_tables import Resource, labelled

SETS = "http://example.org/vs"
"""Where value sets of tests have their urls."""


def concept(code: str, *nested: Mapping[str, Any], **properties: str | bool) -> dict[str, Any]:
    """A concept with those nested in it, and with properties by their codes."""
    found: dict[str, Any] = {"code": code}
    if nested:
        found["concept"] = list(nested)
    if properties:
        found["property"] = [
            {"code": name, "valueBoolean" if isinstance(value, bool) else "valueCode": value}
            for name, value in properties.items()
        ]
    return found


def code_system(url: str, *concepts: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "url": url,
        "status": "active",
        "content": "complete",
        "concept": list(concepts),
        **members,
    }


def value_set(name: str, *include: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    exclude = members.pop("exclude", None)
    compose = {"include": list(include), **({"exclude": exclude} if exclude else {})}
    return {"url": f"{SETS}/{name}", "status": "active", "compose": compose, **members}


def of(system: str, *codes: str, **members: Any) -> dict[str, Any]:
    listed = {"concept": [{"code": code} for code in codes]} if codes else {}
    return {"system": system, **listed, **members}


def chosen(system: str, operator: str, value: str, property_: str = "concept") -> dict[str, Any]:
    return of(system, filter=[{"property": property_, "op": operator, "value": value}])


def observed(codes: Mapping[str, Sequence[tuple[str | None, str]]]) -> list[Resource]:
    """Observations by label, each with codings of a system and a code."""
    return labelled(
        "Observation",
        {
            label: {
                "status": "final",
                "code": {
                    "coding": [
                        {**({"system": system} if system else {}), "code": code}
                        for system, code in codings
                    ]
                },
            }
            for label, codings in codes.items()
        },
    )
