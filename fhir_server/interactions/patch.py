"""patch, and conditional patch: changes to a resource in place of the whole resource.

https://hl7.org/fhir/R4/http.html#patch

A JSON Patch is an array (in a bundle a Binary with it), a FHIRPath Patch a Parameters resource.
What comes out is held to everything the body of an update is held to.
"""

import binascii
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, Final

from fhir_server.errors import BadRequest, NotFound, TooCostly, UnsupportedMediaType
from fhir_server.fhir import json_format, json_patch
from fhir_server.fhir.json_patch import PatchFailed
from fhir_server.fhirpath import patch as fhirpath_patch
from fhir_server.interactions.answering import written
from fhir_server.interactions.context import Context, Decision
from fhir_server.interactions.matching import match_one
from fhir_server.interactions.preconditions import require_match, require_none_match
from fhir_server.interactions.request import Request, Resource
from fhir_server.interactions.resources import checked_resource
from fhir_server.interactions.validating import InvalidResult, require_valid
from fhir_server.interactions.writing import Draft
from fhir_server.storage.query import Guard
from fhir_server.storage.versions import Version

JSON_PATCH: Final = "application/json-patch+json"
FORMATS: Final = (JSON_PATCH, "application/fhir+json")
"""Media types of patches; the second is a FHIRPath Patch."""

_FIXED: Final = ("resourceType", "id")
_STAMPED: Final = ("versionId", "lastUpdated")
"""Of meta; the server sets them with each version."""


async def patch(request: Request, context: Context) -> Decision:
    """Change the resource of the URL; NotFound or Gone when there is none."""
    type_, id_ = request.path
    current = await context.repository.read(type_, id_)
    return await _changed(request, current, context)


async def conditional_patch(request: Request, context: Context) -> Decision:
    """Change the one resource that meets the criteria; NotFound if none, MultipleMatches."""
    (type_,) = request.path
    match = await match_one(type_, request.query, context)
    if match.version is None:
        raise NotFound(f"No {type_} meets the criteria, so there is nothing to patch.")
    return await _changed(request, match.version, context, [match.guard])


async def _changed(
    request: Request, current: Version, context: Context, guards: Sequence[Guard] = ()
) -> Decision:
    require_match(request, current)
    require_none_match(request, current)
    assert current.content is not None  # noqa: S101 -- neither way leads to a deletion
    before = json_format.parse(current.content, max_depth=context.policy.json_depth)
    after = _storable(_applied(before, request, context), before, context)
    await require_valid(after, context, InvalidResult)
    draft = Draft(current.type, current.id, "PATCH", after, current)

    return Decision(
        lambda versions: written(request, versions[0], 200, default="representation"),
        [draft],
        guards,
    )


def _applied(resource: Resource, request: Request, context: Context) -> Any:
    """What the patch makes of the resource."""
    body = request.body
    named = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if named == JSON_PATCH:
            return json_patch.apply_patch(resource, body)
        if isinstance(body, dict) and body.get("resourceType") == "Binary":
            return json_patch.apply_patch(resource, _in_binary(body, context))
        if isinstance(body, list):
            raise BadRequest(f"An array is a JSON Patch; its Content-Type is {JSON_PATCH}.")
        if body is None:
            raise BadRequest(f"A patch is Parameters, or a Binary with contentType {JSON_PATCH}.")
        return fhirpath_patch.apply_patch(resource, body, context.definitions.elements)
    except RecursionError:
        raise TooCostly("The patch nests too deeply.") from None


def _in_binary(binary: Resource, context: Context) -> Any:
    """https://hl7.org/fhir/R4/http.html#jsonpatch-bundle: the JSON Patch that a Binary holds."""
    type_, data = binary.get("contentType"), binary.get("data")
    if not isinstance(type_, str) or type_.partition(";")[0].strip().lower() != JSON_PATCH:
        raise UnsupportedMediaType(
            f"A patch in a bundle is Parameters, or a Binary with contentType {JSON_PATCH}.",
            expression=["Binary.contentType"],
        )
    try:
        decoded = b64decode("".join(data.split()), validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        raise BadRequest("The data is not base64.", expression=["Binary.data"]) from None
    return json_format.parse(decoded, max_depth=context.policy.json_depth)


def _storable(after: Any, before: Resource, context: Context) -> Resource:
    """What was made, if it could be the body of an update; PatchFailed says why not."""
    policy = context.policy
    try:
        json_format.require_bounded(after, policy.json_depth, policy.body_bytes)
        _require_fixed(after, before)
        return checked_resource(after, context.definitions.resource_types)
    except BadRequest as error:
        raise PatchFailed(
            f"What the patch makes cannot be stored: {error.message}", expression=error.expression
        ) from None


def _require_fixed(after: Any, before: Resource) -> None:
    """PatchFailed when something changed that is not the caller's.

    A meta put in place of the old one may leave out what the server sets anyway.
    """
    if not isinstance(after, dict):
        return
    for name in _FIXED:
        if after.get(name) != before.get(name):
            raise _fixed(before, name)
    meta, stamped = after.get("meta", {}), before["meta"]
    if not isinstance(meta, dict) or not any(name in meta for name in _STAMPED):
        return
    for name in _STAMPED:
        if meta.get(name) != stamped[name]:
            raise _fixed(before, f"meta.{name}")


def _fixed(resource: Resource, name: str) -> PatchFailed:
    type_ = resource["resourceType"]
    return PatchFailed(
        f"A patch cannot change {name} of {type_}/{resource['id']}.", expression=[f"{type_}.{name}"]
    )
