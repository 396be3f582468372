"""`<`, `<=`, `>`, `>=`.

http://hl7.org/fhirpath/N1/#comparison
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from fhir_server.fhirpath import quantity, temporal
from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.items import Element, Item, type_name
from fhir_server.fhirpath.operators.equality import as_quantities
from fhir_server.fhirpath.singletons import QUANTITIES, Number
from fhir_server.fhirpath.temporal import Date, DateTime, Time


def compare(left: Item, right: Item) -> int | None:
    """-1, 0 or 1; None when there is no answer. Unfit when the types have no order."""
    kind, other_kind = _ORDERED.get(type(left)), _ORDERED.get(type(right))
    if kind is other_kind and kind is not None:
        return kind(left, right)
    one, other = as_quantities(left, right)
    if one is None or other is None:
        if _is_unmeasured(left) or _is_unmeasured(right):
            return None
        raise Unfit(f"{type_name(left)} and {type_name(right)} have no order")
    return quantity.compare(one, other)


def _is_unmeasured(item: Item) -> bool:
    """Whether it is a Quantity element without a plain value: more than 5 mg, or nothing told."""
    return isinstance(item, Element) and item.type in QUANTITIES


def _of_numbers(left: Number, right: Number) -> int:
    return (left > right) - (left < right)


def _of_strings(left: str, right: str) -> int:
    return (left > right) - (left < right)


def _of_times(left: Time, right: Time) -> int | None:
    return temporal.compare(left, right)


_ORDERED: Final[Mapping[type, Callable[[Any, Any], int | None]]] = {
    int: _of_numbers,
    Decimal: _of_numbers,
    str: _of_strings,
    Date: temporal.compare,
    DateTime: temporal.compare,
    Time: _of_times,
}
"""How values of a class are ordered; only those that share a way have an order."""


def _comparison(holds: Callable[[int], bool]) -> Callable[[Any, Any], bool | None]:
    def run(left: Item, right: Item) -> bool | None:
        order = compare(left, right)
        return None if order is None else holds(order)

    return run


COMPARISON: Final[Mapping[str, Callable[[Any, Any], bool | None]]] = {
    "<": _comparison(lambda order: order < 0),
    "<=": _comparison(lambda order: order <= 0),
    ">": _comparison(lambda order: order > 0),
    ">=": _comparison(lambda order: order >= 0),
}
