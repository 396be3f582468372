"""Numbers: every prefix, judged by fractions.

The oracle reads digits from the text itself and states the prefixes over fractions.
"""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import BadRequest
from fhir_server.search.values import number
from tests.support.searching import MARK, ask, entries, finds, meets, parameter


def half_a_digit(text: str) -> Fraction:
    """Half of the last digit written, from the text alone."""
    digits, _, exponent = text.lower().partition("e")
    decimals = len(digits.partition(".")[2])
    return Fraction(1, 2) * Fraction(10) ** (int(exponent or 0) - decimals)


_Meaning = Callable[[Fraction, Fraction, Fraction], bool]
_MEANINGS: dict[str, _Meaning] = {
    "": lambda value, half, stored: value - half <= stored < value + half,
    "eq": lambda value, half, stored: value - half <= stored < value + half,
    "ne": lambda value, half, stored: not value - half <= stored < value + half,
    "gt": lambda value, _, stored: stored > value,
    "lt": lambda value, _, stored: stored < value,
    "ge": lambda value, _, stored: stored >= value,
    "le": lambda value, _, stored: stored <= value,
    "sa": lambda value, _, stored: stored > value,
    "eb": lambda value, _, stored: stored < value,
    "ap": lambda value, half, stored: abs(stored - value) <= max(abs(value) / 10, half),
}
_SEARCHED = ["100", "100.00", "1e2", "5.4", "-5.4", "0", "0.0", "0.001", "1E-3", "99.5", "+7"]
_STORED = ["100", "99.5", "100.5", "100.499", "99.994", "99.995", "100.005", "110", "90", "50",
           "150", "149.99", "5.4", "5.35", "5.45", "5.40", "-5.4", "-5.45", "-5.35", "0", "0.5",
           "-0.5", "0.05", "0.001", "0.0005", "0.0015", "1E+2", "7"]  # fmt: skip


@pytest.mark.parametrize("prefix", list(_MEANINGS))
def test_prefixes_mean_what_the_specification_says(prefix: str) -> None:
    wrong = [
        (prefix, searched, stored)
        for searched, stored in product(_SEARCHED, _STORED)
        if finds("number", prefix + searched, "decimal", Decimal(stored))
        != _MEANINGS[prefix](Fraction(searched), half_a_digit(searched), Fraction(stored))
    ]
    assert wrong == []


@pytest.mark.parametrize("prefix", ["gt", "lt", "ge", "le"])
@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.integers(0, 9))
def test_any_two_numbers_compare_as_they_should(
    prefix: str, searched: int, stored: int, places: int
) -> None:
    one, other = Decimal(searched).scaleb(-places), Decimal(stored).scaleb(-places)
    expected = _MEANINGS[prefix](Fraction(one), Fraction(0), Fraction(other))
    assert finds("number", f"{prefix}{one:f}", "decimal", other) == expected


_TO_TEN = {"low": {"value": 5}, "high": {"value": 10}}


@pytest.mark.parametrize(
    ("value", "range_", "found"),
    [
        ("7", _TO_TEN, False),
        ("1e1", _TO_TEN, True),
        ("gt9", _TO_TEN, True),
        ("gt10", _TO_TEN, False),
        ("ge10", _TO_TEN, True),
        ("lt6", _TO_TEN, True),
        ("lt5", _TO_TEN, False),
        ("sa4", _TO_TEN, True),
        ("sa5", _TO_TEN, False),
        ("eb11", _TO_TEN, True),
        ("ap7", _TO_TEN, True),
        ("ap20", _TO_TEN, False),
        ("gt1000", {"low": {"value": 5}}, True),
        ("lt-1000", {"high": {"value": 5}}, True),
        ("gt6", {"high": {"value": 5}}, False),
    ],
)
def test_a_range_is_compared_whole(value: str, range_: Any, *, found: bool) -> None:
    assert finds("number", value, "Range", range_) is found


def test_whole_numbers_are_numbers() -> None:
    for type_ in ("integer", "positiveInt", "unsignedInt"):
        assert finds("number", "128", type_, 128)
        assert not finds("number", "128", type_, 129)


@pytest.mark.parametrize("stored", [Decimal("1E+400"), Decimal("-1E+999999"), 10**4000])
def test_numbers_beyond_any_store_are_kept_at_the_end(stored: Decimal | int) -> None:
    sign = "lt-" if stored < 0 else "gt"
    assert finds("number", f"{sign}1e300", "decimal", stored)
    low, high = entries("number", [("decimal", stored)]).intervals[0][1:]
    assert abs(low) == abs(high) == 1.7976931348623157e308


@pytest.mark.parametrize(
    "value", ["", "x", "gt", "5,4", "5.4.3", "1e", "NaN", "Infinity", "1_000", " 5", "5 ", "0x10",
              "1e9999", "٣", "9" * 51]
)  # fmt: skip
def test_a_wrong_number_is_refused_in_words(value: str) -> None:
    with pytest.raises(BadRequest, match=r"write a number such as 5\.4 or 1e-3"):
        ask("number", value)


@pytest.mark.parametrize("value", ["ap1e999", "eq-1e-999", "ne9e999", "0e0", ".5", "5."])
def test_odd_numbers_are_still_numbers(value: str) -> None:
    ask("number", value)


@pytest.mark.parametrize("type_", sorted(number.BOUNDS))
@pytest.mark.parametrize(
    "element", [None, True, "5", [], {}, {"low": 5}, {"low": {"value": "5"}}, {"high": {}}]
)
def test_malformed_elements_are_passed_over(type_: str, element: Any) -> None:
    assert entries("number", [(type_, element)]).intervals == []


def test_presence_is_any_number() -> None:
    present = number.present(parameter())
    assert meets(present, entries("number", [("decimal", Decimal("-1E+400"))]))
    assert not meets(present, entries("number", []))


def test_intervals_carry_their_parameter() -> None:
    assert entries("number", [("integer", 1)]).intervals[0][0] == MARK.number << 32
