"""search, by GET and by POST _search. https://hl7.org/fhir/R4/http.html#search"""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from msgspec.structs import replace

from fhir_server.errors import TimedOut, TooCostly
from fhir_server.fhir import bundle, json_format
from fhir_server.fhir.outcome import Issue, operation_outcome
from fhir_server.interactions.answering import preference
from fhir_server.interactions.context import Context
from fhir_server.interactions.request import Reply, Request
from fhir_server.interactions.searching.containing import contained_matches
from fhir_server.interactions.searching.explaining import explained, refused_search
from fhir_server.interactions.searching.finding import Found, find
from fhir_server.interactions.searching.including import include
from fhir_server.interactions.searching.linking import links_of
from fhir_server.search.controls import Contained, Total
from fhir_server.search.prepared import Parts, Prepared
from fhir_server.search.scopes import ALL_TYPES, Scope, of_compartment, of_system, of_type
from fhir_server.storage.versions import Version

_ESTIMATE_CAP = 1000


async def search_type(request: Request, context: Context) -> Reply:
    """A searchset of the resources of a type that match, a page at a time.

    UnknownParameter for what is not known, unless Prefer: handling=lenient leaves it out.
    """
    return await _search(of_type(request.path[0]), request, context)


async def search_system(request: Request, context: Context) -> Reply:
    """The same of several types, which `_type` names, or of all."""
    scope, query = of_system(request.query, context.definitions)
    return await _search(scope, replace(request, query=query), context)


async def search_compartment(request: Request, context: Context) -> Reply:
    """The same of what belongs to one resource; NotFound for what is no compartment."""
    owner, id_, *rest = (part for part in request.path if part != "_search")
    path = (owner, id_, rest[0] if rest else ALL_TYPES)
    scope, query = of_compartment(path, request.query, context.definitions)
    return await _search(scope, replace(request, query=query), context)


async def _search(scope: Scope, request: Request, context: Context) -> Reply:
    lenient = preference(request, "handling") == "lenient"
    searching = context.searching
    prepared = searching.prepare(scope, request.query, lenient=lenient)
    if prepared.controls.explain:
        return await _explained(prepared, context)
    try:
        return await _answered(prepared, context)
    except TimedOut as error:
        raise TooCostly(refused_search(prepared, error, context)) from None


async def _explained(prepared: Prepared, context: Context) -> Reply:
    """The plan in place of the matches."""
    issues, total = await explained(prepared, context)
    links, _ = links_of(prepared, Found(), context)
    part_built = _part_built(prepared, context)
    told = [*_dropped(prepared.dropped), *issues, *part_built]
    outcome = json_format.write(operation_outcome(told))
    entry = bundle.match_entry("", outcome, b"outcome")
    return Reply(200, content=bundle.searchset([entry], links, total))


async def _answered(prepared: Prepared, context: Context) -> Reply:
    searching = context.searching
    parts = await searching.plans(prepared, context.repository)
    found = Found()
    if not prepared.controls.count_only:
        found = await find(prepared, parts, context.repository, searching.sizes.sorted)
    total = await _total(prepared, parts, found, context)
    included = await include(found.versions, prepared.controls.inclusions, context)
    links, followed = links_of(prepared, found, context)
    entries = _matches(found, prepared, context)
    entries += _entries(included.versions, b"include", prepared, context)
    part_built = _part_built(prepared, context)
    issues = [*_dropped(prepared.dropped), *included.issues, *followed, *part_built]
    if issues:
        outcome = json_format.write(operation_outcome(issues))
        entries.append(bundle.match_entry("", outcome, b"outcome"))
    return Reply(200, content=bundle.searchset(entries, links, total))


async def _total(prepared: Prepared, parts: Parts, found: Found, context: Context) -> int | None:
    """The number of matches, if it is known or was asked for."""
    controls = prepared.controls
    if not controls.count_only and prepared.place is None and found.next is None:
        return len(found.versions)
    if controls.total is Total.NONE or found.total is not None:
        return None if controls.total is Total.NONE else found.total
    left = _ESTIMATE_CAP if controls.total is Total.ESTIMATE else None
    total = 0
    for plan in (plan for plans in parts for plan in plans):
        number, _ = await context.repository.count(plan, left)
        total += number
        left = None if left is None else left - number
    return total


def _matches(found: Found, prepared: Prepared, context: Context) -> list[bundle.Entries]:
    """Entries of the matches: of their containers, or of what these contain."""
    controls = prepared.controls
    if controls.contained is Contained.FALSE or not controls.contained_alone:
        return _entries(found.versions, b"match", prepared, context)
    show = context.searching.subsetting.show(controls)
    return [
        bundle.match_entry(url, content if show is None else show(type_, content))
        for type_, url, content in contained_matches(found, prepared, context.base_url)
    ]


def _entries(
    versions: Sequence[Version], mode: bytes, prepared: Prepared, context: Context
) -> list[bundle.Entries]:
    """The entries of versions, those of one type behind each other together."""
    if not versions:
        return []
    show = context.searching.subsetting.show(prepared.controls)
    entries = []
    for type_, some in groupby(versions, _type_of):
        ids, contents = [], []
        for version in some:
            content = version.content
            if content is not None:
                ids.append(version.id)
                contents.append(content if show is None else show(type_, content))
        if ids:
            url = f"{context.base_url}/{type_}"
            entries.append(bundle.match_entries(url, ids, contents, mode))
    return entries


_type_of = attrgetter("type")


def _part_built(prepared: Prepared, context: Context) -> list[Issue]:
    """What may be missing, because it is not indexed yet."""
    vocabulary = context.vocabulary()
    if not vocabulary.building:
        return []
    return vocabulary.warnings(prepared.scope.types, prepared.pairs)


def _dropped(names: Sequence[str]) -> list[Issue]:
    """What lenient handling left out."""
    return [
        Issue("warning", "not-supported", f"{name} is not known here and was left out.")
        for name in names
    ]
