"""What is remembered of functions is limited in number and in length."""

from collections.abc import Callable

import pytest

from fhir_server.kit.remembering import LONGEST, remembered, text_remembered

REMEMBERS = [remembered, text_remembered]


def _asked(
    remember: Callable[[int], Callable[..., Callable[[str], str]]], *texts: str
) -> list[str]:
    """The texts that the function itself was asked, of which two answers are kept."""
    asked: list[str] = []

    def answer(text: str) -> str:
        asked.append(text)
        return text.upper()

    ask = remember(2)(answer)
    assert [ask(text) for text in texts] == [text.upper() for text in texts]
    return asked


@pytest.mark.parametrize("remember", REMEMBERS)
def test_a_text_is_asked_once(
    remember: Callable[[int], Callable[..., Callable[[str], str]]],
) -> None:
    assert _asked(remember, "a", "b", "a", "b") == ["a", "b"]


@pytest.mark.parametrize("remember", REMEMBERS)
def test_only_so_many_answers_are_kept(
    remember: Callable[[int], Callable[..., Callable[[str], str]]],
) -> None:
    assert _asked(remember, "a", "b", "c", "a") == ["a", "b", "c", "a"]


@pytest.mark.parametrize("remember", REMEMBERS)
def test_the_answer_to_a_long_text_is_not_kept(
    remember: Callable[[int], Callable[..., Callable[[str], str]]],
) -> None:
    just, long = "x" * LONGEST, "x" * (LONGEST + 1)
    assert _asked(remember, just, just, long, long) == [just, long, long]


def test_long_texts_among_several_are_not_kept_either() -> None:
    asked = []

    @remembered(10)
    def joined(one: object, other: object) -> str:
        asked.append((one, other))
        return f"{one}{other}"

    long = "x" * (LONGEST + 1)
    for _ in range(2):
        assert joined("a", None) == "aNone"
        assert joined(None, long) == f"None{long}"
    assert asked == [("a", None), (None, long), (None, long)]
