"""Paths: from elements to their children by name. The part that has to be fast.

http://hl7.org/fhirpath/N1/#path-selection

A closure is made once for a whole path. What is usual (an object's member that is there, no
array with gaps) is done inline; all else by `model.collect`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.items import Element, Item, TypeInfo
from fhir_server.fhirpath.model import UNTOLD, Ancestry, Json, Steps, collect
from fhir_server.fhirpath.quantity import Quantity

Many = Callable[[Evaluation, list[Item]], list[Item]]
"""A compiled expression. It never changes a list it is given, nor one it has given away."""
Scalar = Callable[[Evaluation, list[Item]], Any]
"""One that never has more than one result: a System value, or None for empty."""


_FEW = 16
"""Items that are not worth counting."""


def focus(_: Evaluation, items: list[Item]) -> list[Item]:
    """`$this`."""
    return items


def path(source: Many, steps: list[Steps]) -> Many:
    """`source.a.b.c`."""
    if source is focus and len(steps) == 1:
        return partial(_step, steps[0])

    def run(evaluation: Evaluation, items: list[Item]) -> list[Item]:
        items = source(evaluation, items)
        for named in steps:
            items = _below(items, named)
            if len(items) > _FEW:
                evaluation.spend(len(items))
        return items

    return run


def _step(steps: Steps, evaluation: Evaluation, items: list[Item]) -> list[Item]:
    """A path of one name."""
    found = _below(items, steps)
    if len(found) > _FEW:
        evaluation.spend(len(found))
    return found


def _below(items: list[Item], steps: Steps) -> list[Item]:
    found: list[Item] = []
    for item in items:
        if type(item) is not Element:
            found += _part(item, steps.name)
            continue
        holder = item.value if type(item.value) is dict else item.beside
        if type(holder) is not dict:
            continue
        for key, kind, beside in steps[item.type]:
            value = holder.get(key)
            if beside in holder or (value is not None and kind in UNTOLD):
                collect(found, item, holder, (key, kind, beside))
            elif type(value) is list:
                found += [
                    Element(each, kind, None, item, key, index)
                    for index, each in enumerate(value)
                    if each is not None
                ]
            elif value is not None:
                found.append(Element(value, kind, None, item, key))
    return found


def of_type(source: Many, kinds: Ancestry) -> Many:
    """`Patient` at the beginning of a path: the focus, if it is one."""

    def run(evaluation: Evaluation, items: list[Item]) -> list[Item]:
        return [
            item for item in source(evaluation, items) if type(item) is Element and kinds[item.type]
        ]

    return run


def present(source: Many, steps: Steps) -> Callable[[Evaluation, list[Item]], bool]:
    """Whether `source.name` finds anything."""

    def run(evaluation: Evaluation, items: list[Item]) -> bool:
        for item in source(evaluation, items):
            if type(item) is not Element:
                if _part(item, steps.name):
                    return True
                continue
            value = item.value
            holder = value if type(value) is dict else item.beside
            if type(holder) is dict:
                for step in steps[item.type]:
                    if _has(item, holder, step):
                        return True
        return False

    return run


def _has(item: Element, holder: Json, step: tuple[str, str, str]) -> bool:
    key, _, beside = step
    value = holder.get(key)
    if value is not None and (type(value) is not list or (value and value[0] is not None)):
        return True
    if value is None and (not beside or beside not in holder):
        return False
    found: list[Item] = []
    collect(found, item, holder, step)
    return bool(found)


def _part(item: Item, name: str) -> list[Item]:
    """System values have no children, but for these."""
    if type(item) is TypeInfo and name in {"namespace", "name"}:
        return [item.namespace if name == "namespace" else item.name]
    if type(item) is Quantity and name in {"value", "unit"}:
        return [item.value if name == "value" else item.unit]
    return []
