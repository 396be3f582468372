"""$validate: whether a resource is right, and whether what is planned with it would succeed.

https://hl7.org/fhir/R4/resource-operation-validate.html

It answers 200 whatever is wrong. Another status says that it could not be told: of a profile, for
example, since resources are checked against the base specification only.
"""

from collections.abc import Sequence
from typing import Any, Final

from fhir_server.errors import BadRequest
from fhir_server.fhir import json_format
from fhir_server.fhir.outcome import Issue, operation_outcome
from fhir_server.interactions.context import Context
from fhir_server.interactions.operations.operation import ANY, Call, Operation
from fhir_server.interactions.request import Resource
from fhir_server.interactions.resources import checked_id, require_same_id
from fhir_server.interactions.validating import structure_issues
from fhir_server.search.clause import shown

_MODES: Final = ("create", "update", "delete", "profile")
_OF_ONE: Final = frozenset({"update", "delete"})
"""Modes that are about the resource of the URL."""
_NEW_CONTENT: Final = frozenset({"create", "update"})
"""Modes that are about content which is not stored yet."""
_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"
_VERSION: Final = "|4.0.1"
_RIGHT: Final = Issue(
    "information",
    "informational",
    "Nothing is wrong by the base specification of FHIR R4.",
    message_id="nothing-wrong",
)


class ProfileNotChecked(BadRequest):
    issue = "not-supported"


async def validate(call: Call, context: Context) -> Resource:
    """An OperationOutcome with all there is to tell; BadRequest where nothing can be told.

    NotFound or Gone when the stored resource is meant and there is none.
    """
    type_, mode = call.request.path[0], call.arguments.text("mode")
    _require_mode(mode, call.id)
    _require_base(call.arguments.text("profile"), type_)
    if mode == "delete":
        return operation_outcome([await _of_deletion(type_, call.id or "", context)])
    resource = await _meant(call, mode, context)
    issues = [*_of_url(resource, call, mode, context), *await _of_content(resource, context)]
    if all(each.message_id == "profiles-not-checked" for each in issues):
        issues.insert(0, _RIGHT)
    return operation_outcome(issues)


def _require_mode(mode: str, id_: str | None) -> None:
    if mode and mode not in _MODES:
        raise BadRequest(f"There is no mode {shown(mode)}; there are {', '.join(_MODES)}.")
    if mode in _OF_ONE and id_ is None:
        raise BadRequest(
            f"The mode {mode} is about one resource: name it in the URL, as in Patient/1/$validate."
        )


def _require_base(profile: str, type_: str) -> None:
    """ProfileNotChecked unless it is the definition that a resource is checked against anyway."""
    base = f"{_BASE}{type_}"
    if profile not in {"", base, base + _VERSION}:
        raise ProfileNotChecked(
            "Profiles are not checked yet, so whether the resource conforms to "
            f"{shown(profile)} cannot be told. What can be checked is {base}."
        )


async def _meant(call: Call, mode: str, context: Context) -> Any:
    """The resource that came with the call, else the stored one of the URL."""
    given = call.arguments.element("resource")
    if given is not None:
        return given
    if call.id is None or mode in _NEW_CONTENT:
        raise BadRequest("Give the resource that is to be validated, as the body or in Parameters.")
    version = await context.repository.read(call.request.path[0], call.id)
    content = version.content or b"{}"  # a deleted one is not read
    return json_format.parse(content, max_depth=context.policy.json_depth)


async def _of_deletion(type_: str, id_: str, context: Context) -> Issue:
    current = await context.repository.current(type_, id_)
    if current is None or current.deleted:
        told = f"There is no {type_}/{id_}; to delete it succeeds and changes nothing."
        return Issue("warning", "not-found", told, message_id="nothing-to-delete")
    told = f"{type_}/{id_} is there and can be deleted."
    return Issue("information", "informational", told, message_id="nothing-wrong")


def _of_url(resource: Resource, call: Call, mode: str, context: Context) -> Sequence[Issue]:
    """What is wrong with sending this resource to this URL."""
    wanted, type_ = call.request.path[0], resource.get("resourceType")
    if type_ != wanted:
        if not isinstance(type_, str) or type_ not in context.definitions.resource_types:
            return ()  # it is no resource, which structure tells
        told = f"The URL is for {wanted}, but the resource is a {type_}."
        return [Issue("error", "invalid", told, [type_], "wrong-type")]
    if mode != "update":
        return ()
    id_ = checked_id(call.id, f"{type_}.id")
    try:
        require_same_id(resource, id_)
    except BadRequest as error:
        return [Issue("error", error.issue, error.message, error.expression, "wrong-id")]
    return ()


async def _of_content(resource: Resource, context: Context) -> Sequence[Issue]:
    """What breaks the structure; if nothing does, what breaks invariants and bindings."""
    found = await structure_issues(resource, context)
    if found:
        return found
    library = context.searching.library(context.repository)
    issues = await context.rules.issues(resource, library, warnings=True)
    if resource.get("meta", {}).get("profile"):
        told = "The profiles that the resource claims are not checked yet."
        place = f"{resource['resourceType']}.meta.profile"
        issues.append(Issue("information", "not-supported", told, [place], "profiles-not-checked"))
    return issues


OPERATIONS: Final = (Operation(ANY, "validate", validate),)
