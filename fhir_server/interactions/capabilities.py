"""capabilities: what this server does, derived from the interaction table and the definitions.

https://hl7.org/fhir/R4/http.html#capabilities

Nothing is listed that is not in the tables, so nothing can be promised that is not done.
"""

from collections.abc import Sequence
from typing import Any

from fhir_server import __version__
from fhir_server.errors import BadRequest
from fhir_server.fhir.temporal import instant
from fhir_server.interactions.context import Context, Interactions
from fhir_server.interactions.plain_query import require_plain_query
from fhir_server.interactions.request import Reply, Request

_CODES = {"bundle": ("transaction", "batch")}
"""Names of ours that stand for other codes of the specification."""
_TYPE_CODES = frozenset(
    {
        "read",
        "vread",
        "update",
        "patch",
        "delete",
        "history-instance",
        "history-type",
        "create",
        "search-type",
    }
)
_SYSTEM_CODES = frozenset({"transaction", "batch", "search-system", "history-system"})


async def capabilities(request: Request, context: Context) -> Reply:
    """The CapabilityStatement; `mode` may only be full."""
    require_plain_query(request, "capabilities", "mode")
    mode = dict(request.query).get("mode", "full")
    if mode != "full":
        raise BadRequest(f"mode={mode[:40]} is not offered; leave it out or ask for full.")
    return Reply(200, content=context.statement())


def capability_statement(context: Context, started: int, facts: Sequence[str]) -> dict[str, Any]:
    """The statement of a running system. `started` in ms; `facts` are what its store tells."""
    rest: dict[str, Any] = {
        "mode": "server",
        "interaction": [{"code": code} for code in _listed(context.table, _SYSTEM_CODES)],
        "resource": [
            _resource(type_, context) for type_ in sorted(context.definitions.resource_types)
        ],
    }
    if facts:
        rest["documentation"] = " ".join(facts)
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(started),
        "kind": "instance",
        "software": {"name": "fhir-server", "version": __version__},
        "implementation": {"description": "FHIR R4 health data server", "url": context.base_url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [rest],
    }


def _resource(type_: str, context: Context) -> dict[str, Any]:
    many = context.policy.conditional_delete == "many"
    return {
        "type": type_,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{type_}",
        "interaction": [{"code": code} for code in _listed(context.table, _TYPE_CODES)],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "multiple" if many else "single",
        "searchParam": [
            {"name": parameter.code, "definition": parameter.url, "type": parameter.type}
            for parameter in context.searching.searchable(type_)
        ],
    }


def _listed(table: Interactions, codes: frozenset[str]) -> Sequence[str]:
    """The codes that rows of the table stand for, each once, in the table's order."""
    names = (code for row in table.interactions for code in _CODES.get(row.name, (row.name,)))
    return [code for code in dict.fromkeys(names) if code in codes]
