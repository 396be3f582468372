"""update, update as create, and conditional update. https://hl7.org/fhir/R4/http.html#update"""

from collections.abc import Sequence

from fhir_server.errors import BadRequest, VersionConflict
from fhir_server.interactions.answering import written
from fhir_server.interactions.context import Context, Decision
from fhir_server.interactions.matching import match_one
from fhir_server.interactions.preconditions import require_match, require_none_match
from fhir_server.interactions.request import Request, Resource
from fhir_server.interactions.resources import checked_id, require_same_id, resource_of
from fhir_server.interactions.validating import require_valid
from fhir_server.interactions.writing import Draft
from fhir_server.storage.query import Guard
from fhir_server.storage.versions import Version


async def update(request: Request, context: Context) -> Decision:
    """Store a new version at the id of the URL, the first one if there is none yet."""
    type_, id_ = request.path
    checked_id(id_, f"{type_}.id")
    resource = resource_of(request, context.definitions.resource_types)
    require_same_id(resource, id_)
    await require_valid(resource, context)
    current = await context.repository.current(type_, id_)
    return _put(request, resource, id_, current)


async def conditional_update(request: Request, context: Context) -> Decision:
    """Update the one resource that meets the criteria, or create it if none does.

    MultipleMatches when several do; BadRequest when the body names another id than the match,
    VersionConflict when nothing matches but the body's id is taken: as R5 says, what the
    criteria did not find is not overwritten.
    """
    resource = resource_of(request, context.definitions.resource_types)
    type_, given = resource["resourceType"], resource.get("id")
    match = await match_one(type_, request.query, context)
    current = match.version
    if given is not None:
        checked_id(given, f"{type_}.id")
    await require_valid(resource, context)
    if current is not None:
        if given is not None and given != current.id:
            raise BadRequest(
                f"The criteria match {type_}/{current.id}, but the body's id is {given}.",
                expression=[f"{type_}.id"],
            )
        return _put(request, resource, current.id, current, [match.guard])
    if given is None:
        return _put(request, resource, context.ids.new_id(), None, [match.guard])
    current = await context.repository.current(type_, given)
    if current is not None and not current.deleted:
        raise _taken(type_, given)
    return _put(request, resource, given, current, [match.guard])


def _taken(type_: str, id_: str) -> VersionConflict:
    return VersionConflict(
        f"Nothing matches the criteria, but {type_}/{id_}, the id of the body, exists. "
        "Leave the id out to create another resource, or update that one by its id.",
        expression=[f"{type_}.id"],
    )


def _put(
    request: Request,
    resource: Resource,
    id_: str,
    current: Version | None,
    guards: Sequence[Guard] = (),
) -> Decision:
    require_match(request, current)
    require_none_match(request, current)
    status = 201 if current is None or current.deleted else 200
    draft = Draft(resource["resourceType"], id_, "PUT", resource, current)

    return Decision(
        lambda versions: written(request, versions[0], status, default="representation"),
        [draft],
        guards,
    )
