"""The resource in a request's body: is it one, and is it what the URL speaks of?

https://hl7.org/fhir/R4/resource.html
"""

from collections.abc import Container
from typing import Any

from fhir_server.errors import BadRequest, MalformedContent
from fhir_server.fhir.primitives import is_id
from fhir_server.interactions.request import Request, Resource

ID_RULE = "An id is 1 to 64 of the characters A-Z, a-z, 0-9, '-' and '.'."


def resource_of(request: Request, types: Container[str]) -> Resource:
    """The body as a resource of the type in the URL. MalformedContent or BadRequest if not."""
    resource = checked_resource(request.body, types)
    type_ = request.path[0]
    if resource["resourceType"] != type_:
        raise BadRequest(
            f"The URL is for {type_}, but the body is a {resource['resourceType']}.",
            expression=["resourceType"],
        )
    return resource


def checked_resource(body: Any, types: Container[str]) -> Resource:
    """The body, if it is an object with a known resourceType and, if any, a meta."""
    if body is None:
        raise MalformedContent("The request has no body; a resource was expected.")
    if not isinstance(body, dict):
        raise MalformedContent("A resource is a JSON object; the body is something else.")
    type_ = body.get("resourceType")
    if type_ is None:
        raise MalformedContent("The body has no resourceType.", expression=["resourceType"])
    if not isinstance(type_, str) or type_ not in types:
        raise BadRequest(
            f"{str(type_)[:64]!r} is not a resource type of FHIR R4.", expression=["resourceType"]
        )
    if not isinstance(body.get("meta", {}), dict):
        raise MalformedContent("meta must be an object.", expression=[f"{type_}.meta"])
    return body


def checked_id(id_: Any, expression: str) -> str:
    """The id, if it is one by FHIR's rule."""
    if not isinstance(id_, str) or not is_id(id_):
        raise BadRequest(f"{str(id_)[:80]!r} is not an id. {ID_RULE}", expression=[expression])
    return id_


def require_same_id(resource: Resource, id_: str) -> None:
    """BadRequest unless the body's id is the one of the URL."""
    type_ = resource["resourceType"]
    given = resource.get("id")
    if given is None:
        raise BadRequest(
            f"The body must have the id of the URL, {id_}.", expression=[f"{type_}.id"]
        )
    checked_id(given, f"{type_}.id")
    if given != id_:
        raise BadRequest(
            f"The id of the body, {given}, is not the id of the URL, {id_}.",
            expression=[f"{type_}.id"],
        )
