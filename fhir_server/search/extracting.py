"""Extracting: all search parameters of a type, merged into one walk over a plain resource.

The paths of all parameters form a tree, so that a member two of them share is entered once.
The walk looks only at members that are present, and turns away from what has another shape
than the definitions say: a malformed part of a resource is not found, and never raises.

The tree becomes nested functions. What an element gives is remembered by what it says
(`remembering.py`), so that most of a walk is looking up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_server.search.conditions import decider
from fhir_server.search.gathering import Collect, Gathered, Visit
from fhir_server.search.paths import Condition, Member, Nth, Only, Step
from fhir_server.search.remembering import Memory


@dataclass(frozen=True, slots=True)
class Find:
    """At the end of these steps, collect what the element gives to some parameter."""

    steps: tuple[Step, ...]
    collect: Collect
    needs: tuple[str, ...] = ()
    """Members of which the element must have one, or there is nothing to collect; none: unknown."""
    looks_at: tuple[str, ...] = ()
    """All members that what is collected depends on, where some are needed."""
    of_root: bool = False
    """Whether what is collected also depends on the resource around the element."""
    coded: bool = False
    """Whether it is about codes and concepts, which many resources have in common."""


def extractor(finds: Iterable[Find], memory: Memory | None = None) -> Visit:
    """One function that walks a resource for all of `finds`; without a memory always anew."""
    root = _Node()
    for find in finds:
        node = root
        for step in find.steps:
            node = node.after(step)
            node.of_root |= find.of_root
            node.coded &= find.coded
        if find.needs:
            node.joint.append(find)
        else:
            node.leaves.append(find.collect)
    return _Walk(memory).item(root)


@dataclass(slots=True)
class _Node:
    """What to do with one element."""

    leaves: list[Collect] = field(default_factory=list)
    joint: list[Find] = field(default_factory=list)
    """What depends on several members together."""
    members: dict[str, "_Node"] = field(default_factory=dict)
    only: dict[Condition, "_Node"] = field(default_factory=dict)
    nth: dict[int, "_Node"] = field(default_factory=dict)
    """Applies to the array this element is an item of."""
    of_root: bool = False
    """Whether something at it or below it also depends on the resource."""
    coded: bool = True
    """Whether all at it and below it is about codes."""

    def after(self, step: Step) -> "_Node":
        match step:
            case Member(key):
                return self.members.setdefault(key, _Node())
            case Only(condition):
                return self.only.setdefault(condition, _Node())
            case Nth(place):
                return self.nth.setdefault(place, _Node())

    @property
    def whole(self) -> bool:
        """Whether something is collected of the element itself, and not only of its members."""
        return bool(self.leaves or self.only)


class _Walk:
    """Makes nodes into functions."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    def item(self, node: _Node) -> Visit:
        """What is done with one element, itself not an array."""
        visits = [_when(condition, self.item(below)) for condition, below in node.only.items()]
        if node.leaves:
            visits.append(_all(node.leaves))
        if node.members or node.joint:
            visits.append(self._object(node))
        return _all(visits)

    def _object(self, node: _Node) -> Visit:
        """What is done with the members of an object, in groups that depend on each other."""
        members = {key: self._entered(below) for key, below in node.members.items()}
        joint = list(node.joint)
        groups = []
        coded = [key for key, below in node.members.items() if below.coded and below.whole]
        if len(coded) > 1:
            within = [each for each in joint if each.coded and set(each.looks_at) <= set(coded)]
            joint = [each for each in joint if each not in within]
            groups.append(self._group(coded, coded, within, members))
        by_needs: dict[tuple[str, ...], list[Find]] = {}
        for find in joint:
            by_needs.setdefault(find.needs, []).append(find)
        for needs, together in by_needs.items():
            looks_at = tuple(dict.fromkeys(key for each in together for key in each.looks_at))
            groups.append(self._group(needs, looks_at, together, members))
        return _members(members, groups)

    def _group(
        self,
        needs: Sequence[str],
        looks_at: Sequence[str],
        together: Iterable[Find],
        members: dict[str, Visit],
    ) -> "_Group":
        """Takes the members that are needed out of `members`, as they are looked at here."""
        wanted = {key: members.pop(key) for key in needs if key in members}
        joint = tuple((each.needs, each.collect) for each in together)
        visit = _grouped(wanted, joint)
        of_root = any(each.of_root for each in together)
        if self._memory is not None and not of_root:
            visit = self._memory.of_members(tuple(looks_at), visit)
        return tuple(needs), visit

    def _entered(self, node: _Node) -> Visit:
        """What is done with a member's value, an array or not."""
        visits = [_at(place, self.item(below)) for place, below in node.nth.items()]
        if self._memory is not None and node.whole and not node.of_root:
            visits.append(self._memory.of_each(self.item(node)))
        elif node.members or node.joint or node.whole:
            visits.append(_each(self.item(node)))
        return _all(visits)


_Group = tuple[tuple[str, ...], Visit]
"""Members of which one must be there, and what is done with the object then."""


def _all(visits: list[Visit]) -> Visit:
    if len(visits) == 1:
        return visits[0]
    together = tuple(visits)

    def visit(value: Any, gathered: Gathered) -> None:
        for each in together:
            each(value, gathered)

    return visit


def _grouped(
    members: Mapping[str, Visit], joint: Sequence[tuple[tuple[str, ...], Collect]]
) -> Visit:
    wanted = tuple(members.items())

    def visit(value: Any, gathered: Gathered) -> None:
        for key, visit in wanted:
            if key in value:
                visit(value[key], gathered)
        for needs, collect in joint:
            for key in needs:
                if key in value:
                    collect(value, gathered)
                    break

    return visit


def _members(visits: Mapping[str, Visit], groups: Sequence[_Group]) -> Visit:
    known = visits.get
    together = tuple(groups)

    def visit(value: Any, gathered: Gathered) -> None:
        if type(value) is dict:
            for key, below in value.items():
                visit = known(key)
                if visit is not None:
                    visit(below, gathered)
            for needs, visit in together:
                for key in needs:
                    if key in value:
                        visit(value, gathered)
                        break

    return visit


def _each(visit: Visit) -> Visit:
    def visit_each(value: Any, gathered: Gathered) -> None:
        if type(value) is list:
            for item in value:
                visit(item, gathered)
        else:
            visit(value, gathered)

    return visit_each


def _at(place: int, visit: Visit) -> Visit:
    def visit_at(value: Any, gathered: Gathered) -> None:
        items = value if type(value) is list else [value]
        if place < len(items):
            visit(items[place], gathered)

    return visit_at


def _when(condition: Condition, visit: Visit) -> Visit:
    decide = decider(condition)

    def visit_when(value: Any, gathered: Gathered) -> None:
        if decide(value) is True:
            visit(value, gathered)

    return visit_when
