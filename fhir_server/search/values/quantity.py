"""Quantity values: Quantity and its kin, Money, Range, SampledData.

https://hl7.org/fhir/R4/search.html#quantity

A stored quantity is indexed once for each way of asking; the group of its key is the unit:

    5.4               no unit asked for: the value as written
    5.4|system|code   UCUM: the value in the canonical unit; another system: as written there
    5.4||code         the value as written, where code or unit is written so

Values are points as numbers are (`number.py`), ranges where a comparator or a Range says so.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, NamedTuple

from fhir_server.fhir.quantity import CURRENCIES, UCUM, Conversion, conversion
from fhir_server.kit.remembering import remembered
from fhir_server.search import keys
from fhir_server.search.entries import Entries, Index, Indexed, Indexer
from fhir_server.search.keys import UNBOUNDED
from fhir_server.search.values.escapes import split, unescape, wrong
from fhir_server.search.values.number import (
    ARITHMETIC,
    Bounds,
    as_float,
    closed,
    is_number,
    range_searched,
    read_number,
)
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.search.values.prefixes import AMOUNT, compare
from fhir_server.storage.query import Test

Amount = tuple[int, float, float]
"""The unit as the lower half of an interval key (0: any), and a range with its ends."""
Amounts = Callable[[Any], Sequence[Amount]]

ANY_UNIT = 0


class Searched(NamedTuple):
    """What a search value asks for."""

    prefix: str
    group: int
    first: float
    last: float


def searched(parameter: Parameter, value: str) -> Searched:
    """Prefix, unit and range of `number`, `number|system|code` or `number||code`."""
    match split(value, "|"):
        case [number]:
            unit, group = None, ANY_UNIT
        case [number, "", code] if code:
            unit, group = None, _as_written(unescape(code))
        case [number, system, code] if system and code:
            unit, group = _coded(unescape(system), unescape(code))
        case _:
            raise wrong(parameter, value, "write 5.4, 5.4|http://unitsofmeasure.org|mg or 5.4||mg")
    prefix, exact = read_number(parameter, number)
    first, last = (_in_unit(unit, end) for end in range_searched(prefix, exact))
    return Searched(prefix, group, *closed(prefix, first, last))


def test(parameter: Parameter, value: str, _: Context) -> Test:
    """The test for one quantity with its prefix."""
    prefix, group, first, last = searched(parameter, value)
    return compare(prefix, first, last, keys.interval_key(parameter.indexed, group), AMOUNT)


def present(parameter: Parameter) -> Test:
    """The test that the parameter has any value."""
    return keys.intervals_of_parameter(parameter.indexed)


class _Unit(NamedTuple):
    """The ways in which one unit is asked for."""

    written: tuple[int, ...]
    """Groups under which the value stands as it is written."""
    conversion: Conversion | None
    canonical: int
    """The group under which it stands converted, if it can be."""


@remembered(2048)
def _unit(system: object, code: object, unit: object) -> _Unit:
    written = [ANY_UNIT]
    how, canonical = None, ANY_UNIT
    if isinstance(code, str):
        written.append(_as_written(code))
        if isinstance(system, str):
            how, canonical = _coded(system, code)
            if how is None:
                written.append(canonical)
    if isinstance(unit, str) and unit != code:
        written.append(_as_written(unit))
    return _Unit(tuple(written), how, canonical)


def _coded(system: str, code: str) -> tuple[Conversion | None, int]:
    how = conversion(code) if system == UCUM else None
    return how, keys.group_number(f"{system}|{code if how is None else how.unit}")


def _as_written(code: str) -> int:
    return keys.group_number(f"={code}")


def _in_unit(unit: Conversion | None, value: Decimal) -> float:
    return as_float(value if unit is None else unit.convert(value))


_RANGE_OF: Mapping[str, Callable[[float], Bounds]] = {
    "<": lambda value: (-UNBOUNDED, AMOUNT.before(value)),
    "<=": lambda value: (-UNBOUNDED, value),
    ">=": lambda value: (value, UNBOUNDED),
    ">": lambda value: (AMOUNT.after(value), UNBOUNDED),
}
"""What a quantity with a comparator may really be."""


class Marking(NamedTuple):
    """What marks the amounts of all quantities in one unit."""

    written: tuple[int, ...]
    """Marks of the value as it is written."""
    conversion: Conversion | None
    converted: tuple[int, ...]
    """Marks of the value in the canonical unit, if it can be converted."""


def marking_of(quantity: Any) -> Marking:
    """Each group of its unit for itself."""
    said = quantity.get
    try:
        written, how, canonical = _unit(said("system"), said("code"), said("unit"))
    except TypeError:  # an object where a text belongs
        return _NO_UNIT
    return Marking(written, how, (canonical,))


_NO_UNIT = Marking((ANY_UNIT,), None, ())


def marked(marking: Marking, mark: Callable[[int], Sequence[int]]) -> Marking:
    """The same with marks for each group."""
    return Marking(
        tuple(each for group in marking.written for each in mark(group)),
        marking.conversion,
        tuple(each for group in marking.converted for each in mark(group)),
    )


def marks_of(parameter: Indexed) -> Callable[[Any], Marking]:
    """What marks a quantity, an object, as found by the parameter."""
    upper = parameter.number << 32
    return lambda quantity: marked(marking_of(quantity), lambda group: (upper | group,))


def amounts_in(marking: Marking, quantity: Mapping[str, Any]) -> list[Amount]:
    """The amounts of a quantity in the unit of the marking; none without a value."""
    value, comparator = quantity.get("value"), quantity.get("comparator")
    if not is_number(value):
        return []
    written, how, converted = marking
    low = high = as_float(value)
    range_of = _RANGE_OF.get(comparator) if type(comparator) is str else None
    if range_of is not None:
        low, high = range_of(low)
    amounts = [(mark, low, high) for mark in written]
    if how is not None:
        low = high = as_float(how.convert(Decimal(value)))
        if range_of is not None:
            low, high = range_of(low)
        amounts += [(mark, low, high) for mark in converted]
    return amounts


def quantity_amounts(quantity: Any) -> Sequence[Amount]:
    """The amounts of a Quantity by the groups of its unit."""
    if type(quantity) is not dict:
        return ()
    return amounts_in(marking_of(quantity), quantity)


def _money(money: Any) -> Sequence[Amount]:
    if type(money) is not dict:
        return ()
    return quantity_amounts({**money, "system": CURRENCIES, "code": money.get("currency")})


def _range(range_: Any) -> Sequence[Amount]:
    if type(range_) is not dict:
        return ()
    low, high = quantity_amounts(range_.get("low")), quantity_amounts(range_.get("high"))
    if not high:
        return [(group, first, UNBOUNDED) for group, first, _ in low]
    if not low:
        return [(group, -UNBOUNDED, last) for group, _, last in high]
    lasts = {group: last for group, _, last in high}
    shared = [(group, first, lasts[group]) for group, first, _ in low if group in lasts]
    return [amount for amount in shared if amount[1] <= amount[2]]


def _sampled(sampled: Any) -> Sequence[Amount]:
    """From the least sample to the greatest."""
    origin = sampled.get("origin") if type(sampled) is dict else None
    if type(origin) is not dict or not is_number(origin.get("value")):
        return ()
    samples = _samples(sampled)
    if not samples:
        return ()
    factor = sampled.get("factor")
    scale = factor if is_number(factor) else 1
    zero = Decimal(origin["value"])
    ends = sorted(ARITHMETIC.fma(end, scale, zero) for end in (min(samples), max(samples)))
    return _range({"low": {**origin, "value": ends[0]}, "high": {**origin, "value": ends[1]}})


def _samples(sampled: dict[str, Any]) -> Sequence[Decimal]:
    """Samples in steps from the origin; `L` and `U` are the limits, `E` is none."""
    data = sampled.get("data")
    if type(data) is not str:
        return ()
    limits = {"L": sampled.get("lowerLimit"), "U": sampled.get("upperLimit"), "E": None}
    texts = set(data.split())
    reached = (limits[text] for text in texts.intersection(limits))
    try:
        samples = [Decimal(text) for text in texts.difference(limits)]
    except InvalidOperation:
        return ()
    samples += [Decimal(limit) for limit in reached if is_number(limit)]
    return samples if all(sample.is_finite() for sample in samples) else ()


AMOUNTS: Mapping[str, Amounts] = {
    **dict.fromkeys(
        ("Quantity", "SimpleQuantity", "Age", "Count", "Distance", "Duration", "MoneyQuantity"),
        quantity_amounts,
    ),
    "Money": _money,
    "Range": _range,
    "SampledData": _sampled,
}
"""Amounts by FHIR type; none for what has no value."""


def _index(amounts: Amounts, parameter: Indexed) -> Index:
    key = parameter.number << 32

    def index(element: Any, entries: Entries) -> None:
        entries.intervals += [(key | group, low, high) for group, low, high in amounts(element)]

    return index


INDEXERS: Mapping[str, Indexer] = {
    type_: partial(_index, amounts) for type_, amounts in AMOUNTS.items()
}
