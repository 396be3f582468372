"""Resources for tests: small, valid, and each findable by an identifier nobody else has."""

from collections.abc import Mapping
from itertools import count
from typing import Any
from uuid import uuid4

SYSTEM = "https://example.org/tests"
"""The system of every identifier and code that tests make up."""

_numbers = count(1)


def unique(prefix: str = "x") -> str:
    """A text that no other test uses, and that can be an id: stores are shared by a module."""
    return f"{prefix}-{next(_numbers)}-{uuid4().hex[:12]}"


def urn() -> str:
    return f"urn:uuid:{uuid4()}"


def an_identifier(value: str) -> dict[str, str]:
    return {"system": SYSTEM, "value": value}


def a_patient(mark: str = "", **members: Any) -> dict[str, Any]:
    """A patient, found by `identifier={SYSTEM}|{mark}` when a mark is given."""
    return {
        "resourceType": "Patient",
        **({"identifier": [an_identifier(mark)]} if mark else {}),
        "name": [{"family": "Chalmers", "given": ["Peter", "James"]}],
        "gender": "male",
        "birthDate": "1974-12-25",
        **members,
    }


def an_observation(subject: str = "", mark: str = "", **members: Any) -> dict[str, Any]:
    """A body weight; `subject` is a reference, such as `Patient/1`."""
    return {
        "resourceType": "Observation",
        **({"identifier": [an_identifier(mark)]} if mark else {}),
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        **({"subject": {"reference": subject}} if subject else {}),
        "valueQuantity": {
            "value": 72.5,
            "unit": "kg",
            "system": "http://unitsofmeasure.org",
            "code": "kg",
        },
        **members,
    }


def a_basic(**members: Any) -> dict[str, Any]:
    """The least that a resource of type Basic must have."""
    return {"resourceType": "Basic", "code": {"text": "test"}, **members}


def an_entry(
    method: str,
    url: str,
    resource: Mapping[str, Any] | None = None,
    full_url: str = "",
    **request: str,
) -> dict[str, Any]:
    """An entry of a batch or transaction; `request` is ifMatch, ifNoneExist and their like."""
    return {
        **({"fullUrl": full_url} if full_url else {}),
        **({"resource": resource} if resource is not None else {}),
        "request": {"method": method, "url": url, **request},
    }


def a_create(resource: Mapping[str, Any], full_url: str = "", **request: str) -> dict[str, Any]:
    return an_entry("POST", resource["resourceType"], resource, full_url, **request)


def an_update(resource: Mapping[str, Any], full_url: str = "", **request: str) -> dict[str, Any]:
    url = f"{resource['resourceType']}/{resource['id']}"
    return an_entry("PUT", url, resource, full_url, **request)


def a_transaction(*entries: Mapping[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def a_batch(*entries: Mapping[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "batch", "entry": list(entries)}
