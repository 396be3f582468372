"""Subsetting: http://hl7.org/fhirpath/N1/#subsetting."""

from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.functions.rules import Function, Kind, collection
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.operators.equality import Bag, distinct


def at(items: list[Item], index: int | None) -> list[Item]:
    """`[index]`."""
    return items[index : index + 1] if index is not None and index >= 0 else []


def only(items: list[Item]) -> list[Item]:
    """`single()`."""
    if len(items) > 1:
        raise Unfit(f"single() found {len(items)} items")
    return items


def skip(items: list[Item], number: int | None) -> list[Item]:
    return items[max(number, 0) :] if number is not None else []


def take(items: list[Item], number: int | None) -> list[Item]:
    return items[: max(number, 0)] if number is not None else []


def intersect(items: list[Item], other: list[Item]) -> list[Item]:
    bag = Bag(other)
    return distinct(item for item in items if item in bag)


def exclude(items: list[Item], other: list[Item]) -> list[Item]:
    bag = Bag(other)
    return [item for item in items if item not in bag]


SUBSETTING: dict[str, Function] = {
    "single": collection(only),
    "first": collection(lambda items: items[:1]),
    "last": collection(lambda items: items[-1:]),
    "tail": collection(lambda items: items[1:]),
    "skip": collection(skip, Kind.INTEGER),
    "take": collection(take, Kind.INTEGER),
    "intersect": collection(intersect, Kind.COLLECTION),
    "exclude": collection(exclude, Kind.COLLECTION),
}
