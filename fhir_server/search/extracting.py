"""Extracting: all search parameters of a type, merged into one walk over a plain resource.

The paths of all parameters form a tree, so that a member two of them share is entered once.
The walk looks only at members that are present, and turns away from what has another shape
than the definitions say: a malformed part of a resource is not found, and never raises.

The tree becomes nested functions. What an element gives is remembered by what it says
(`remembering.py`), so that most of a walk is looking up.
"""

from collections.abc import Iterable, Mapping
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
    of_root: bool = False
    """Whether what is collected also depends on the resource around the element."""


_FEW_MEMBERS = 3
"""Asking for this many members is faster than looking at all that are there."""


def extractor(finds: Iterable[Find], memory: Memory | None = None) -> Visit:
    """One function that walks a resource for all of `finds`; without a memory always anew."""
    root = _Node()
    for find in finds:
        node = root
        for step in find.steps:
            node = node.after(step)
            node.of_root |= find.of_root
        if find.needs:
            node.guarded.append((find.needs, find.collect))
        else:
            node.leaves.append(find.collect)
    return _Walk(memory).item(root)


@dataclass(slots=True)
class _Node:
    """What to do with one element."""

    leaves: list[Collect] = field(default_factory=list)
    guarded: list[tuple[tuple[str, ...], Collect]] = field(default_factory=list)
    members: dict[str, "_Node"] = field(default_factory=dict)
    only: dict[Condition, "_Node"] = field(default_factory=dict)
    nth: dict[int, "_Node"] = field(default_factory=dict)
    """Applies to the array this element is an item of."""
    of_root: bool = False
    """Whether something at it or below it also depends on the resource."""

    def after(self, step: Step) -> "_Node":
        match step:
            case Member(key):
                return self.members.setdefault(key, _Node())
            case Only(condition):
                return self.only.setdefault(condition, _Node())
            case Nth(place):
                return self.nth.setdefault(place, _Node())


class _Walk:
    """Makes nodes into functions."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    def item(self, node: _Node) -> Visit:
        """What is done with one element, itself not an array."""
        visits = [_when(condition, self.item(below)) for condition, below in node.only.items()]
        if node.leaves:
            visits.append(_all(node.leaves))
        if node.guarded:
            visits.append(_guarded(tuple(node.guarded)))
        if node.members:
            members = {key: self._entered(below) for key, below in node.members.items()}
            visits.append(_members(members))
        return _all(visits)

    def _entered(self, node: _Node) -> Visit:
        """What is done with a member's value, an array or not."""
        visits = [_at(place, self.item(below)) for place, below in node.nth.items()]
        if self._memory is not None and (node.leaves or node.guarded) and not node.of_root:
            visits.append(self._memory.of_each(self.item(node)))
        elif node.members or node.only or node.guarded or node.leaves:
            visits.append(_each(self.item(node)))
        return _all(visits)


def _all(visits: list[Visit]) -> Visit:
    if len(visits) == 1:
        return visits[0]
    together = tuple(visits)

    def visit(value: Any, gathered: Gathered) -> None:
        for each in together:
            each(value, gathered)

    return visit


def _guarded(leaves: tuple[tuple[tuple[str, ...], Collect], ...]) -> Visit:
    def visit(value: Any, gathered: Gathered) -> None:
        if type(value) is dict:
            for needs, collect in leaves:
                for key in needs:
                    if key in value:
                        collect(value, gathered)
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


def _members(visits: Mapping[str, Visit]) -> Visit:
    if len(visits) <= _FEW_MEMBERS:
        wanted = tuple(visits.items())

        def visit_wanted(value: Any, gathered: Gathered) -> None:
            if type(value) is dict:
                for key, visit in wanted:
                    if key in value:
                        visit(value[key], gathered)

        return visit_wanted

    known = visits.get

    def visit_present(value: Any, gathered: Gathered) -> None:
        if type(value) is dict:
            for key, below in value.items():
                visit = known(key)
                if visit is not None:
                    visit(below, gathered)

    return visit_present
