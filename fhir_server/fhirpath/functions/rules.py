"""How a function is called: what it takes, and what becomes of it when something is missing.

http://hl7.org/fhirpath/N1/#functions

A row of a table is one function. What a parameter is decides how its argument is evaluated:
lambdas for each item of the input, everything else once, on what `$this` is outside.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


class Kind(Enum):
    """What an input or an argument is taken as."""

    COLLECTION = auto()
    """All items."""
    VALUE = auto()
    """One System value or element; the function is not called without."""
    BOOLEAN = auto()
    """One item as a Boolean: anything that is there is true."""
    STRING = auto()
    INTEGER = auto()
    NUMBER = auto()
    CRITERION = auto()
    """A lambda that gives true, false or None."""
    PROJECTION = auto()
    """A lambda that gives items."""
    SORT_KEY = auto()
    """A lambda, with whether a minus in front of it asks for descending order."""
    TYPE = auto()
    """The name of a type, as a test that items pass or not, the way `as` asks."""
    ANY_TYPE = auto()
    """Likewise, the way `is` asks: derived types too."""


class Result(Enum):
    """What a function gives back."""

    ITEMS = auto()
    """A list."""
    VALUE = auto()
    """One System value, or None."""
    BOOLEAN = auto()
    """True, False or None."""


@dataclass(frozen=True, slots=True)
class Function:
    run: Callable[..., Any]
    input: Kind
    parameters: tuple[Kind, ...]
    least: int
    """Arguments that must be given."""
    repeats: bool
    """Whether the last parameter may be given any number of times."""
    result: Result
    evaluation: bool
    """Whether it is given the evaluation first."""
    total: bool
    """Whether it is called without a value in the input or an argument."""

    @property
    def most(self) -> int | None:
        return None if self.repeats else len(self.parameters)


def collection(
    run: Callable[..., Any],
    *parameters: Kind,
    optional: int = 0,
    repeats: bool = False,
    result: Result = Result.ITEMS,
    evaluation: bool = False,
) -> Function:
    """A function of all items of the input."""
    least = len(parameters) - optional
    return Function(
        run,
        Kind.COLLECTION,
        parameters,
        least,
        repeats=repeats,
        result=result,
        evaluation=evaluation,
        total=True,
    )


def value(
    kind: Kind,
    run: Callable[..., Any],
    *parameters: Kind,
    optional: int = 0,
    result: Result = Result.VALUE,
) -> Function:
    """A function of one value: empty when the input or an argument is."""
    least = len(parameters) - optional
    return Function(
        run, kind, parameters, least, repeats=False, result=result, evaluation=False, total=False
    )
