"""Existence: http://hl7.org/fhirpath/N1/#existence."""

from collections.abc import Callable

from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.functions.rules import Function, Kind, Result, collection
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.navigation import Scalar
from fhir_server.fhirpath.operators.equality import Bag
from fhir_server.fhirpath.operators.equality import distinct as distinct_items
from fhir_server.fhirpath.singletons import boolean


def empty(items: list[Item]) -> bool:
    return not items


def exists(evaluation: Evaluation, items: list[Item], criterion: Scalar | None = None) -> bool:
    if criterion is None:
        return bool(items)
    return _first(evaluation, items, criterion, stop_at=True)


def all_(evaluation: Evaluation, items: list[Item], criterion: Scalar) -> bool:
    return not _first(evaluation, items, criterion, stop_at=False)


def subset_of(items: list[Item], other: list[Item]) -> bool:
    bag = Bag(other)
    return all(item in bag for item in items)


def superset_of(items: list[Item], other: list[Item]) -> bool:
    return subset_of(other, items)


def is_distinct(items: list[Item]) -> bool:
    bag = Bag()
    return all(bag.add(item) for item in items)


def _first(evaluation: Evaluation, items: list[Item], criterion: Scalar, *, stop_at: bool) -> bool:
    """Whether an item is found that meets the criterion, or (False) that does not."""
    evaluation.spend(len(items))
    outer = evaluation.index
    found = False
    for index, item in enumerate(items):
        evaluation.index = index
        if (criterion(evaluation, [item]) is True) is stop_at:
            found = True
            break
    evaluation.index = outer
    return found


def _of_booleans(answer: Callable[[list[bool]], bool]) -> Callable[[list[Item]], bool]:
    def run(items: list[Item]) -> bool:
        values = [boolean([item]) for item in items]
        if None in values:
            raise Unfit("an element without a value is no Boolean")
        return answer([value is True for value in values])

    return run


EXISTENCE: dict[str, Function] = {
    "empty": collection(empty, result=Result.BOOLEAN),
    "exists": collection(
        exists, Kind.CRITERION, optional=1, result=Result.BOOLEAN, evaluation=True
    ),
    "all": collection(all_, Kind.CRITERION, result=Result.BOOLEAN, evaluation=True),
    "allTrue": collection(_of_booleans(all), result=Result.BOOLEAN),
    "anyTrue": collection(_of_booleans(any), result=Result.BOOLEAN),
    "allFalse": collection(_of_booleans(lambda values: not any(values)), result=Result.BOOLEAN),
    "anyFalse": collection(_of_booleans(lambda values: not all(values)), result=Result.BOOLEAN),
    "subsetOf": collection(subset_of, Kind.COLLECTION, result=Result.BOOLEAN),
    "supersetOf": collection(superset_of, Kind.COLLECTION, result=Result.BOOLEAN),
    "isDistinct": collection(is_distinct, result=Result.BOOLEAN),
    "distinct": collection(distinct_items),
    "count": collection(len, result=Result.VALUE),
}
