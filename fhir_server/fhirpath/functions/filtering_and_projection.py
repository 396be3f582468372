"""Filtering and projection: http://hl7.org/fhirpath/N1/#filtering-and-projection.

Also `sort()`, which the specification has since 3.0.
"""

from functools import cmp_to_key

from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.functions.rules import Function, Kind, collection
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.navigation import Many, Scalar
from fhir_server.fhirpath.operators.comparison import compare
from fhir_server.fhirpath.operators.equality import Bag
from fhir_server.fhirpath.operators.types import Test
from fhir_server.fhirpath.singletons import single

SortKey = tuple[Many, bool]
"""What is sorted by, and whether in descending order."""


def where(evaluation: Evaluation, items: list[Item], criterion: Scalar) -> list[Item]:
    evaluation.spend(len(items))
    outer = evaluation.index
    found: list[Item] = []
    for index, item in enumerate(items):
        evaluation.index = index
        if criterion(evaluation, [item]) is True:
            found.append(item)
    evaluation.index = outer
    return found


def select(evaluation: Evaluation, items: list[Item], projection: Many) -> list[Item]:
    outer = evaluation.index
    found: list[Item] = []
    for index, item in enumerate(items):
        evaluation.index = index
        found += projection(evaluation, [item])
    evaluation.index = outer
    evaluation.spend(len(items) + len(found))
    return found


def repeat(evaluation: Evaluation, items: list[Item], projection: Many) -> list[Item]:
    """Each item once, so that a cycle ends; one that makes ever new values ends with the steps."""
    bag = Bag()
    found: list[Item] = []
    while items:
        items = [item for item in select(evaluation, items, projection) if bag.add(item)]
        found += items
    return found


def of_type(items: list[Item], test: Test) -> list[Item]:
    return [item for item in items if test(item)]


def sort(evaluation: Evaluation, items: list[Item], *keys: SortKey) -> list[Item]:
    """Items without a value to sort by come first, in either order."""
    evaluation.spend(len(items) * (1 + len(keys)))
    by = keys or ((lambda _, focus: focus, False),)
    rows = [(item, [(single(key(evaluation, [item])), down) for key, down in by]) for item in items]
    return [item for item, _ in sorted(rows, key=cmp_to_key(_order))]


def _order(
    left: tuple[Item, list[tuple[Item | None, bool]]],
    right: tuple[Item, list[tuple[Item | None, bool]]],
) -> int:
    for (ours, descending), (theirs, _) in zip(left[1], right[1], strict=True):
        if ours is None or theirs is None:
            order = (ours is not None) - (theirs is not None)
        else:
            order = (compare(ours, theirs) or 0) * (-1 if descending else 1)
        if order:
            return order
    return 0


FILTERING_AND_PROJECTION: dict[str, Function] = {
    "where": collection(where, Kind.CRITERION, evaluation=True),
    "select": collection(select, Kind.PROJECTION, evaluation=True),
    "repeat": collection(repeat, Kind.PROJECTION, evaluation=True),
    "ofType": collection(of_type, Kind.TYPE),
    "sort": collection(sort, Kind.SORT_KEY, optional=1, repeats=True, evaluation=True),
}
