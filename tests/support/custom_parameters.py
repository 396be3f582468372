"""SearchParameters of a server's own, and the wait until they are built."""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any

from tests.support.server import Server

PATIENCE = 60
"""Seconds for what should take few: the machine may be busy."""


def a_parameter(code: str, expression: str, **elements: Any) -> dict[str, Any]:
    """An active token parameter of Patient, unless the elements say otherwise; None is left out."""
    whole = {
        "resourceType": "SearchParameter",
        "id": code,
        "url": f"http://example.org/SearchParameter/{code}",
        "name": code.title().replace("-", ""),
        "status": "active",
        "description": "Of a test.",
        "code": code,
        "base": ["Patient"],
        "type": "token",
        "expression": expression,
    } | elements
    return {name: value for name, value in whole.items() if value is not None}


async def listed(server: Server, type_: str, code: str) -> Mapping[str, Any] | None:
    """What the capability statement says of a parameter; None if it does not list it."""
    (rest,) = (await server.get("metadata")).json()["rest"]
    (resource,) = (each for each in rest["resource"] if each["type"] == type_)
    return next((each for each in resource["searchParam"] if each["name"] == code), None)


async def built(server: Server, type_: str, code: str) -> None:
    """Wait until a parameter is listed and ready; the test fails if that takes too long."""
    end = monotonic() + PATIENCE
    while monotonic() < end:
        parameter = await listed(server, type_, code)
        if parameter is not None and "Being built" not in parameter.get("documentation", ""):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{type_}.{code} was not built in {PATIENCE} s: {parameter}")
