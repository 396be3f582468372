"""Folding, case by case, and its laws for any text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.kit.text import fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Smith", "smith"),
        ("  Van   der\tBerg\n", "van der berg"),
        ("Müller", "muller"),
        ("MU\u0308LLER", "muller"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("GROẞ", "gross"),
        ("\uff33\uff4d\uff49\uff54\uff48", "smith"),
        ("ﬁnch", "finch"),
        ("Ångström", "angstrom"),
        ("İstanbul", "istanbul"),
        ("Y\u0131ld\u0131z", "yildiz"),
        ("YILDIZ", "yildiz"),
        ("\u1fb3", "\u03b1\u03b9"),
        ("\u0391\u0399", "\u03b1\u03b9"),
        ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ("Σίσυφος", "σισυφοσ"),
        ("Nguyễn", "nguyen"),
        ("Ø", "ø"),
        ("a\0b\x7fc", "a b c"),
        ("é\0é", "e e"),
        ("a\u00a0b\u3000c", "a b c"),
        ("山田　太郎", "山田 太郎"),
        ("김치", "김치"),
        ("ﾊﾝｶｸ", "ハンカク"),
        ("", ""),
        (" \t ", ""),
    ],
)
def test_texts_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text(max_size=80))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=80))
def test_case_and_composition_make_no_difference(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(text)
    assert fold(unicodedata.normalize("NFC", text)) == fold(text)
    assert fold(text.casefold()) == fold(text)


def _others(character: str) -> set[str]:
    """The same one, otherwise written."""
    cases = {character.upper(), character.lower(), character.title()}
    return {
        *cases,
        unicodedata.normalize("NFD", character),
        unicodedata.normalize("NFKC", character),
    } - {character}


def test_every_character_folds_as_its_other_cases_and_compositions() -> None:
    unlike = [
        character
        for character in map(chr, (*range(0xD800), *range(0xE000, 0x110000)))
        if any(fold(other) != fold(character) for other in _others(character))
    ]
    assert unlike == []


@given(st.text(max_size=80))
def test_nothing_that_a_store_cannot_keep_is_left(text: str) -> None:
    folded = fold(text)
    assert not any(unicodedata.category(c) == "Cc" for c in folded)
    assert folded == folded.strip()
    assert "  " not in folded


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=80))
def test_the_fast_path_for_plain_text_is_only_faster(text: str) -> None:
    assert fold(text) == fold(text + "\u00e9")[:-1].rstrip()
