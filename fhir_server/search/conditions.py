"""Conditions inside search expressions, as functions over plain JSON.

https://hl7.org/fhirpath/N1/#boolean-logic

Logic has three values: what compares with nothing is unknown (None), and only True passes.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from fhir_server.fhir.reference import Elsewhere, Local, parse, relative
from fhir_server.search.paths import (
    Both,
    Condition,
    Either,
    Equals,
    Exists,
    Literal,
    Member,
    Nth,
    Path,
    RefersTo,
    Step,
)

Decide = Callable[[Any], bool | None]
Reach = Callable[[Any], list[Any]]


def decider(condition: Condition) -> Decide:
    """The function that says whether an element meets a condition."""
    match condition:
        case Exists(paths):
            reach = reacher(paths)
            return lambda element: bool(reach(element))
        case Equals(paths, literal, differs):
            return _equals(reacher(paths), literal, differs=differs)
        case RefersTo(type_):
            return _refers_to(type_)
        case Both(conditions):
            return _both([decider(each) for each in conditions])
        case Either(conditions):
            return _either([decider(each) for each in conditions])


def reacher(paths: Sequence[Path]) -> Reach:
    """The function that collects what lies at the ends of paths, in their order."""
    walks = [_walk(path.steps) for path in paths]
    if len(walks) == 1:
        return walks[0]
    return lambda element: [item for walk in walks for item in walk(element)]


def names_type(text: object, type_: str) -> bool:
    """Whether a reference's text, relative or absolute, names a resource of a type."""
    if type(text) is not str:
        return False
    return (_kept_type if len(text) <= _LONGEST_KEPT else _type_named)(text) == type_


def _type_named(text: str) -> str | None:
    local = relative(text)
    if local is not None:
        return local[0]
    match parse(text):
        case Local(type=named) | Elsewhere(type=named):
            return named
        case _:
            return None


_LONGEST_KEPT = 200
_kept_type = lru_cache(maxsize=8192)(_type_named)


def _walk(steps: tuple[Step, ...]) -> Reach:
    if not steps:
        return lambda element: [element]
    if len(steps) == 1 and isinstance(steps[0], Member):
        return _member(steps[0].key)
    moves = [_move(step) for step in steps]

    def walk(element: Any) -> list[Any]:
        items = [element]
        for move in moves:
            items = move(items)
        return items

    return walk


def _move(step: Step) -> Callable[[list[Any]], list[Any]]:
    match step:
        case Member(key):
            reach = _member(key)
            return lambda items: [below for item in items for below in reach(item)]
        case Nth(place):
            return lambda items: items[place : place + 1]
        case _:
            decide = decider(step.condition)
            return lambda items: [item for item in items if decide(item) is True]


def _member(key: str) -> Reach:
    def reach(element: Any) -> list[Any]:
        found = element.get(key) if type(element) is dict else None
        if type(found) is list:
            return [item for item in found if item is not None]
        return [] if found is None else [found]

    return reach


def _equals(reach: Reach, literal: Literal, *, differs: bool) -> Decide:
    kind = type(literal)

    def decide(element: Any) -> bool | None:
        found = reach(element)
        if not found:
            return None
        equal = len(found) == 1 and type(found[0]) is kind and found[0] == literal
        return equal is not differs

    return decide


def _refers_to(type_: str) -> Decide:
    def decide(element: Any) -> bool:
        return type(element) is dict and names_type(element.get("reference"), type_)

    return decide


def _both(decides: Sequence[Decide]) -> Decide:
    def decide(element: Any) -> bool | None:
        answers = [each(element) for each in decides]
        return False if False in answers else None if None in answers else True

    return decide


def _either(decides: Sequence[Decide]) -> Decide:
    def decide(element: Any) -> bool | None:
        answers = [each(element) for each in decides]
        return True if True in answers else None if None in answers else False

    return decide
