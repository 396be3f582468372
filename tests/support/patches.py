"""Patches for tests, in both formats, and how they are sent."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.support.server import Server

JSON_PATCH = "application/json-patch+json"
GENDER = [{"op": "replace", "path": "/gender", "value": "other"}]


def a_fhirpath_patch(*operations: dict[str, Any]) -> dict[str, Any]:
    """Parameters with these operations, each a value by the name of its part."""
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "operation", "part": [{"name": name} | value for name, value in each.items()]}
            for each in operations
        ],
    }


def replacing(path: str, **value: Any) -> dict[str, Any]:
    return {"type": {"valueCode": "replace"}, "path": {"valueString": path}, "value": value}


def in_binary(operations: Any) -> dict[str, Any]:
    """A JSON Patch as an entry of a bundle carries it."""
    data = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"resourceType": "Binary", "contentType": JSON_PATCH, "data": data}


async def patched(server: Server, path: str, body: Any, **headers: str) -> httpx.Response:
    """The answer to a patch, of the media type that its body has."""
    if isinstance(body, list):
        headers.setdefault("content_type", JSON_PATCH)
    return await server.send("PATCH", path, body, **headers)


AS_FHIRPATH = a_fhirpath_patch(replacing("Patient.gender", valueCode="other"))
"""The same as `GENDER`."""
FORMS = [pytest.param(GENDER, id="JSON Patch"), pytest.param(AS_FHIRPATH, id="FHIRPath Patch")]
"""Both, for tests to be run with each."""
