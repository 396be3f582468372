"""Pieces of SQL, each with the values of its question marks, and how they are joined."""

from collections.abc import Sequence
from typing import Final, NamedTuple

Value = str | bytes | int

LONG_TEXT: Final = 10_000
"""From so many characters on, a statement takes long to prepare, and much memory."""

_BRANCHES = 8


class Sql(NamedTuple):
    """A piece of SQL and its values, in the order of its question marks."""

    text: str
    values: tuple[Value, ...] = ()


NEVER = Sql("?", (0,))
"""A value, as SQLite finds no use for an index beside a constant that is false."""
ALWAYS = Sql("1")


def sql(*pieces: Sql) -> Sql:
    """The pieces, one after the other."""
    return Sql(
        "".join(piece.text for piece in pieces),
        tuple(value for piece in pieces for value in piece.values),
    )


def joined(word: str, pieces: Sequence[Sql]) -> Sql:
    """The pieces with a word between each two."""
    text = word.join(piece.text for piece in pieces)
    return Sql(text, tuple(value for piece in pieces for value in piece.values))


def every(conditions: Sequence[Sql]) -> Sql:
    return _combined(" AND ", conditions) if conditions else ALWAYS


def some(conditions: Sequence[Sql]) -> Sql:
    return _combined(" OR ", conditions) if conditions else NEVER


def _combined(word: str, conditions: Sequence[Sql]) -> Sql:
    """Joined as a balanced tree: SQLite limits how deep expressions nest."""
    if len(conditions) > _BRANCHES:
        middle = len(conditions) // 2
        conditions = [
            _combined(word, conditions[:middle]),
            _combined(word, conditions[middle:]),
        ]
    return sql(Sql("("), joined(word, conditions), Sql(")"))
