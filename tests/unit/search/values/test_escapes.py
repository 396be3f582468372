"""Escapes: what separates and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.values.escapes import split, unescape, wrong
from tests.support.searching import parameter


@pytest.mark.parametrize(
    ("text", "mark", "pieces"),
    [
        ("a|b", "|", ["a", "b"]),
        ("", "|", [""]),
        ("|", "|", ["", ""]),
        (r"a\|b", "|", [r"a\|b"]),
        (r"a\\|b", "|", [r"a\\", "b"]),
        (r"a\$b$c", "$", [r"a\$b", "c"]),
        ("a\\\nb|c", "|", ["a\\\nb", "c"]),
        ("a|b\\", "|", ["a", "b\\"]),
        (r"a\|b$c", "$", [r"a\|b", "c"]),
    ],
)
def test_only_unescaped_marks_separate(text: str, mark: str, pieces: list[str]) -> None:
    assert split(text, mark) == pieces


@pytest.mark.parametrize(
    ("text", "meant"),
    [(r"a\,b", "a,b"), (r"\|\$\\", r"|$" + "\\"), (r"\n", r"\n"), ("\\", "\\"), (r"\\,", "\\,"),
     ("a", "a")],
)  # fmt: skip
def test_escapes_stand_for_characters(text: str, meant: str) -> None:
    assert unescape(text) == meant


def _escaped(text: str) -> str:
    return "".join("\\" + c if c in ",|$\\" else c for c in text)


@given(st.lists(st.text(",|$\\a", max_size=6), min_size=1, max_size=4), st.sampled_from("|$"))
def test_escaped_pieces_come_back(pieces: list[str], mark: str) -> None:
    joined = mark.join(map(_escaped, pieces))
    assert [unescape(piece) for piece in split(joined, mark)] == pieces


def test_a_long_value_is_shown_short() -> None:
    error = wrong(parameter(), "x" * 5_000, "write less")
    assert error.message.endswith("… is no value for the search parameter wanted: write less.") or (
        "…' is no value for the search parameter wanted: write less." in error.message
    )
    assert len(error.message) < 200
