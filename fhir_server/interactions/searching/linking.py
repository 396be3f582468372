"""The links of a result: self, first, previous and next.

https://hl7.org/fhir/R4/search.html#conformance and https://hl7.org/fhir/R4/http.html#paging

`self` shows what was carried out: what was left out is not in it, and a count that was cut is cut.
"""

from functools import lru_cache
from urllib.parse import urlsplit

from fhir_server.fhir.outcome import Issue
from fhir_server.interactions.context import Context
from fhir_server.interactions.searching.finding import Found
from fhir_server.search.paging import PAGE_PARAMETER
from fhir_server.search.prepared import Prepared

Links = tuple[dict[str, str], list[Issue]]
"""URLs by relation, and what to tell of one that nobody could follow."""


def links_of(prepared: Prepared, found: Found, context: Context) -> Links:
    """The links of a page."""
    url = prepared.url
    behind = f"{url}{'&' if prepared.pairs else '?'}{PAGE_PARAMETER}="
    page = prepared.controls.page
    links = {"self": url if page is None else f"{behind}{page}"}
    if found.previous is None and found.next is None:
        return links, []
    links["first"] = url
    for relation, place in (("previous", found.previous), ("next", found.next)):
        if place is not None:
            links[relation] = f"{behind}{context.searching.sealed(prepared, place)}"
    return _followed(links, context)


def _followed(links: dict[str, str], context: Context) -> Links:
    """The links that a request can be made for; `self` only says what was asked."""
    most = context.policy.url_bytes
    longest = most + _before_path(context.base_url)
    kept = {
        relation: url
        for relation, url in links.items()
        if relation == "self" or len(url) - ("?" in url) <= longest
    }
    return kept, [_no_next(most)] if "next" in links and "next" not in kept else []


@lru_cache(maxsize=1)
def _before_path(url: str) -> int:
    """Characters of a URL that its request does not send in its first line."""
    return len(url) - len(urlsplit(url).path)


def _no_next(most: int) -> Issue:
    return Issue(
        "warning",
        "too-long",
        f"There is a next page, but a link to it would be longer than the {most} bytes that a URL "
        "may have; make the search shorter or ask for more at once with _count.",
    )
