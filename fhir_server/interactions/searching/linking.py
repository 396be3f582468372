"""The links of a result: self, first, previous and next.

https://hl7.org/fhir/R4/search.html#conformance and https://hl7.org/fhir/R4/http.html#paging

`self` shows what was carried out: what was left out is not in it, and a count that was cut is cut.
"""

from urllib.parse import urlsplit

from fhir_server.fhir.outcome import Issue
from fhir_server.interactions.answering import link
from fhir_server.interactions.context import Context
from fhir_server.interactions.searching.finding import Found
from fhir_server.search.paging import PAGE_PARAMETER, Place
from fhir_server.search.prepared import Prepared

Links = tuple[dict[str, str], list[Issue]]
"""URLs by relation, and what to tell of one that nobody could follow."""


def links_of(prepared: Prepared, found: Found, context: Context) -> Links:
    """The links of a page."""
    url = "/".join((context.base_url, *prepared.scope.path))
    here = list(prepared.pairs)
    if prepared.controls.page is not None:
        here.append((PAGE_PARAMETER, prepared.controls.page))
    links = {"self": link(url, here)}
    if found.previous is not None or found.next is not None:
        links["first"] = link(url, prepared.pairs)
    for relation, place in (("previous", found.previous), ("next", found.next)):
        if place is not None:
            links[relation] = _to_page(url, prepared, place, context)
    return _followed(links, context)


def _to_page(url: str, prepared: Prepared, place: Place, context: Context) -> str:
    return link(url, [*prepared.pairs, context.searching.page_pair(prepared, place)])


def _followed(links: dict[str, str], context: Context) -> Links:
    """The links that a request can be made for; `self` only says what was asked."""
    most = context.policy.url_bytes
    kept = {
        relation: url
        for relation, url in links.items()
        if relation == "self" or _bytes_of(url) <= most
    }
    return kept, [_no_next(most)] if "next" in links and "next" not in kept else []


def _bytes_of(url: str) -> int:
    parts = urlsplit(url)
    return len(parts.path) + len(parts.query)


def _no_next(most: int) -> Issue:
    return Issue(
        "warning",
        "too-long",
        f"There is a next page, but a link to it would be longer than the {most} bytes that a URL "
        "may have; make the search shorter or ask for more at once with _count.",
    )
