"""read: the current version of a resource. https://hl7.org/fhir/R4/http.html#read"""

from fhir_server.interactions.context import Context
from fhir_server.interactions.plain_query import show_of, shown_by
from fhir_server.interactions.preconditions import already_has
from fhir_server.interactions.request import Reply, Request


async def read(request: Request, context: Context) -> Reply:
    """The current version; NotFound, Gone, or 304 when the caller already has it."""
    type_, id_ = request.path
    show = show_of(request, context, "read", [type_])
    version = await context.repository.read(type_, id_)
    if already_has(request, version):
        return Reply(304, version, shows_version=False)
    return shown_by(show, version)
