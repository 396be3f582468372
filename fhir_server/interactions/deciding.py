"""Decide, commit, and decide anew when somebody else was faster.

A writing interaction first decides: what to write, what must still hold when it is written,
and what it will answer. Deciding changes nothing, so it can be repeated: when a predecessor
or a guard no longer holds at the commit, the interaction looks again at what is there now.
A transaction is many decisions and one commit.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fhir_server.errors import VersionConflict
from fhir_server.interactions.answering import warn
from fhir_server.interactions.context import Context
from fhir_server.interactions.links import Link, references_in
from fhir_server.interactions.references import resolve_conditional
from fhir_server.interactions.request import Reply, Request
from fhir_server.interactions.writing import Draft
from fhir_server.storage.base import Conflict, GuardFailed
from fhir_server.storage.query import Guard
from fhir_server.storage.versions import Version

_PATIENCE = 15.0
"""Seconds for which a write is decided anew while others are faster."""
_LONGEST_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, under which guards, and the answer once it is written."""

    reply: Callable[[Sequence[Version]], Reply]
    """Called with the versions of `drafts`, in their order."""
    drafts: Sequence[Draft] = ()
    guards: Sequence[Guard] = ()
    existing: Version | None = None
    """What a conditional create found in place of writing."""


Decide = Callable[[Request, Context], Awaitable[Decision]]


async def carry_out(
    decide: Callable[[], Awaitable[Decision]], context: Context, *, resolved: bool = False
) -> Reply:
    """The reply of the decision that could be committed; VersionConflict when none ever can.

    References of the drafts are resolved first, unless `decide` has done so.
    """
    sent: dict[int, list[Link]] = {}
    until = asyncio.get_running_loop().time() + _PATIENCE
    pause = 0.0
    while True:
        decision = await decide()
        warnings = [] if resolved else await _resolve(decision, sent, context)
        try:
            versions = await _commit(decision, context)
        except (Conflict, GuardFailed):
            if asyncio.get_running_loop().time() > until:
                raise VersionConflict("Others kept writing the same resource; try again.") from None
            pause = min(pause * 1.5 + 0.001, _LONGEST_PAUSE)
            await asyncio.sleep(random.random() * pause)  # noqa: S311 -- only a delay
            continue
        reply = decision.reply(versions)
        warn(reply, warnings)
        return reply


async def _resolve(decision: Decision, sent: dict[int, list[Link]], context: Context) -> list[str]:
    """Point references of the drafts at what they mean now, whatever an earlier attempt found."""
    warnings = []
    for draft in decision.drafts:
        if draft.resource is not None:
            links = sent.get(id(draft.resource))
            if links is None:
                links = sent[id(draft.resource)] = references_in(draft.resource)
            warnings += await resolve_conditional(links, context)
    return warnings


async def _commit(decision: Decision, context: Context) -> Sequence[Version]:
    if not decision.drafts:
        return ()
    return await context.repository.commit(decision.drafts, decision.guards)
