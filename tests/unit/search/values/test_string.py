"""Strings: beginnings of folded texts."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import BadRequest
from fhir_server.search.values import string
from tests.support.searching import ask, entries, finds, meets, parameter

_NAME = {
    "use": "official",
    "family": "van der Berg",
    "given": ["Jürgen", "Karl"],
    "prefix": ["Dr."],
}
_ADDRESS = {"line": ["1 Main St", "Apt 2"], "city": "Köln", "postalCode": "50667", "country": "DE"}


@pytest.mark.parametrize(
    ("value", "type_", "element", "found"),
    [
        ("Smi", "string", "Smith", True),
        ("smith", "string", "SMITH", True),
        ("mith", "string", "Smith", False),
        ("Smiths", "string", "Smith", False),
        ("Jurgen", "HumanName", _NAME, True),
        ("JÜR", "HumanName", _NAME, True),
        ("karl", "HumanName", _NAME, True),
        ("van d", "HumanName", _NAME, True),
        ("VAN  DER", "HumanName", _NAME, True),
        ("berg", "HumanName", _NAME, False),
        ("dr.", "HumanName", _NAME, True),
        ("official", "HumanName", _NAME, False),
        ("koln", "Address", _ADDRESS, True),
        ("apt", "Address", _ADDRESS, True),
        ("506", "Address", _ADDRESS, True),
        ("strasse", "string", "Straße", True),
        ("high", "CodeableConcept", {"text": "Highly", "coding": [{"code": "low"}]}, True),
        ("low", "CodeableConcept", {"text": "Highly", "coding": [{"display": "low"}]}, False),
        ("a", "markdown", "\n\n  A *b*", True),
        (r"a\,b", "string", "a,bc", True),
        ("\U0010ffff", "string", "\U0010ffff\U0010ffff", True),
        ("z", "string", "\U0010ffff", False),
    ],
)
def test_a_string_finds(value: str, type_: str, element: Any, *, found: bool) -> None:
    assert finds("string", value, type_, element) is found


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


@given(st.text("aB \t", min_size=1, max_size=5), st.text("Ab \n", max_size=8))
def test_any_text_is_found_by_its_beginning_alone(value: str, text: str) -> None:
    if _plain(value):
        assert finds("string", value, "string", text) == _plain(text).startswith(_plain(value))


@given(st.text(min_size=1, max_size=200))
def test_any_text_is_found_by_itself_in_other_case_and_composition(text: str) -> None:
    other = unicodedata.normalize("NFD", text[:30].swapcase())
    try:
        assert finds("string", other.replace("\\", "\\\\"), "string", text)
    except BadRequest:
        assert not any(character.isalnum() for character in other)


def test_long_texts_are_found_by_their_first_128_characters() -> None:
    text = "ab" * 5_000
    assert len(entries("string", [("string", text)]).keys[0]) == 6 + 128 + 1
    assert finds("string", "ab" * 64, "string", text)
    with pytest.raises(BadRequest, match=r"at most 128 characters"):
        ask("string", "a" * 129)


@pytest.mark.parametrize("value", ["", "  ", "\u0301"])
def test_nothing_to_look_for_is_refused(value: str) -> None:
    with pytest.raises(BadRequest, match=r"it has no letter, digit or sign to look for"):
        ask("string", value)


@pytest.mark.parametrize("type_", sorted(string.TEXTS))
@pytest.mark.parametrize(
    "element", [None, 7, [], {}, "", " ", {"family": 7, "given": [None, {}]}, {"line": {}}]
)
def test_malformed_elements_are_passed_over(type_: str, element: Any) -> None:
    assert entries("string", [(type_, element)]).keys == []


def test_presence_is_any_text() -> None:
    present = string.present(parameter())
    assert meets(present, entries("string", [("string", "\U0010ffff")]))
    assert not meets(present, entries("string", []))
