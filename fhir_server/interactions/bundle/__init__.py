"""Batch and transaction. An entry enters at the interaction table, as an HTTP request does.

https://hl7.org/fhir/R4/http.html#transaction
"""

from fhir_server.errors import BadRequest
from fhir_server.interactions.bundle.batch import batch
from fhir_server.interactions.bundle.transaction import transaction
from fhir_server.interactions.context import Context
from fhir_server.interactions.request import Reply, Request
from fhir_server.interactions.resources import checked_resource


async def bundle(request: Request, context: Context) -> Reply:
    """Carry out a Bundle that was posted to the base, by its type."""
    resource = checked_resource(request.body, context.definitions.resource_types)
    if resource["resourceType"] != "Bundle":
        raise BadRequest(
            f"Only a Bundle can be posted to the base; post a {resource['resourceType']} to "
            f"{context.base_url}/{resource['resourceType']}.",
            expression=["resourceType"],
        )
    match resource.get("type"):
        case "transaction":
            return await transaction(request, resource, context)
        case "batch":
            return await batch(request, resource, context)
        case other:
            raise BadRequest(
                f"A Bundle posted to the base is of type batch or transaction, not {other!r}; "
                f"to store a Bundle as it is, post it to {context.base_url}/Bundle.",
                expression=["Bundle.type"],
            )


__all__ = ["bundle"]
