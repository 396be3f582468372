"""What is certain of an expression's result, said in Python about plain JSON.

http://hl7.org/fhirpath/N1/

The vocabulary of `acquitting`: a Boolean is when it is surely true, surely false and surely not
true (false or empty); a collection is when surely something is in it, and when surely nothing is.
Each is the text of a Python expression; NEVER where nothing is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

NEVER: Final = "False"
ALWAYS: Final = "True"


@dataclass(frozen=True, slots=True)
class Truth:
    yes: str = NEVER
    """Surely true."""
    no: str = NEVER
    """Surely false."""
    never: str = NEVER
    """Surely not true: false or empty."""


@dataclass(frozen=True, slots=True)
class Number:
    value: str
    sure: str
    """When the value is what the expression gives."""


@dataclass(frozen=True, slots=True)
class Items:
    """A collection of JSON values."""

    present: str = NEVER
    absent: str = NEVER
    sure: str | None = None
    """The `for` clauses that go through what is surely in it; None where that is not known."""
    maybe: str | None = None
    """Those that go through all that may be in it."""
    item: str = ""
    """The variable of those clauses."""
    types: Mapping[str, str] | None = None
    """JSON member to type, for the last step; a focus has its type under an empty name."""
    single: bool = False
    """Whether there is at most one."""
    holder: str = ""
    """The variable of the object whose members these are, where it needs no loop."""

    @property
    def type(self) -> str | None:
        """The type of all of them, where they have one."""
        kinds = set((self.types or {}).values())
        return kinds.pop() if len(kinds) == 1 else None

    @property
    def key(self) -> str | None:
        """The one member of the holder that has them."""
        return (
            next(iter(self.types)) if self.holder and self.types and len(self.types) == 1 else None
        )


UNKNOWN: Final = Items()


def both(left: Truth, right: Truth) -> Truth:
    """`and`."""
    return Truth(
        all_of(left.yes, right.yes), any_of(left.no, right.no), any_of(left.never, right.never)
    )


def either(left: Truth, right: Truth) -> Truth:
    """`or`."""
    return Truth(
        any_of(left.yes, right.yes), all_of(left.no, right.no), all_of(left.never, right.never)
    )


def implies(left: Truth, right: Truth) -> Truth:
    no = all_of(left.yes, right.no)
    return Truth(any_of(left.no, right.yes), no, no)


def differ(left: Truth, right: Truth) -> Truth:
    """`xor`, and `!=` of two Booleans."""
    no = any_of(all_of(left.yes, right.yes), all_of(left.no, right.no))
    return Truth(any_of(all_of(left.yes, right.no), all_of(left.no, right.yes)), no, no)


def negated(truth: Truth) -> Truth:
    return Truth(truth.no, truth.yes, truth.yes)


def certain(yes: str, no: str) -> Truth:
    """Of what is false when it is not true."""
    return Truth(yes, no, no)


def all_of(*texts: str) -> str:
    if NEVER in texts:
        return NEVER
    needed = [each for each in dict.fromkeys(texts) if each != ALWAYS]
    return _joined(needed, " and ", ALWAYS)


def any_of(*texts: str) -> str:
    if ALWAYS in texts:
        return ALWAYS
    possible = [each for each in dict.fromkeys(texts) if each != NEVER]
    return _joined(possible, " or ", NEVER)


def _joined(texts: list[str], word: str, otherwise: str) -> str:
    return texts[0] if len(texts) == 1 else f"({word.join(texts)})" if texts else otherwise
