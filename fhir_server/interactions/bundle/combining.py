"""The decisions of a transaction's writing entries, as one.

https://hl7.org/fhir/R4/http.html#trules

Deletes decide first, so that no criteria find what goes; then everything else, each entry as
it would alone. Then it is known where each resource will be, and links are pointed there.
Nothing is kept from one attempt to the next.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fhir_server.interactions.answering import found
from fhir_server.interactions.bundle import ordering
from fhir_server.interactions.bundle.entries import Entry
from fhir_server.interactions.bundle.performing import placing
from fhir_server.interactions.context import Context
from fhir_server.interactions.deciding import Decide, Decision
from fhir_server.interactions.drafted import Drafted
from fhir_server.interactions.links import Link
from fhir_server.interactions.references import Directory
from fhir_server.interactions.request import Reply
from fhir_server.interactions.writing import Draft
from fhir_server.storage.query import Plan
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
    def method(self) -> str:
        return self.entry.request.method


@dataclass(frozen=True, slots=True)
class Combined:
    """All decisions, in the order of their steps."""

    steps: Sequence[Step]
    decisions: Sequence[Decision]
    repeated: Mapping[int, int]
    """Place of a conditional create to that of an earlier entry that creates what it wants."""
    drafted: Drafted

    def decision(self, reply: Callable[[Sequence[Version]], Reply]) -> Decision:
        """One decision of all; `reply` gets the versions that `replies` takes."""
        return Decision(
            reply,
            [*_drafts(self.decisions)],
            [guard for decision in self.decisions for guard in decision.guards],
        )

    def replies(self, versions: Sequence[Version]) -> Iterator[tuple[int, Reply]]:
        """Each entry's index and reply, from the versions of all drafts."""
        first_of: list[Version | None] = []
        start = 0
        for place, (step, decision) in enumerate(zip(self.steps, self.decisions, strict=True)):
            own = versions[start : start + len(decision.drafts)]
            start += len(own)
            first_of.append(own[0] if own else None)
            earlier = first_of[self.repeated[place]] if place in self.repeated else None
            if earlier is None:
                yield step.entry.index, decision.reply(own)
            else:
                yield step.entry.index, found(step.entry.request, earlier, default="minimal")


async def combine(steps: Sequence[Step], context: Context) -> Combined:
    """Let every step decide, and point the links between them where each will be.

    An error of a step says which entry it was. BadRequest when two write the same resource.
    """
    stamp = context.repository.stamp
    first = sum(step.method == "DELETE" for step in steps)
    decisions = await _decide(steps[:first], context)
    deleted = Drafted.of(_drafts(decisions), stamp)
    decisions += await _decide(steps[first:], replace(context, drafted=deleted))
    drafted = Drafted.of(_drafts(decisions), stamp)
    repeated = _repeated(steps, decisions, drafted)
    for place in repeated:
        drafted.forget(decisions[place].drafts[0])
        decisions[place] = replace(decisions[place], drafts=())
    ordering.require_distinct_targets(_touched(steps, decisions, drafted))
    combined = Combined(steps, decisions, repeated, drafted)
    await _point_links(combined, context)
    return combined


async def _decide(steps: Sequence[Step], context: Context) -> list[Decision]:
    decisions: list[Decision] = []
    for start in range(0, len(steps), _AT_ONCE):
        part = steps[start : start + _AT_ONCE]
        made = await asyncio.gather(
            *(_decide_one(step, context) for step in part), return_exceptions=True
        )
        for decision in made:  # so that it is the first entry's error that is told
            if isinstance(decision, BaseException):
                raise decision
            decisions.append(decision)
    return decisions


async def _decide_one(step: Step, context: Context) -> Decision:
    with placing(step.entry):
        return await step.decide(step.entry.request, context)


def _drafts(decisions: Sequence[Decision]) -> Iterator[Draft]:
    return (draft for decision in decisions for draft in decision.drafts)


def _repeated(
    steps: Sequence[Step], decisions: Sequence[Decision], drafted: Drafted
) -> dict[int, int]:
    """Conditional creates that an earlier create of the transaction makes superfluous."""
    repeated: dict[int, int] = {}
    wanted: dict[Plan, int] = {}
    created: dict[str, int] = {}
    for place, (step, decision) in enumerate(zip(steps, decisions, strict=True)):
        if step.method != "POST" or not decision.drafts:
            continue
        for guard in decision.guards:
            first = wanted.setdefault(guard.plan, place)
            others = (created[id_] for id_ in drafted.matches(guard.plan) if id_ in created)
            earlier = first if first != place else min(others, default=place)
            if earlier != place:
                repeated[place] = repeated.get(earlier, earlier)
        if place not in repeated:
            created[decision.drafts[0].id] = place
    return repeated


def _touched(
    steps: Sequence[Step], decisions: Sequence[Decision], drafted: Drafted
) -> Mapping[int, Sequence[str]]:
    """What each entry writes; for a conditional update also what its criteria find elsewhere."""
    touched = {}
    for step, decision in zip(steps, decisions, strict=True):
        targets = [f"{draft.type}/{draft.id}" for draft in decision.drafts]
        if step.method == "PUT":
            for guard in decision.guards:
                targets += [f"{guard.plan.type}/{id_}" for id_ in drafted.matches(guard.plan)]
        touched[step.entry.index] = targets
    return touched


async def _point_links(combined: Combined, context: Context) -> None:
    directory = Directory(replace(context, drafted=combined.drafted))
    targets: list[str] = []
    for place, (step, decision) in enumerate(zip(combined.steps, combined.decisions, strict=True)):
        earlier = combined.repeated.get(place)
        targets.append(_target(decision) if earlier is None else targets[earlier])
        if step.method != "DELETE":
            directory.add(step.entry.full_url, targets[place])
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
    with placing(step.entry):
        await directory.resolve(step.links, step.entry.root)
