"""Whether what is about to be written is what the base specification says.

https://hl7.org/fhir/R4/http.html#create: what fails basic validation rules is refused with 400.
"""

import asyncio
from collections.abc import Sequence

from fhir_server.errors import BadRequest
from fhir_server.fhir.outcome import Issue
from fhir_server.interactions.context import Context
from fhir_server.interactions.request import Resource


class InvalidResource(BadRequest):
    """A resource that cannot be stored, with all that must be mended."""

    issue = "structure"

    def __init__(self, issues: Sequence[Issue]) -> None:
        first = issues[0]
        super().__init__(first.diagnostics, expression=first.expression)
        self.issues = list(issues)


class InvalidResult(InvalidResource):
    """What a patch makes of a resource, likewise."""

    status = 422


async def require_valid(
    resource: Resource, context: Context, error: type[InvalidResource] = InvalidResource
) -> None:
    """Raise the error unless the resource has the structure of its type."""
    issues = await structure_issues(resource, context)
    if issues:
        raise error(issues)


async def structure_issues(resource: Resource, context: Context) -> Sequence[Issue]:
    """What is wrong with the structure of a resource; empty if nothing."""
    if context.validator.accepts(resource):
        return ()
    # What is wrong may be large; others go on while it is looked through.
    return await asyncio.to_thread(context.validator.judge, resource)
