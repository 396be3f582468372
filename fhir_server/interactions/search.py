"""search of a type, by GET and by POST _search. https://hl7.org/fhir/R4/http.html#search"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from fhir_server.fhir import bundle, json_format
from fhir_server.fhir.outcome import Issue, operation_outcome
from fhir_server.interactions.answering import link, preference
from fhir_server.interactions.context import Context
from fhir_server.interactions.request import Reply, Request
from fhir_server.search.controls import Total
from fhir_server.search.paging import PAGE_PARAMETER
from fhir_server.search.searching import Prepared
from fhir_server.storage.query import Plan
from fhir_server.storage.versions import Page

_ESTIMATE_CAP = 1000


async def search(request: Request, context: Context) -> Reply:
    """A searchset of the resources that match, a page at a time.

    UnknownParameter for what is not known, unless Prefer: handling=lenient leaves it out.
    """
    type_ = request.path[0]
    lenient = preference(request, "handling") == "lenient"
    prepared = context.searching.prepare(type_, request.query, lenient=lenient)
    plan = await context.searching.plan(prepared, context.repository)
    page = Page((), None) if prepared.controls.count_only else await context.repository.find(plan)
    total = await _total(prepared, plan, page, context)
    base = context.base_url
    entries = [
        bundle.match_entry(f"{base}/{type_}/{version.id}", version.content)
        for version in page.versions
        if version.content is not None
    ]
    issues = _dropped(prepared.dropped)
    links = _links(prepared, page, context)
    if not _can_be_followed(links.get("next", ""), context):
        del links["next"]
        issues.append(_no_next(context))
    if issues:
        outcome = json_format.write(operation_outcome(issues))
        entries.append(bundle.match_entry("", outcome, b"outcome"))
    return Reply(200, content=bundle.searchset(entries, links, total))


async def _total(prepared: Prepared, plan: Plan, page: Page, context: Context) -> int | None:
    """The number of matches, if it is known or was asked for."""
    controls = prepared.controls
    if not controls.count_only and prepared.after is None and page.next is None:
        return len(page.versions)
    if controls.total is Total.NONE:
        return None
    cap = _ESTIMATE_CAP if controls.total is Total.ESTIMATE else None
    count, _ = await context.repository.count(plan, cap)
    return count


def _links(prepared: Prepared, page: Page, context: Context) -> dict[str, str]:
    url = f"{context.base_url}/{prepared.type}"
    here = list(prepared.pairs)
    if prepared.controls.page is not None:
        here.append((PAGE_PARAMETER, prepared.controls.page))
    links = {"self": link(url, here)}
    if page.next is not None:
        further = context.searching.page_pair(prepared, page.next)
        links["next"] = link(url, [*prepared.pairs, further])
    return links


def _can_be_followed(url: str, context: Context) -> bool:
    """Whether a request for the link keeps to the longest URL that is taken."""
    parts = urlsplit(url)
    return len(parts.path) + len(parts.query) <= context.policy.url_bytes


def _no_next(context: Context) -> Issue:
    return Issue(
        "warning",
        "too-long",
        f"There is a next page, but a link to it would be longer than the "
        f"{context.policy.url_bytes} bytes that a URL may have; make the search shorter or ask for "
        "more at once with _count.",
    )


def _dropped(names: Sequence[str]) -> list[Issue]:
    """What lenient handling left out."""
    return [
        Issue("warning", "not-supported", f"{name} is not known here and was left out.")
        for name in names
    ]
