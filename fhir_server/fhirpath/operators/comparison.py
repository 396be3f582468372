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
from fhir_server.fhirpath.singletons import QUANTITIES
from fhir_server.fhirpath.temporal import Date, DateTime, Time


def compare(left: Item, right: Item) -> int | None:
    """-1, 0 or 1; None when there is no answer. Unfit when the types have no order."""
    kinds = {type(left), type(right)}
    if kinds <= _PLAIN_NUMBERS or kinds == _STRINGS:
        return (left > right) - (left < right)  # type: ignore[operator] # two of one kind
    if kinds <= _MOMENTS or kinds == _TIMES:
        return temporal.compare(left, right)  # type: ignore[arg-type] # likewise
    one, other = as_quantities(left, right)
    if one is None or other is None:
        if _is_unmeasured(left) or _is_unmeasured(right):
            return None
        raise Unfit(f"{type_name(left)} and {type_name(right)} have no order")
    return quantity.compare(one, other)


def _is_unmeasured(item: Item) -> bool:
    """Whether it is a Quantity element without a plain value: more than 5 mg, or nothing told."""
    return isinstance(item, Element) and item.type in QUANTITIES


_PLAIN_NUMBERS: Final[set[type]] = {int, Decimal}
_STRINGS: Final[set[type]] = {str}
_MOMENTS: Final[set[type]] = {Date, DateTime}
_TIMES: Final[set[type]] = {Time}


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
