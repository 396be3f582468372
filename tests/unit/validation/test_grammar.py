"""The grammar of the fast pass says of every value what the rules in Python say of it."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft4Validator, RegexOptions

from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.primitives import is_valid
from fhir_server.validation.grammar import GRAMMAR

_VALID = {
    type_: Draft4Validator(schema, pattern_options=RegexOptions()).is_valid
    for type_, schema in GRAMMAR.items()
}
_TEXTS = (
    "2024-02-29T23:59:59.123+14:00",
    "1999-12-31T00:00:60Z",
    "2024-02-29",
    "2024-02",
    "0400",
    "23:59:60.5",
    "urn:oid:1.2.840",
    "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
    "YWJj\nYWI=",
    "entered-in-error",
    "http://example.org/a?b|1.0#c",
    "a b",
    "é😀\u00a0\u2028\x85",
    "\x00\x0b\x0c\x1c\x1f",
    "-" * 64,
)
_ALPHABET = sorted({*"".join(_TEXTS), *" \t\n\r\f\v"})
_NUMBERS = (0, -0, 1, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 10**30,
            Decimal("1.0"), Decimal("0.0"), Decimal("1.5"), Decimal("1E+2"), Decimal("1E+400"),
            Decimal("-0.0"), Decimal("1E-400"))  # fmt: skip
_WITHOUT_BLANKS = {"canonical", "code", "uri", "url"}
_OTHERS: tuple[Any, ...] = (None, True, False, [], ["a"], {}, {"a": "b"}, "")
each_type = pytest.mark.parametrize("type_", GRAMMAR)


@st.composite
def _nearly_right(draw: st.DrawFn) -> str:
    """A text of a right form with a few characters changed, added or taken away."""
    text = list(draw(st.sampled_from(_TEXTS)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        text[place : place + draw(st.integers(0, 2))] = draw(st.sampled_from(_ALPHABET))
    return "".join(text)


@given(st.one_of(_nearly_right(), st.text(alphabet=_ALPHABET, max_size=12), st.text(max_size=5)))
def test_both_say_the_same_of_any_text(text: str) -> None:
    for type_, accepts in _VALID.items():
        if not accepts(text) and _has_other_blanks(text) and type_ in _WITHOUT_BLANKS:
            continue  # the slow pass decides
        assert accepts(text) is is_valid(type_, text), type_


def _has_other_blanks(text: str) -> bool:
    """Whether there are blanks that only Unicode knows."""
    return re.search(r"[^\S \t\n\r\f\v]|\ufeff", text) is not None


@each_type
def test_both_say_the_same_of_what_is_no_text(type_: str) -> None:
    for value in (*_NUMBERS, *_OTHERS):
        assert _VALID[type_](value) is is_valid(type_, value), value


def test_there_is_a_grammar_for_each_primitive_type_and_no_other(definitions: Definitions) -> None:
    assert set(GRAMMAR) == set(definitions.elements.primitives)


@pytest.mark.parametrize("year", [1, 4, 99, 100, 400, 1900, 1999, 2000, 2023, 2024, 2100, 9999])
def test_a_day_is_right_if_the_calendar_has_it(year: int) -> None:
    for month in range(14):
        for day in range(33):
            text = f"{year:04}-{month:02}-{day:02}"
            assert _VALID["date"](text) is _exists(year, month, day), text
            assert _VALID["dateTime"](text) is _exists(year, month, day), text
            instant = f"{text}T10:00:00Z"
            assert _VALID["instant"](instant) is _exists(year, month, day), text


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def test_every_leap_year_has_its_day_and_no_other() -> None:
    accepts = _VALID["date"]
    assert [
        year for year in range(1, 10_000) if accepts(f"{year:04}-02-29") is not _exists(year, 2, 29)
    ] == []


def test_a_string_may_have_a_mebibyte_of_characters() -> None:
    assert _VALID["string"]("ä" * 1024 * 1024)
    assert not _VALID["string"]("a" * (1024 * 1024 + 1))
