"""Decide, commit, and decide anew when somebody else was faster.

A writing interaction first decides: what to write, what must still hold when it is written,
and what it will answer. Deciding changes nothing, so it can be repeated: when a predecessor
or a guard no longer holds at the commit, the interaction looks again at what is there now.
A transaction is many decisions and one commit.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from fhir_server.errors import VersionConflict
from fhir_server.interactions.answering import warn
from fhir_server.interactions.context import Context, Decision
from fhir_server.interactions.custom.checking import check_drafts
from fhir_server.interactions.links import Link
from fhir_server.interactions.references import Directory, unsettled, warnings_of
from fhir_server.interactions.request import Reply, Resource
from fhir_server.storage.base import Conflict, GuardFailed
from fhir_server.storage.versions import Version

_PATIENCE = 15.0
"""Seconds for which a write is decided anew, from when others first were faster."""
_LONGEST_PAUSE = 0.1

_WHAT_CODES_MEAN = frozenset({"CodeSystem", "ValueSet"})

_Sent = tuple[Resource, list[Link]]
"""A resource and its links as they were sent; an attempt changes where they point."""


async def carry_out(decide: Callable[[], Awaitable[Decision]], context: Context) -> Reply:
    """The reply of a write on its own, its references resolved; see `commit_decided`."""
    sent: dict[int, _Sent] = {}

    async def settled() -> Decision:
        return await _settled(await decide(), sent, context)

    return await commit_decided(settled, context)


async def commit_decided(decide: Callable[[], Awaitable[Decision]], context: Context) -> Reply:
    """The reply of the decision that could be committed; VersionConflict when none ever can."""
    clock = asyncio.get_running_loop().time
    until = pause = 0.0
    while True:
        decision = await decide()
        try:
            return decision.reply(await _commit(decision, context))
        except (Conflict, GuardFailed):
            until = until or clock() + _PATIENCE
            if clock() > until:
                raise VersionConflict("Others kept writing the same resource; try again.") from None
        pause = min(pause * 1.5 + 0.001, _LONGEST_PAUSE)
        await asyncio.sleep(random.random() * pause)  # noqa: S311 -- only a delay


async def _settled(decision: Decision, sent: dict[int, _Sent], context: Context) -> Decision:
    """The decision with its references pointing at what they mean now, and guarded."""
    check_drafts(decision.drafts, context.definitions, context.vocabulary().customs)
    links: list[Link] = []
    for draft in decision.drafts:
        resource = draft.resource
        if resource is not None:
            links += _links(resource, sent)
    if not links:
        return decision
    directory = Directory(context)
    await directory.follow(links)

    def reply(versions: Sequence[Version]) -> Reply:
        answer = decision.reply(versions)
        warn(answer, warnings_of(links))
        return answer

    return replace(decision, reply=reply, guards=[*decision.guards, *directory.guards])


def _links(resource: Resource, sent: dict[int, _Sent]) -> list[Link]:
    if id(resource) not in sent:
        sent[id(resource)] = (resource, unsettled(resource))
    return sent[id(resource)][1]


async def _commit(decision: Decision, context: Context) -> Sequence[Version]:
    if not decision.drafts:
        return ()
    versions = await context.repository.commit(decision.drafts, decision.guards)
    if any(draft.type in _WHAT_CODES_MEAN for draft in decision.drafts):
        context.rules.forget()
    return versions
