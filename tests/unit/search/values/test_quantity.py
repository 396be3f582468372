"""Quantities: units in every way of asking, with factors known from elsewhere than UCUM's table."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from fhir_server.errors import BadRequest
from fhir_server.search.values import quantity
from tests.support.searching import ask, entries, finds, meets, parameter

_UCUM = "http://unitsofmeasure.org"
_MG = {"value": Decimal("5.4"), "unit": "milligram", "system": _UCUM, "code": "mg"}
_DROPS = {"value": Decimal(3), "unit": "drops", "system": "urn:x", "code": "gtt"}
_PLAIN = {"value": Decimal("5.4"), "unit": "mg"}


@pytest.mark.parametrize(
    ("value", "element", "found"),
    [
        ("5.4", _MG, True),
        ("5.4", _PLAIN, True),
        ("5.4", {"value": Decimal("5.4")}, True),
        ("5.3", _MG, False),
        (f"5.4|{_UCUM}|mg", _MG, True),
        (f"0.0054|{_UCUM}|g", _MG, True),
        (f"5.40e-3|{_UCUM}|g", _MG, True),
        (f"5400|{_UCUM}|ug", _MG, True),
        (f"5.4|{_UCUM}|g", _MG, False),
        (f"5.4|{_UCUM}|mL", _MG, False),
        (f"5.4|{_UCUM}|mg", _PLAIN, False),
        ("5.4||mg", _MG, True),
        ("5.4||milligram", _MG, True),
        ("5.4||mg", _PLAIN, True),
        ("0.0054||g", _MG, False),
        ("5.4||MG", _MG, False),
        ("3|urn:x|gtt", _DROPS, True),
        ("3|urn:y|gtt", _DROPS, False),
        (f"3|{_UCUM}|gtt", _DROPS, False),
        ("3||gtt", _DROPS, True),
        ("3||drops", _DROPS, True),
        (f"3|{_UCUM}|no such unit", {**_DROPS, "system": _UCUM, "code": "no such unit"}, True),
        (r"3||a\|b", {"value": 3, "unit": "a|b"}, True),
        ("gt5", _MG, True),
        (f"lt0.006|{_UCUM}|g", _MG, True),
        (f"ge0.0054|{_UCUM}|g", _MG, True),
        (f"gt0.0054|{_UCUM}|g", _MG, False),
        (f"ap0.005|{_UCUM}|g", _MG, True),
        (f"ne5.4|{_UCUM}|mg", _MG, False),
        (f"ne5.5|{_UCUM}|mg", _MG, True),
        (f"ne5.5|{_UCUM}|mL", _MG, False),
    ],
)
def test_a_quantity_finds(value: str, element: Any, *, found: bool) -> None:
    assert finds("quantity", value, "Quantity", element) is found


# Amounts in one dimension each: what a code is in a unit of reference.
_MASS = {"kg": Fraction(1000), "g": Fraction(1), "mg": Fraction(1, 1000), "ug": Fraction(1, 10**6)}
_RATE = {"/s": Fraction(60), "/min": Fraction(1), "/h": Fraction(1, 60), "{beats}/min": Fraction(1)}
_LENGTH = {"m": Fraction(1), "cm": Fraction(1, 100), "[in_i]": Fraction(254, 10_000)}
_ORDERS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "gt": lambda stored, value: stored > value,
    "ge": lambda stored, value: stored >= value,
    "lt": lambda stored, value: stored < value,
    "le": lambda stored, value: stored <= value,
}


@pytest.mark.parametrize("units", [_MASS, _RATE, _LENGTH])
@pytest.mark.parametrize("prefix", list(_ORDERS))
def test_amounts_compare_across_units(units: dict[str, Fraction], prefix: str) -> None:
    values = ["1", "60", "72", "1000", "0.001", "2.54", "100"]
    wrong = []
    for stored, of, value, asked in product(values, units, values, units):
        element = {"value": Decimal(stored), "system": _UCUM, "code": of}
        expected = _ORDERS[prefix](Fraction(stored) * units[of], Fraction(value) * units[asked])
        if finds("quantity", f"{prefix}{value}|{_UCUM}|{asked}", "Quantity", element) != expected:
            wrong.append((prefix, stored, of, value, asked))
    assert wrong == []


@pytest.mark.parametrize(
    ("searched", "code", "stored", "of", "found"),
    [
        ("98.6", "[degF]", "37.0", "Cel", True),
        ("98.6", "[degF]", "37.1", "Cel", False),
        ("ge37.0", "Cel", "98.6", "[degF]", True),
        ("gt37.0", "Cel", "98.6", "[degF]", False),
        ("310.15", "K", "37.00", "Cel", True),
        ("gt-1", "Cel", "0", "Cel", True),
        ("7.4", "[pH]", "7.4", "[pH]", True),
        ("7.4", "1", "7.4", "[pH]", False),
        ("5", "[IU]/L", "5", "[iU]/L", True),
        ("5", "mmol/L", "5000", "umol/L", True),
        ("120", "mm[Hg]", "12.0", "cm[Hg]", True),
    ],
)
def test_special_and_derived_units_compare(
    searched: str, code: str, stored: str, of: str, *, found: bool
) -> None:
    element = {"value": Decimal(stored), "system": _UCUM, "code": of}
    assert finds("quantity", f"{searched}|{_UCUM}|{code}", "Quantity", element) is found


@pytest.mark.parametrize(
    ("value", "comparator", "found"),
    [
        ("lt5", "<", True), ("lt0.001", "<", True), ("gt4", "<", True), ("gt5", "<", False),
        ("ge5", "<", False), ("ge5", "<=", True), ("gt5", "<=", False), ("gt5", ">", True),
        ("gt1000", ">", True), ("le5", ">", False), ("le5", ">=", True), ("5", "<", False),
        ("5", ">=", False), ("5", "=", True), ("gt5", 7, False), ("ge5", [], True),
    ],
)  # fmt: skip
def test_a_comparator_makes_it_a_range(value: str, comparator: Any, *, found: bool) -> None:
    element = {"value": 5, "comparator": comparator, "system": _UCUM, "code": "mg"}
    assert finds("quantity", value, "Quantity", element) is found
    assert finds("quantity", f"{value}|{_UCUM}|mg", "Quantity", element) is found


_KG = {"system": _UCUM, "code": "kg", "unit": "kg"}
_5_TO_10_KG = {"low": {"value": 5, **_KG}, "high": {"value": 10, **_KG}}
_MIXED = {"low": {"value": 500, "system": _UCUM, "code": "g"}, "high": {"value": 2, **_KG}}


@pytest.mark.parametrize(
    ("value", "range_", "found"),
    [
        (f"gt9|{_UCUM}|kg", _5_TO_10_KG, True),
        (f"gt9000|{_UCUM}|g", _5_TO_10_KG, True),
        (f"gt10|{_UCUM}|kg", _5_TO_10_KG, False),
        ("lt6||kg", _5_TO_10_KG, True),
        ("ap7", _5_TO_10_KG, True),
        ("7", _5_TO_10_KG, False),
        (f"gt100|{_UCUM}|kg", {"low": {"value": 5, **_KG}}, True),
        (f"lt1|{_UCUM}|kg", {"high": {"value": 5, **_KG}}, True),
        (f"ap1|{_UCUM}|kg", _MIXED, True),
        (f"gt2|{_UCUM}|kg", _MIXED, False),
        ("gt1||kg", _MIXED, False),
    ],
)
def test_a_range_is_compared_whole(value: str, range_: Any, *, found: bool) -> None:
    assert finds("quantity", value, "Range", range_) is found


@pytest.mark.parametrize(
    ("value", "found"),
    [("100", True), ("100|urn:iso:std:iso:4217|USD", True), ("100|urn:iso:std:iso:4217|EUR", False),
     ("100||USD", True), ("gt99||USD", True)],
)  # fmt: skip
def test_money_is_a_quantity_of_its_currency(value: str, *, found: bool) -> None:
    assert finds("quantity", value, "Money", {"value": 100, "currency": "USD"}) is found


_SAMPLES = {"origin": {"value": 1, "system": _UCUM, "code": "mV"}, "factor": Decimal("0.5"),
            "data": "-2 E 4 L 0", "lowerLimit": -4, "dimensions": 1}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "found"),
    [(f"gt2.9|{_UCUM}|mV", True), (f"gt3|{_UCUM}|mV", False), (f"lt-0.9|{_UCUM}|mV", True),
     (f"lt-1|{_UCUM}|mV", False), (f"gt0.0029|{_UCUM}|V", True)],
)  # fmt: skip
def test_samples_run_from_the_least_to_the_greatest(value: str, *, found: bool) -> None:
    assert finds("quantity", value, "SampledData", _SAMPLES) is found


@pytest.mark.parametrize("data", ["", "x", "NaN", "sNaN 1", "E E", "Infinity", 7, None, "L"])
def test_samples_that_are_none_are_passed_over(data: Any) -> None:
    element = {"origin": {"value": 0}, "data": data}
    assert entries("quantity", [("SampledData", element)]).intervals == []


def test_samples_may_be_as_large_as_they_like() -> None:
    element = {"origin": {"value": Decimal("9E+999999")}, "factor": Decimal("9E+999999"),
               "data": "9E+999999 1"}  # fmt: skip
    assert entries("quantity", [("SampledData", element)]).intervals != []


@pytest.mark.parametrize(
    "value", ["5|mg", f"5|{_UCUM}|", f"5|{_UCUM}", "5||", "|", "5|a|b|c", f"|{_UCUM}|mg", "x||mg"]
)
def test_a_wrong_quantity_is_refused_in_words(value: str) -> None:
    with pytest.raises(BadRequest, match=r"write (a number such as )?5\.4"):
        ask("quantity", value)


@pytest.mark.parametrize("type_", sorted(quantity.AMOUNTS))
@pytest.mark.parametrize(
    "element",
    [None, 5, "5", [], {}, {"value": "5"}, {"value": True}, {"low": 5}, {"low": {"value": "x"}},
     {"origin": 5}, {"origin": {"value": 1}}, {"code": "mg", "system": _UCUM}],
)  # fmt: skip
def test_malformed_elements_are_passed_over(type_: str, element: Any) -> None:
    gathered = entries("quantity", [(type_, element)])
    assert (gathered.keys, gathered.intervals) == ([], [])


@pytest.mark.parametrize("wrong", [7, [], {}, None, True])
def test_a_value_whose_unit_is_malformed_is_still_a_value(wrong: Any) -> None:
    element = {"value": 5, "unit": wrong, "system": wrong, "code": wrong}
    assert finds("quantity", "5", "Quantity", element)
    assert finds("quantity", "5", "Money", {"value": 5, "currency": wrong})


def test_no_way_of_asking_is_stored_twice() -> None:
    for element in (_MG, _DROPS, _PLAIN, {**_MG, "unit": "mg"}, {"value": 1}):
        intervals = entries("quantity", [("Quantity", element)]).intervals
        assert len(set(intervals)) == len(intervals)
    same_unit = entries("quantity", [("Quantity", {**_MG, "unit": "mg"})]).intervals
    assert len(same_unit) == 2 * 3


def test_presence_is_any_quantity() -> None:
    present = quantity.present(parameter())
    assert meets(present, entries("quantity", [("Quantity", _MG)]))
    assert not meets(present, entries("quantity", []))
