"""create, and conditional create. https://hl7.org/fhir/R4/http.html#create"""

from fhir_server.interactions.answering import found, written
from fhir_server.interactions.context import Context, Decision
from fhir_server.interactions.matching import match_one
from fhir_server.interactions.preconditions import if_none_exist
from fhir_server.interactions.request import Request
from fhir_server.interactions.resources import resource_of
from fhir_server.interactions.validating import require_valid
from fhir_server.interactions.writing import Draft


async def create(request: Request, context: Context) -> Decision:
    """Store a new resource under an id of ours; with If-None-Exist only if nothing matches."""
    resource = resource_of(request, context.definitions.resource_types)
    await require_valid(resource, context)
    type_ = resource["resourceType"]
    guards = []
    criteria = if_none_exist(request)
    if criteria is not None:
        match = await match_one(type_, criteria, context)
        if match.version is not None:
            existing = match.version
            return Decision(
                lambda _: found(request, existing, default="representation"),
                guards=[match.guard],
                existing=existing,
            )
        guards.append(match.guard)
    draft = Draft(type_, context.ids.new_id(), "POST", resource)

    return Decision(
        lambda versions: written(request, versions[0], 201, default="representation"),
        [draft],
        guards,
    )
