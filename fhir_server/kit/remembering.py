"""Remembering what a function answered, unless a long text was asked.

Whoever sends texts decides how long they are, so a number of answers alone would be no limit.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar, TypeVarTuple

LONGEST: Final = 200
"""Characters of a text whose answer is kept."""

Asked = TypeVarTuple("Asked")
Answer = TypeVar("Answer")


def remembered(
    most: int,
) -> Callable[[Callable[[*Asked], Answer]], Callable[[*Asked], Answer]]:
    """Keeps the answers that a function of hashable values gave last; at most so many."""

    def remember(function: Callable[[*Asked], Answer]) -> Callable[[*Asked], Answer]:
        kept = lru_cache(most)(function)

        def ask(*asked: *Asked) -> Answer:
            for each in asked:
                if type(each) is str and len(each) > LONGEST:
                    return function(*asked)
            return kept(*asked)

        return ask

    return remember


def text_remembered(most: int) -> Callable[[Callable[[str], Answer]], Callable[[str], Answer]]:
    """The same for a function of one text, asked in a third of the time; it forgets all at once."""
    return lambda function: _Answers(function, most).__getitem__


class _Answers(dict[str, Answer]):
    """Answers by text, found out when first asked for."""

    def __init__(self, function: Callable[[str], Answer], most: int) -> None:
        self._function = function
        self._most = most

    def __missing__(self, text: str) -> Answer:
        answer = self._function(text)
        if len(text) <= LONGEST:
            if len(self) >= self._most:
                self.clear()
            self[text] = answer
        return answer
