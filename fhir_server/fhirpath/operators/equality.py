"""`=`, `~`, `!=`, `!~`, and membership, which rests on `=`.

http://hl7.org/fhirpath/N1/#equality

`=` may have no answer (None): precision differs, a zone is missing, units cannot be compared.
Elements that are not primitive are equal when their JSON is; numbers then are equal by value.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeGuard

from fhir_server.fhirpath import quantity, temporal
from fhir_server.fhirpath.items import Element, Item, TypeInfo
from fhir_server.fhirpath.quantity import DIGITS, Quantity
from fhir_server.fhirpath.singletons import system
from fhir_server.fhirpath.temporal import Date, DateTime, Time

_TEMPORAL: Final = (Date, DateTime, Time)


def equal(left: list[Item], right: list[Item]) -> bool | None:
    """`=` of collections: order counts."""
    if len(left) == 1 and len(right) == 1:
        return equal_items(left[0], right[0])
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    answers = [equal_items(ours, theirs) for ours, theirs in zip(left, right, strict=True)]
    if False in answers:
        return False
    return None if None in answers else True


def not_equal(left: list[Item], right: list[Item]) -> bool | None:
    answer = equal(left, right)
    return None if answer is None else not answer


def equivalent(left: list[Item], right: list[Item]) -> bool:
    """`~` of collections: order does not count, and there always is an answer."""
    if len(left) != len(right):
        return False
    if len(left) == 1:
        return equivalent_items(left[0], right[0])
    rest = list(right)
    for item in left:
        match = next((i for i, each in enumerate(rest) if equivalent_items(item, each)), None)
        if match is None:
            return False
        del rest[match]
    return True


def not_equivalent(left: list[Item], right: list[Item]) -> bool:
    return not equivalent(left, right)


def equal_items(left: Item, right: Item) -> bool | None:
    ours, theirs = system(left), system(right)
    if ours is None or theirs is None:
        return _same_without_value(left, right) if ours is theirs else None
    if type(ours) is type(theirs):
        return _EQUAL[type(ours)](ours, theirs)
    if isinstance(ours, _TEMPORAL) and isinstance(theirs, _TEMPORAL):
        return False if Time in {type(ours), type(theirs)} else _same_moment(ours, theirs)
    one, other = as_quantities(ours, theirs)
    if one is not None and other is not None:
        return _same_amount(one, other)
    return _is_number(ours) and _is_number(theirs) and ours == theirs


def equivalent_items(left: Item, right: Item) -> bool:
    ours, theirs = system(left), system(right)
    if isinstance(ours, str) and isinstance(theirs, str):
        return " ".join(ours.split()).casefold() == " ".join(theirs.split()).casefold()
    if _is_number(ours) and _is_number(theirs):
        return quantity.rounded_equal(Decimal(ours), Decimal(theirs))
    if isinstance(ours, Element) and isinstance(theirs, Element):
        return _equivalent_json(ours.value, theirs.value)
    if ours is None or theirs is None:
        return ours is theirs
    one, other = as_quantities(ours, theirs)
    if one is not None and other is not None:
        return quantity.equivalent(one, other)
    return equal_items(ours, theirs) is True


def as_quantities(left: Item, right: Item) -> tuple[Quantity | None, Quantity | None]:
    """Both as quantities, when one of them is one and the other can be."""
    if type(left) is Quantity:
        return left, right if type(right) is Quantity else _quantity(right)
    if type(right) is Quantity:
        return _quantity(left), right
    return None, None


class Bag:
    """Items to be members of, found without looking at each of them."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._buckets: dict[Hashable, list[Item]] = {}
        for item in items:
            self.add(item)

    def __contains__(self, item: Item) -> bool:
        return self._find(self._buckets.get(_key(item), []), item)

    def add(self, item: Item) -> bool:
        """Whether it is new; what is there already is not added again."""
        bucket = self._buckets.setdefault(_key(item), [])
        if self._find(bucket, item):
            return False
        bucket.append(item)
        return True

    @staticmethod
    def _find(bucket: list[Item], item: Item) -> bool:
        return any(equal_items(item, each) is True for each in bucket)


def distinct(items: Iterable[Item]) -> list[Item]:
    """Each once, in the order they come first."""
    bag = Bag()
    return [item for item in items if bag.add(item)]


def _key(item: Item) -> Hashable:
    """The same for items that are equal; rarely for others."""
    value = system(item)
    if isinstance(value, _TEMPORAL):
        return temporal.key(value)
    if isinstance(value, Quantity):
        return quantity.key(value)
    return _frozen(value.value if isinstance(value, Element) else value)


def _frozen(value: Any) -> Hashable:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return frozenset((name, _frozen(each)) for name, each in value.items())
    if isinstance(value, list):
        return tuple(_frozen(each) for each in value)
    if _is_number(value):
        # Numbers are told apart by their hash alone: a text's hash nobody can foresee.
        return "number", str(DIGITS.plus(Decimal(value)).normalize(DIGITS))
    return value  # type: ignore[no-any-return] # a Boolean, a type or nothing


def _quantity(value: Item) -> Quantity | None:
    return Quantity(Decimal(value)) if _is_number(value) else None


def _is_number(value: Any) -> TypeGuard[int | Decimal]:
    return type(value) is int or type(value) is Decimal


def _same_moment(left: Any, right: Any) -> bool | None:
    order = temporal.compare(left, right)
    return None if order is None else order == 0


def _same_amount(left: Quantity, right: Quantity) -> bool | None:
    order = quantity.compare(left, right)
    return None if order is None else order == 0


def _same_without_value(left: Item, right: Item) -> bool | None:
    """Primitives that only have an id or extensions."""
    if isinstance(left, Element) and isinstance(right, Element):
        return bool(left.beside == right.beside)
    return None


def _same(left: Any, right: Any) -> bool:
    return bool(left == right)


def _same_element(left: Element, right: Element) -> bool:
    return left.value is right.value or bool(left.value == right.value)


_EQUAL: Final[Mapping[type, Callable[[Any, Any], bool | None]]] = {
    bool: _same,
    str: _same,
    int: _same,
    Decimal: _same,
    Date: _same_moment,
    DateTime: _same_moment,
    Time: _same_moment,
    Quantity: _same_amount,
    Element: _same_element,
    TypeInfo: _same,
}


def _equivalent_json(left: Any, right: Any) -> bool:
    """Recursively, arrays in any order."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            _equivalent_json(value, right[name]) for name, value in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and Counter(map(_loosely, left)) == Counter(
            map(_loosely, right)
        )
    return bool(_loosely(left) == _loosely(right))


def _loosely(value: Any) -> Hashable:
    """A form that is the same for equivalent JSON."""
    if isinstance(value, str):
        return " ".join(value.split()).casefold()
    if isinstance(value, dict):
        return frozenset((name, _loosely(each)) for name, each in value.items())
    if isinstance(value, list):
        return frozenset(Counter(map(_loosely, value)).items())
    return value  # type: ignore[no-any-return] # a number or bool
