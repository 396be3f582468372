"""transaction: every entry or none, in one commit.

https://hl7.org/fhir/R4/http.html#trules

Reads are tried before the commit, so that one that cannot succeed, or that the answer has no room
for, refuses the whole; and answered after it, so that they see what was written.
"""

from collections.abc import Container, Sequence
from typing import Any

from fhir_server.errors import Gone
from fhir_server.fhir import bundle
from fhir_server.interactions.bundle.allowance import Allowance
from fhir_server.interactions.bundle.combining import Step, combine
from fhir_server.interactions.bundle.entries import Entry, entry_of, preferences, raw_entries
from fhir_server.interactions.bundle.ordering import ordered, require_distinct_urls
from fhir_server.interactions.bundle.performing import (
    attempt_entry,
    interaction_of,
    perform_entry,
    placing,
)
from fhir_server.interactions.bundle.responses import response_entry
from fhir_server.interactions.bundle.turns import let_others
from fhir_server.interactions.context import Context, Decision
from fhir_server.interactions.deciding import commit_decided
from fhir_server.interactions.drafted import Drafted
from fhir_server.interactions.links import Link, links_in
from fhir_server.interactions.request import Reply, Request, Resource
from fhir_server.storage.versions import Version


async def transaction(request: Request, resource: Resource, context: Context) -> Reply:
    """A transaction-response with an entry for each entry, in the order sent.

    Any error of an entry is the error of the whole, with the entry's index and place.
    """
    prefer = preferences(request)
    entries: list[Entry] = []
    for index, raw in enumerate(raw_entries(resource, context)):
        entries.append(entry_of(raw, index, context, prefer))
        await let_others(index)
    require_distinct_urls(entries)
    steps, reads = await _sorted_out(ordered(entries), context)
    allowance = Allowance(context.policy.bundle_bytes, context.policy.bundle_seconds)
    replies = await _write(steps, reads, context, allowance)
    allowance.forget_room()
    for entry in reads:
        replies[entry.index] = await attempt_entry(entry, context, allowance)
    for step in steps:
        allowance.count(replies[step.entry.index], asked=False)
    answers: list[bytes] = []
    for index in range(len(entries)):
        answers.append(response_entry(replies[index], context.base_url))
        await let_others(index)
    return Reply(200, content=bundle.response("transaction", answers))


async def _write(
    steps: Sequence[Step], reads: Sequence[Entry], context: Context, allowance: Allowance
) -> dict[int, Reply]:
    """The replies of the writing entries by their index, once all is stored."""
    replies: dict[int, Reply] = {}

    async def decide() -> Decision:
        async with allowance.in_time():
            combined = await combine(steps, context)
            await _rehearse(reads, combined.drafted, context, allowance)
        context.require_wanted()

        def keep(versions: Sequence[Version]) -> Reply:
            replies.update(combined.replies(versions))
            return Reply(200)

        return combined.decision(keep)

    await commit_decided(decide, context)
    return replies


async def _sorted_out(entries: Sequence[Entry], context: Context) -> tuple[list[Step], list[Entry]]:
    steps: list[Step] = []
    reads: list[Entry] = []
    full_urls = frozenset(entry.full_url for entry in entries if entry.full_url)
    for place, entry in enumerate(entries):
        interaction = interaction_of(entry, context)
        if interaction.decide is not None:
            body = entry.request.body
            links = () if entry.request.method == "PATCH" else _links(body, full_urls, context)
            steps.append(Step(entry, interaction.decide, links))
        else:
            reads.append(entry)
        await let_others(place)
    return steps, reads


def _links(body: Any, full_urls: Container[str], context: Context) -> Sequence[Link]:
    """The links of a body; none of one that is no resource, which its interaction will refuse."""
    type_ = body.get("resourceType") if isinstance(body, dict) else None
    if isinstance(type_, str) and type_ in context.definitions.resource_types:
        return links_in(body, full_urls, context.definitions.elements)
    return ()


async def _rehearse(
    reads: Sequence[Entry], drafted: Drafted, context: Context, allowance: Allowance
) -> None:
    allowance.forget_room()
    for entry in reads:
        type_, id_ = (*entry.request.path, "", "")[:2]
        if drafted.writes(type_, id_):
            continue
        with placing(entry):
            if drafted.deletes(type_, id_) and len(entry.request.path) == 2:
                raise Gone(f"{type_}/{id_} is deleted by this transaction.")
        reply = await perform_entry(entry, context)
        with placing(entry):
            allowance.count(reply, asked=True)
