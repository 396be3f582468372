"""The decisions of a transaction's writing entries, as one.

https://hl7.org/fhir/R4/http.html#trules

Deletes decide first, so that no criteria find what goes; then everything else, each entry as
it would alone. Then it is known where each resource will be, and links are pointed there; only
then does criteria's meaning show, and conditional references are followed last.
Nothing is kept from one attempt to the next.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fhir_server.interactions.answering import found
from fhir_server.interactions.bundle import ordering
from fhir_server.interactions.bundle.entries import Entry
from fhir_server.interactions.bundle.performing import placing
from fhir_server.interactions.bundle.turns import let_others
from fhir_server.interactions.context import Context, Decide, Decision
from fhir_server.interactions.custom.checking import check_drafts
from fhir_server.interactions.drafted import Drafted
from fhir_server.interactions.links import Link, links_in
from fhir_server.interactions.references import Directory
from fhir_server.interactions.request import Reply
from fhir_server.interactions.writing import Draft
from fhir_server.storage.query import Guard, Plan
from fhir_server.storage.versions import Version

_AT_ONCE = 100
"""Entries that decide together: a store may answer their look-ups in one go."""


@dataclass(frozen=True, slots=True)
class Step:
    """One writing entry, how it decides, and the links of its resource as they were sent.

    Of a patch, the links of what it makes, once it has decided.
    """

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
    stands_in: Mapping[int, int]
    """Place of a conditional create to that of an earlier entry that creates what it wants."""
    drafted: Drafted
    guards: Sequence[Guard]
    """Of what conditional references found."""

    def decision(self, reply: Callable[[Sequence[Version]], Reply]) -> Decision:
        """One decision of all; `reply` gets the versions that `replies` takes."""
        own = (guard for decision in self.decisions for guard in decision.guards)
        return Decision(
            reply,
            [*_drafts(self.decisions)],
            list(dict.fromkeys([*own, *self.guards])),
        )

    def replies(self, versions: Sequence[Version]) -> Iterator[tuple[int, Reply]]:
        """Each entry's index and reply, from the versions of all drafts."""
        first_of: list[Version | None] = []
        start = 0
        for place, (step, decision) in enumerate(zip(self.steps, self.decisions, strict=True)):
            own = versions[start : start + len(decision.drafts)]
            start += len(own)
            first_of.append(own[0] if own else None)
            earlier = first_of[self.stands_in[place]] if place in self.stands_in else None
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
    _check(steps, decisions, context)
    steps = _with_links_of_patched(steps, decisions, context)
    entries = _point(steps, decisions, {}, context)
    drafted = Drafted.of(_drafts(decisions), stamp)
    stands_in = await _standing_in(steps, decisions, drafted)
    if stands_in:
        for place in stands_in:
            decisions[place] = replace(decisions[place], drafts=())
        entries = _point(steps, decisions, stands_in, context)
        drafted = Drafted.of(_drafts(decisions), stamp)
    ordering.require_distinct_targets(await _touched(steps, decisions, drafted))
    guards = await _follow(steps, Directory(replace(context, drafted=drafted), entries))
    return Combined(steps, decisions, stands_in, drafted, guards)


async def _decide(steps: Sequence[Step], context: Context) -> list[Decision]:
    decisions: list[Decision] = []
    for start in range(0, len(steps), _AT_ONCE):
        context.require_wanted()
        part = steps[start : start + _AT_ONCE]
        made = await asyncio.gather(
            *(_decide_one(step, context) for step in part), return_exceptions=True
        )
        decisions += _unless_failed(part, made)
    return decisions


def _unless_failed(
    steps: Sequence[Step], made: Sequence[Decision | BaseException]
) -> Sequence[Decision]:
    """The decisions; when several entries failed, it is the first one's error that is told."""
    errors = {
        step.entry.index: error
        for step, error in zip(steps, made, strict=True)
        if isinstance(error, BaseException)
    }
    if errors:
        raise errors[min(errors)]
    return [decision for decision in made if isinstance(decision, Decision)]


async def _decide_one(step: Step, context: Context) -> Decision:
    with placing(step.entry):
        return await step.decide(step.entry.request, context)


def _check(steps: Sequence[Step], decisions: Sequence[Decision], context: Context) -> None:
    """An error of what an entry writes says which entry it was."""
    together, customs = [*_drafts(decisions)], context.vocabulary().customs
    for step, decision in zip(steps, decisions, strict=True):
        with placing(step.entry):
            check_drafts(decision.drafts, context.definitions, customs, together)


def _drafts(decisions: Sequence[Decision]) -> Iterator[Draft]:
    return (draft for decision in decisions for draft in decision.drafts)


def _with_links_of_patched(
    steps: Sequence[Step], decisions: Sequence[Decision], context: Context
) -> Sequence[Step]:
    """The steps, those of patches with the links of what each has made."""
    full_urls = frozenset(step.entry.full_url for step in steps if step.entry.full_url)
    return [
        replace(step, links=links_in(draft.resource, full_urls, context.definitions.elements))
        if step.method == "PATCH" and (draft := decision.drafts[0]).resource
        else step
        for step, decision in zip(steps, decisions, strict=True)
    ]


async def _standing_in(
    steps: Sequence[Step], decisions: Sequence[Decision], drafted: Drafted
) -> dict[int, int]:
    """Conditional creates that an earlier create of the transaction makes superfluous."""
    stands_in: dict[int, int] = {}
    wanted: dict[Plan, int] = {}
    created: dict[str, int] = {}
    for place, (step, decision) in enumerate(zip(steps, decisions, strict=True)):
        if step.method != "POST" or not decision.drafts:
            continue
        for guard in decision.guards:
            first = wanted.setdefault(guard.plan, place)
            if first == place:
                matches = await drafted.matches(guard.plan)
                first = min((created[id_] for id_ in matches if id_ in created), default=place)
            if first != place:
                stands_in[place] = stands_in.get(first, first)
        if place not in stands_in:
            created[decision.drafts[0].id] = place
        await let_others(place)
    return stands_in


async def _touched(
    steps: Sequence[Step], decisions: Sequence[Decision], drafted: Drafted
) -> Mapping[int, Sequence[str]]:
    """What each entry writes; for conditional ones also what its criteria find elsewhere."""
    touched = {}
    for place, (step, decision) in enumerate(zip(steps, decisions, strict=True)):
        targets = [f"{draft.type}/{draft.id}" for draft in decision.drafts]
        if step.method in {"PUT", "PATCH"}:
            for guard in decision.guards:
                matches = await drafted.matches(guard.plan)
                targets += [f"{guard.plan.type}/{id_}" for id_ in matches]
        touched[step.entry.index] = targets
        await let_others(place)
    return touched


def _point(
    steps: Sequence[Step],
    decisions: Sequence[Decision],
    stands_in: Mapping[int, int],
    context: Context,
) -> Mapping[str, str]:
    """Point links at where entries will be; returns that, by fullUrl."""
    targets: list[str] = []
    entries: dict[str, str] = {}
    for place, (step, decision) in enumerate(zip(steps, decisions, strict=True)):
        earlier = stands_in.get(place)
        targets.append(_target(decision) if earlier is None else targets[earlier])
        if step.entry.full_url and step.method != "DELETE":
            entries[step.entry.full_url] = targets[place]
    directory = Directory(context, entries)
    for step in steps:
        directory.point(step.links, step.entry.root)
    return entries


def _target(decision: Decision) -> str:
    if decision.drafts:
        return f"{decision.drafts[0].type}/{decision.drafts[0].id}"
    found = decision.existing
    return f"{found.type}/{found.id}" if found else ""


async def _follow(steps: Sequence[Step], directory: Directory) -> Sequence[Guard]:
    """Resolve conditional references; returns the guards of what they found."""
    for place, step in enumerate(steps):
        with placing(step.entry):
            directory.require_entries(step.links, step.entry.root)
            await directory.follow(step.links, step.entry.root)
        await let_others(place)
    return directory.guards
