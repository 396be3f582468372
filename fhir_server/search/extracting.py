"""Extracting: all search parameters of a type, merged into one walk over a plain resource.

The paths of all parameters form a tree, so that a member two of them share is entered once.
The walk looks only at members that are present, and turns away from what has another shape
than the definitions say: a malformed part of a resource is not found, and never raises.

The tree becomes nested functions; what is done with an object is worked out once for each set of
members that objects are met with. What elements give is remembered by what they say
(`remembering.py`), so that most of a walk is looking up.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from operator import itemgetter
from typing import Any, Final

from fhir_server.search.conditions import decider
from fhir_server.search.gathering import Collect, Gathered, Visit
from fhir_server.search.measuring import Marks, measured
from fhir_server.search.paths import Condition, Member, Nth, Only, Step
from fhir_server.search.remembering import Memory

_SHAPES: Final = 256
"""Sets of members that are known of each object."""
_LONGEST_SHAPE: Final = 2000
"""Characters of all names in one that is kept."""


class Shared(Enum):
    """What many resources have in common, and is looked up together."""

    CODES = auto()
    """What is said in codes and concepts."""
    OCCASION = auto()
    """Whom it is about, in which encounter, when."""
    PARTIES = auto()
    """Who did it, and where."""


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
    shared: Shared | None = None
    """What it is about, if that is something that many resources have in common."""
    marks: Marks | None = None
    """Of a quantity: what marks it, by the values of what it looks at."""


def extractor(finds: Iterable[Find], memory: Memory | None = None) -> Visit:
    """One function that walks a resource for all of `finds`; without a memory always anew."""
    root = _Node()
    for find in finds:
        node = root
        for step in find.steps:
            node = node.after(step)
            node.of_root |= find.of_root
            node.shared.add(find.shared)
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
    shared: set[Shared | None] = field(default_factory=set)
    """What all at it and below it is about."""

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

    @property
    def remembers(self) -> bool:
        return self._memory is not None

    def item(self, node: _Node) -> Visit:
        """What is done with one element, itself not an array."""
        visits = [_when(condition, self.item(below)) for condition, below in node.only.items()]
        if node.leaves:
            visits.append(_all(node.leaves))
        if node.members or node.joint:
            visits.append(_objects(_Shapes(node, self)))
        return _all(visits)

    def entered(self, node: _Node, *, anew: bool = False) -> Visit:
        """What is done with a member's value, an array or not; `anew` asks no memory."""
        visits = [_at(place, self.item(below)) for place, below in node.nth.items()]
        remembers = self._memory is not None and not node.of_root and not anew
        if self._memory is not None and remembers and node.whole:
            visits.append(self._memory.of_each(self.item(node)))
        elif node.members or node.joint or node.whole:
            each = _each(self.item(node))
            visits.append(self._memory.of(each) if self._memory is not None and remembers else each)
        return _all(visits)

    def together(
        self, names: Sequence[str], visits: Iterable[Visit], joint: Iterable[Find]
    ) -> Visit:
        """What is done with the values of these members: each is visited, then all are joined."""
        visit = _together(names, tuple(visits), tuple(find.collect for find in joint))
        return visit if self._memory is None else self._memory.of(visit)


_Step = tuple[Callable[[dict[str, Any]], Any], Visit]
"""What is taken of an object, and what is done with it."""


class _Shapes:
    """What is done with an object, by the members it has: a source has few sets of them.

    What many resources have in common is one step, and so is what depends on several members.
    """

    def __init__(self, node: _Node, walk: _Walk) -> None:
        self._node = node
        self._walk = walk
        self._made: dict[tuple[str, ...], Visit] = {}
        self.known: dict[tuple[str, ...], Sequence[_Step]] = {}

    def meet(self, shape: tuple[str, ...]) -> Sequence[_Step]:
        """The steps of a set of members that is not known yet."""
        if len(self.known) >= _SHAPES:
            self.known.clear()
            self._made.clear()
        steps = tuple(self._steps(shape))
        if sum(map(len, shape)) <= _LONGEST_SHAPE:
            self.known[shape] = steps
        return steps

    def _steps(self, shape: tuple[str, ...]) -> list[_Step]:
        members = self._node.members
        alone = dict.fromkeys(key for key in shape if key in members)
        joint = [find for find in self._node.joint if not set(find.needs).isdisjoint(shape)]
        steps = [
            *(step for shared in Shared for step in self._shared(shared, alone, joint)),
            *self._quantities(shape, joint),
            *self._others(shape, alone, joint),
        ]
        return [*((itemgetter(key), self._one(key)) for key in alone), *steps]

    def _shared(self, shared: Shared, alone: dict[str, None], joint: list[Find]) -> Iterator[_Step]:
        """One step for what is shared, and what depends on that only; it is taken out of both."""
        members = self._node.members
        names = [key for key in alone if members[key].shared == {shared} and members[key].whole]
        if len(names) > 1:
            within = _taken(
                joint, lambda find: find.shared is shared and set(find.looks_at) <= {*names}
            )
            for key in names:
                del alone[key]
            yield self._several(names, names, within)

    def _quantities(self, shape: tuple[str, ...], joint: list[Find]) -> Iterator[_Step]:
        """One step for each quantity, and all that depends on it; it is taken out."""
        for quantity in dict.fromkeys(find.looks_at[-1] for find in joint if find.marks):
            finds = _taken(joint, lambda each: each.marks and each.looks_at[-1] == quantity)  # noqa: B023 -- called at once
            whole = [find for find in finds if set(find.looks_at) <= set(shape)]
            if whole:
                yield self._measured(whole)

    def _others(
        self, shape: tuple[str, ...], alone: dict[str, None], joint: list[Find]
    ) -> Iterator[_Step]:
        """Steps for what else depends on several members, and for those members."""
        for find in _taken(joint, lambda find: find.of_root):
            yield _itself, find.collect
        for needs in dict.fromkeys(find.needs for find in joint):
            finds = [find for find in joint if find.needs == needs]
            asked = dict.fromkeys(key for find in finds for key in find.looks_at)
            visited = [key for key in needs if key in alone]
            for key in visited:
                del alone[key]
            yield self._several([key for key in asked if key in shape], visited, finds)

    def _one(self, key: str) -> Visit:
        """What is done with the value of one member."""
        return self._kept((key,), lambda: self._walk.entered(self._node.members[key]))

    def _several(self, names: list[str], visited: list[str], joint: list[Find]) -> _Step:
        """What is done with several members together, of which some are visited by themselves.

        What is coded is known one by one as well; of other things together nothing is.
        """
        members = self._node.members

        def make() -> Visit:
            visits = [
                self._one(key)
                if names == visited
                else self._walk.entered(members[key], anew=True)
                if key in visited
                else _nothing
                for key in names
            ]
            return self._walk.together(names, visits, joint)

        needs = joint[0].needs if joint else ()
        return _taker(names), self._kept((*names, "", *visited, "", *needs), make)

    def _measured(self, finds: list[Find]) -> _Step:
        """What is done with one quantity, for all who look at it."""
        asked = dict.fromkeys(key for find in finds for key in find.looks_at[:-1])
        names = [*asked, finds[0].looks_at[-1]]

        def make() -> Visit:
            marks = [_of_some(find.marks, names, find.looks_at) for find in finds if find.marks]
            otherwise = _together(names, (), tuple(find.collect for find in finds))
            return measured(marks, otherwise, remembers=self._walk.remembers)

        return _taker(names), self._kept((*names, "\0"), make)

    def _kept(self, names: tuple[str, ...], make: Callable[[], Visit]) -> Visit:
        visit = self._made.get(names)
        if visit is None:
            visit = self._made[names] = make()
        return visit


def _taken(finds: list[Find], which: Callable[[Find], object]) -> list[Find]:
    """Takes some out of `finds`."""
    taken = [find for find in finds if which(find)]
    finds[:] = [find for find in finds if find not in taken]
    return taken


def _of_some(marks: Marks, names: Sequence[str], looks_at: Sequence[str]) -> Marks:
    """The same of the values of more members than it looks at."""
    places = [names.index(key) for key in looks_at]
    return lambda values: marks([values[place] for place in places])


def _taker(names: Sequence[str]) -> Callable[[dict[str, Any]], Any]:
    if len(names) > 1:
        return itemgetter(*names)
    (name,) = names
    return lambda element: (element[name],)


def _itself(element: dict[str, Any]) -> dict[str, Any]:
    return element


def _nothing(_value: Any, _gathered: Gathered) -> None:
    """What is done with a member that others only are compared with."""


def _objects(shapes: _Shapes) -> Visit:
    known, meet = shapes.known.get, shapes.meet

    def visit_object(value: Any, gathered: Gathered) -> None:
        if type(value) is dict:
            shape = tuple(value)
            steps = known(shape)
            for take, visit in meet(shape) if steps is None else steps:
                visit(take(value), gathered)

    return visit_object


def _together(names: Sequence[str], visits: tuple[Visit, ...], joint: tuple[Collect, ...]) -> Visit:
    def visit_together(values: tuple[Any, ...], gathered: Gathered) -> None:
        for value, visit in zip(values, visits, strict=False):
            visit(value, gathered)
        if joint:
            element = dict(zip(names, values, strict=True))
            for collect in joint:
                collect(element, gathered)

    return visit_together


def _all(visits: list[Visit]) -> Visit:
    if len(visits) == 1:
        return visits[0]
    together = tuple(visits)

    def visit(value: Any, gathered: Gathered) -> None:
        for each in together:
            each(value, gathered)

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
