"""vread: one stored version. https://hl7.org/fhir/R4/http.html#vread"""

import re

from fhir_server.errors import NotFound
from fhir_server.interactions.context import Context
from fhir_server.interactions.plain_query import show_of, shown_by
from fhir_server.interactions.preconditions import already_has
from fhir_server.interactions.request import Reply, Request

_is_number = re.compile(r"[1-9][0-9]{0,17}").fullmatch


async def vread(request: Request, context: Context) -> Reply:
    """That version; NotFound if there is none, Gone if it is the deletion."""
    type_, id_, _, number = request.path
    show = show_of(request, context, "vread", [type_])
    if not _is_number(number):
        raise NotFound(f"{number!r} is not a version of {type_}/{id_}: versions are 1, 2, 3 …")
    version = await context.repository.vread(type_, id_, int(number))
    if already_has(request, version):
        return Reply(304, version, shows_version=False)
    return shown_by(show, version)
