"""capabilities: what this server does, derived from the interaction table and the definitions.

https://hl7.org/fhir/R4/http.html#capabilities

Nothing is listed that is not in the tables, so nothing can be promised that is not done.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_server import __version__
from fhir_server.definitions.search_parameters import SearchParameter
from fhir_server.errors import BadRequest
from fhir_server.fhir.temporal import instant
from fhir_server.interactions.context import Context, Interactions
from fhir_server.interactions.operations import table as operations
from fhir_server.interactions.operations.operation import SYSTEM
from fhir_server.interactions.patch import FORMATS
from fhir_server.interactions.plain_query import show_of
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
    show = show_of(request, context, "capabilities", ["CapabilityStatement"], "mode")
    mode = dict(request.query).get("mode", "full")
    if mode != "full":
        raise BadRequest(f"mode={mode[:40]} is not offered; leave it out or ask for full.")
    statement = context.statement()
    return Reply(200, content=statement if show is None else show("CapabilityStatement", statement))


def capability_statement(context: Context, started: int, facts: Sequence[str]) -> dict[str, Any]:
    """The statement of a running system. `started` in ms; `facts` are what its store tells."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(started),
        "kind": "instance",
        "software": {"name": "fhir-server", "version": __version__},
        "implementation": {"description": "FHIR R4 health data server", "url": context.base_url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "patchFormat": [*FORMATS],
        "rest": [_rest(context, facts)],
    }


def _rest(context: Context, facts: Sequence[str]) -> dict[str, Any]:
    types, definitions = sorted(context.definitions.resource_types), context.definitions
    revincludes = _revincludes(context)
    compartments = filter(None, map(definitions.compartment, types))
    return {
        "mode": "server",
        **({"documentation": " ".join(facts)} if facts else {}),
        "resource": [_resource(type_, context, revincludes) for type_ in types],
        "interaction": [{"code": code} for code in _listed(context.table, _SYSTEM_CODES)],
        **_operations(SYSTEM),
        "compartment": [compartment.url for compartment in compartments],
    }


def _resource(
    type_: str, context: Context, revincludes: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
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
        "searchInclude": ["*", *_links(type_, context)],
        "searchRevInclude": revincludes.get(type_, []),
        "searchParam": [
            _parameter(type_, parameter, context)
            for parameter in context.searching.searchable(type_)
        ],
        **_operations(type_),
    }


def _operations(type_: str) -> dict[str, Any]:
    """The operations of a type; no element where there are none."""
    listed = [{"name": each.code, "definition": each.url} for each in operations.of_type(type_)]
    return {"operation": listed} if listed else {}


def _parameter(type_: str, parameter: SearchParameter, context: Context) -> dict[str, Any]:
    """A search parameter; of a custom one that is being built, how far that is."""
    modifiers = ", ".join(f":{each}" for each in context.searching.modifiers(type_, parameter.code))
    percent = context.vocabulary().percent(type_, parameter.code)
    told = [f"Modifiers: {modifiers}"] if modifiers else []
    if percent is not None:
        told.append(f"Being built: {percent} % of what was stored before it came is indexed.")
    return {
        "name": parameter.code,
        "definition": parameter.url,
        "type": parameter.type,
        **({"documentation": "\n".join(told)} if told else {}),
    }


def _links(type_: str, context: Context) -> Sequence[str]:
    return [f"{type_}:{code}" for code in context.searching.linking.links(type_)]


def _revincludes(context: Context) -> Mapping[str, Sequence[str]]:
    """By type, the parameters of all types that may refer to it."""
    linking, found = context.searching.linking, dict[str, list[str]]()
    for type_ in sorted(context.definitions.resource_types):
        for code in linking.links(type_):
            for target in linking.targets(type_, code):
                found.setdefault(target, []).append(f"{type_}:{code}")
    return found


def _listed(table: Interactions, codes: frozenset[str]) -> Sequence[str]:
    """The codes that rows of the table stand for, each once, in the table's order."""
    names = (code for row in table.interactions for code in _CODES.get(row.name, (row.name,)))
    return [code for code in dict.fromkeys(names) if code in codes]
