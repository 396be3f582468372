"""From a collection to the one value an operator or function expects.

http://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections and
https://hl7.org/fhir/R4/fhirpath.html#types

An empty collection is None here. Elements become System values: primitives by their type,
Quantity where it has a value and no comparator (in a unit of its own where it has no UCUM code:
it compares with what is given in the same one). An element without a value, which
JSON has when only extensions are known, is None too.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

from fhir_server.fhir.quantity import UCUM
from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.items import Element, Item, type_name
from fhir_server.fhirpath.quantity import CALENDAR, Quantity
from fhir_server.fhirpath.temporal import read_date, read_date_time, read_time

Number = int | Decimal
_Kind = TypeVar("_Kind", bool, str, int)

_WORDS: Final = {code: word for word, code in CALENDAR.items() if code not in {"wk", "ms"}}
"""UCUM's time units that FHIR maps to words of the calendar."""


def system(item: Item) -> Item | None:
    """The System value of an item; an element that has none stays itself."""
    if type(item) is not Element:
        return item
    value = item.value
    if type(value) is dict:
        return _quantity(item, value) if item.type in QUANTITIES else item
    read = _READERS.get(item.type)
    if read is None or value is None:
        return value  # type: ignore[no-any-return] # JSON: a bool, str, int or Decimal here
    return read(value)


def single(items: list[Item]) -> Item | None:
    """The only value of a collection; Unfit when there are several."""
    if len(items) == 1:
        return system(items[0])
    if items:
        raise _several(items)
    return None


def truth(items: list[Item]) -> bool | None:
    """A collection as a Boolean: one item that is no Boolean is true."""
    if len(items) == 1:
        item = items[0]
        if type(item) is Element:
            item = item.value
        return item if type(item) is bool else True
    if items:
        raise _several(items)
    return None


def is_plain_text(item: Element) -> bool:
    """Whether an element's value is a String as it stands: no date or time is."""
    return type(item.value) is str and item.type not in _READERS


def boolean(items: list[Item]) -> bool | None:
    """A collection that must be a Boolean or empty."""
    return _only(items, bool, "a Boolean")


def string(items: list[Item]) -> str | None:
    if len(items) == 1:
        item = items[0]
        if type(item) is Element and type(item.value) is str and item.type not in _READERS:
            return item.value
    return _only(items, str, "a String")


def integer(items: list[Item]) -> int | None:
    return _only(items, int, "an Integer")


def number(items: list[Item]) -> Number | None:
    value = single(items)
    if value is None or type(value) is Decimal or type(value) is int:
        return value
    raise Unfit(f"an Integer or a Decimal is needed here, not a {type_name(value)}")


def _only(items: list[Item], kind: type[_Kind], named: str) -> _Kind | None:
    value = single(items)
    if value is None or type(value) is kind:
        return value
    raise Unfit(f"{named} is needed here, not a {type_name(value)}")


def _several(items: list[Item]) -> Unfit:
    return Unfit(f"one item is needed here, not {len(items)}")


def _quantity(item: Element, value: dict[str, Any]) -> Item:
    amount, code = value.get("value"), value.get("code")
    if not isinstance(amount, Decimal | int) or "comparator" in value:
        return item
    if type(code) is not str or value.get("system") != UCUM:
        return Quantity(Decimal(amount), f"{value.get('system')}|{code or value.get('unit')}")
    word = _WORDS.get(code)
    return Quantity(Decimal(amount), word or code, word is not None)


def _read(reader: Callable[[str], Item | None]) -> Callable[[Any], Item]:
    """What has not the form of its type is taken as the text it is."""
    return lambda value: (reader(value) if type(value) is str else None) or value


QUANTITIES: Final = frozenset(
    ("Quantity", "Age", "Count", "Distance", "Duration", "SimpleQuantity", "MoneyQuantity")
)
_READERS: Final[Mapping[str, Callable[[Any], Item]]] = {
    "date": _read(read_date),
    "dateTime": _read(read_date_time),
    "instant": _read(read_date_time),
    "time": _read(read_time),
    "decimal": lambda value: Decimal(value) if type(value) is int else value,
}
