"""history of a resource, a type, the whole server. https://hl7.org/fhir/R4/http.html#history"""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from fhir_server.errors import BadRequest, NotFound, UnknownParameter
from fhir_server.fhir import bundle
from fhir_server.fhir.temporal import Span, instant, span
from fhir_server.interactions.context import Context
from fhir_server.interactions.plain_query import SHORTENING, shortened
from fhir_server.interactions.preconditions import etag
from fhir_server.interactions.request import Reply, Request
from fhir_server.kit.url import with_query
from fhir_server.search.clause import shown
from fhir_server.search.controls import FORMATTING
from fhir_server.search.paging import PAGE_PARAMETER, Place, query_digest
from fhir_server.search.subsetting import Show
from fhir_server.storage.versions import HistoryPosition, Version

_STATUS = {"POST": "201 Created", "DELETE": "204 No Content"}
_PARAMETERS = ("_since", "_at", "_count", "_summary", "_elements", PAGE_PARAMETER)
_Key = tuple[str, str, int]
"""Type, id and number of a version."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the query of a history says."""

    since: int | None
    at: tuple[int, int] | None
    count: int
    after: HistoryPosition | None
    pairs: Sequence[tuple[str, str]]
    """For links: without the place."""


async def history(request: Request, context: Context) -> Reply:
    """Versions, newest first, deletions included; NotFound if the resource never was."""
    path = [segment for segment in request.path if segment != "_history"]
    type_ = path[0] if path else None
    id_ = path[1] if len(path) > 1 else None
    asked = _asked(request, context)
    if type_ and id_ and await context.repository.current(type_, id_) is None:
        raise NotFound(f"There is no {type_}/{id_}.")
    versions = await context.repository.history(
        type_, id_, since=asked.since, at=asked.at, after=asked.after, limit=asked.count + 1
    )
    shown = versions[: asked.count]
    created = await _created(shown, versions, context)
    types = [type_] if type_ else sorted(context.definitions.resource_types)
    show = shortened(asked.pairs, context, types)
    entries = [_entry(version, context.base_url, created, show) for version in shown]
    links = _links(request, context, asked, versions)
    return Reply(200, content=bundle.history(entries, links))


async def _created(
    shown: Sequence[Version], known: Sequence[Version], context: Context
) -> frozenset[_Key]:
    """Those shown that a PUT made of nothing: a first version, or one after a deletion.

    The version before is the next one of its resource on the page, or else is looked up.
    """
    before = {_key(version): version for version in known}
    found = []
    for version in shown:
        if version.method != "PUT":
            continue
        type_, id_, number = version.type, version.id, version.number - 1
        previous = before.get((type_, id_, number))
        if previous is None and number:
            previous = await context.repository.version(type_, id_, number)
        if previous is None or previous.deleted:
            found.append(_key(version))
    return frozenset(found)


def _key(version: Version) -> _Key:
    return version.type, version.id, version.number


def _entry(version: Version, base_url: str, created: Container[_Key], show: Show | None) -> bytes:
    full_url = f"{base_url}/{version.type}/{version.id}"
    url = version.type if version.method == "POST" else f"{version.type}/{version.id}"
    answer = {
        "status": _STATUS.get(
            version.method, "201 Created" if _key(version) in created else "200 OK"
        ),
        "etag": etag(version),
        "lastModified": instant(version.updated),
    }
    asked = {"method": version.method, "url": url}
    content = version.content
    if show is not None and content is not None:
        content = show(version.type, content)
    return bundle.history_entry(full_url, content, asked, answer)


def _links(
    request: Request, context: Context, asked: _Asked, versions: Sequence[Version]
) -> dict[str, str]:
    url = f"{context.base_url}/{'/'.join(request.path)}"
    links = {"self": with_query(url, request.query)}
    if len(versions) > asked.count:
        last = versions[asked.count - 1]
        place = context.cursors.seal(
            Place((last.updated,), last.ordinal),
            query_digest("/".join(request.path), asked.pairs),
        )
        links["next"] = with_query(url, [*asked.pairs, (PAGE_PARAMETER, place)])
    return links


def _asked(request: Request, context: Context) -> _Asked:
    since, at, after = None, None, None
    count, page = context.policy.history_count, None
    pairs: list[tuple[str, str]] = []
    for name, value in request.query:
        if name in dict(pairs):
            raise BadRequest(f"{shown(name)} is given twice.")
        if name == "_since":
            since = _span("_since", value, context).first
        elif name == "_at":
            at = _span("_at", value, context)
        elif name == "_count":
            count = _count(value, context.policy.most_count)
        elif name == PAGE_PARAMETER:
            page = value
        elif name not in FORMATTING | SHORTENING:
            raise UnknownParameter(
                f"{shown(name)} is not a parameter of history; {', '.join(_PARAMETERS)} are."
            )
        if name != PAGE_PARAMETER:
            pairs.append((name, value))
    if page is not None:
        after = _position(context.cursors.open(page, query_digest("/".join(request.path), pairs)))
    return _Asked(since, (at.first, at.last) if at else None, count, after, pairs)


def _position(place: Place) -> HistoryPosition:
    # Updated and ordinal name one version: within a resource, updated strictly rises.
    (updated,) = place.values
    return HistoryPosition(int(updated), place.ordinal, 0)  # type: ignore[arg-type]  # as sealed


def _span(name: str, value: str, context: Context) -> Span:
    try:
        return span(value, context.zone)
    except ValueError:
        raise BadRequest(
            f"{name} is a date or time such as 2024-05-01T12:00:00Z, not {shown(value)!r}."
        ) from None


def _count(value: str, most: int) -> int:
    if not (value.isascii() and value.isdigit() and int(value[:10]) > 0):
        raise BadRequest(f"_count is a number from 1 to {most}, not {shown(value)!r}.")
    return min(int(value[:10]), most)
