"""The decisions of a transaction's writing entries, as one.

https://hl7.org/fhir/R4/http.html#trules

Every entry decides as it would alone. Then it is known where each resource will be, and the
links between entries are pointed there. Nothing is kept from one attempt to the next.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fhir_server.interactions.answering import written
from fhir_server.interactions.bundle import ordering
from fhir_server.interactions.bundle.entries import Entry
from fhir_server.interactions.bundle.performing import placing
from fhir_server.interactions.context import Context
from fhir_server.interactions.deciding import Decide, Decision
from fhir_server.interactions.preconditions import if_none_exist
from fhir_server.interactions.references import Directory, Link, canonical
from fhir_server.interactions.request import Reply
from fhir_server.storage.versions import Version

_AT_ONCE = 100
"""Entries that decide together: a store may answer their look-ups in one go."""


@dataclass(frozen=True, slots=True)
class Step:
    """One writing entry, how it decides, and the links of its resource as they were sent."""

    entry: Entry
    decide: Decide
    links: Sequence[Link]

    @property
    def criteria(self) -> tuple[str, str] | None:
        """What its If-None-Exist asks for, comparable; None when it has none."""
        criteria = if_none_exist(self.entry.request)
        if criteria is None or self.entry.request.method != "POST":
            return None
        return self.entry.request.path[0], canonical(criteria)


@dataclass(frozen=True, slots=True)
class Combined:
    """All decisions, in the order of their steps."""

    steps: Sequence[Step]
    decisions: Sequence[Decision]
    repeated: Mapping[int, int]
    """Place of a step to that of an earlier one with the same If-None-Exist: one resource."""

    def decision(self, reply: Callable[[Sequence[Version]], Reply]) -> Decision:
        """One decision of all; `reply` gets the versions that `replies` takes."""
        return Decision(
            reply,
            [draft for decision in self.decisions for draft in decision.drafts],
            [guard for decision in self.decisions for guard in decision.guards],
        )

    def targets(self) -> frozenset[str]:
        """Every `Type/id` that is written, deletions left out."""
        return frozenset(
            f"{draft.type}/{draft.id}"
            for decision in self.decisions
            for draft in decision.drafts
            if draft.resource is not None
        )

    def replies(self, versions: Sequence[Version]) -> Iterator[tuple[int, Reply]]:
        """Each entry's index and reply, from the versions of all drafts."""
        targets: list[Version | None] = []
        start = 0
        for place, (step, decision) in enumerate(zip(self.steps, self.decisions, strict=True)):
            own = versions[start : start + len(decision.drafts)]
            start += len(own)
            targets.append(own[0] if own else decision.existing)
            if place in self.repeated:
                first = targets[self.repeated[place]]
                assert first is not None  # noqa: S101 -- a conditional create has a resource
                targets[place] = first
                yield step.entry.index, written(step.entry.request, first, 200, default="minimal")
            else:
                yield step.entry.index, decision.reply(own)


async def combine(steps: Sequence[Step], context: Context) -> Combined:
    """Let every step decide, and point the links between them where each will be.

    An error of a step says which entry it was. BadRequest when two write the same resource.
    """
    repeated = _repeated(steps)
    decisions: list[Decision] = []
    for start in range(0, len(steps), _AT_ONCE):
        part = enumerate(steps[start : start + _AT_ONCE], start)
        decisions += await asyncio.gather(
            *(_decide(step, context, repeated=place in repeated) for place, step in part)
        )
    ordering.require_distinct_targets(
        {
            step.entry.index: [f"{draft.type}/{draft.id}" for draft in decision.drafts]
            for step, decision in zip(steps, decisions, strict=True)
        }
    )
    combined = Combined(steps, decisions, repeated)
    await _point_links(combined, context)
    return combined


def _repeated(steps: Sequence[Step]) -> dict[int, int]:
    seen: dict[tuple[str, str], int] = {}
    repeated = {}
    for place, step in enumerate(steps):
        criteria = step.criteria
        if criteria is not None and seen.setdefault(criteria, place) != place:
            repeated[place] = seen[criteria]
    return repeated


async def _decide(step: Step, context: Context, *, repeated: bool) -> Decision:
    if repeated:
        return Decision(lambda _: Reply(200))
    with placing(step.entry):
        return await step.decide(step.entry.request, context)


async def _point_links(combined: Combined, context: Context) -> None:
    directory = Directory(context)
    targets: list[str] = []
    for place, (step, decision) in enumerate(zip(combined.steps, combined.decisions, strict=True)):
        target = _target(decision)
        if place in combined.repeated:
            target = targets[combined.repeated[place]]
        targets.append(target)
        if step.entry.request.method != "DELETE" and target:
            directory.add(step.entry.full_url, target)
            if step.criteria is not None:
                directory.add_criteria(step.criteria, target)
    for number, step in enumerate(combined.steps, 1):
        await _point(step, directory)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)


def _target(decision: Decision) -> str:
    if decision.drafts:
        return f"{decision.drafts[0].type}/{decision.drafts[0].id}"
    found = decision.existing
    return f"{found.type}/{found.id}" if found else ""


async def _point(step: Step, directory: Directory) -> None:
    body = step.entry.request.body
    if body is None or not step.links:
        return
    with placing(step.entry):
        await directory.resolve(step.links, body, step.entry.root)
