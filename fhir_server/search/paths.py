"""Paths: where in a plain JSON resource a search parameter looks, and what it finds there.

The compiler (`compiling.py`) turns FHIRPath into these; the extractor (`extracting.py`) walks
them. Types are known, so choices have become JSON members and no question is left for later.
Paths are values: equal paths are one walk.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias


class Member(NamedTuple):
    """Into a member of an object; an array there means each of its items."""

    key: str


class Only(NamedTuple):
    """Go on only with what meets a condition."""

    condition: "Condition"


class Nth(NamedTuple):
    """Go on only with the item at this place of the array just entered, counted from 0."""

    place: int


Literal: TypeAlias = str | int | bool
Step: TypeAlias = Member | Only | Nth


@dataclass(frozen=True, slots=True)
class Path:
    """From an element to elements of one type below it."""

    steps: tuple[Step, ...]
    type: str
    """The type path of what lies at its end, such as `CodeableConcept`."""
    system: str | None = None
    """The code system that a `code` at its end implies."""
    targets: tuple[str, ...] = ()
    """Resource types that a reference at its end may point to; empty: any."""


@dataclass(frozen=True, slots=True)
class Exists:
    """Something lies at the end of one of the paths."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Equals:
    """What lies at the ends of the paths is one thing that equals a literal; or `differs`.

    Where nothing lies there, the answer is unknown.
    """

    paths: tuple[Path, ...]
    literal: Literal
    differs: bool = False


@dataclass(frozen=True, slots=True)
class RefersTo:
    """The element is a Reference whose text names a resource of this type."""

    type: str


@dataclass(frozen=True, slots=True)
class Both:
    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Either:
    conditions: tuple["Condition", ...]


Condition: TypeAlias = Exists | Equals | RefersTo | Both | Either


@dataclass(frozen=True, slots=True)
class Truth:
    """A parameter whose expression is itself a condition: it finds true, false or nothing."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a composite, seen from the element the composite is about."""

    type: str
    """How it is searched: token, quantity, date, ..."""
    paths: tuple[Path, ...]
    from_root: bool = False
    """Whether the paths begin at the resource and not at the element (`%resource`)."""


@dataclass(frozen=True, slots=True)
class Tuple:
    """A composite at one base element: its parts belong together there."""

    base: Path
    parts: tuple[Part, ...]


Found: TypeAlias = Path | Truth | Tuple
"""What an expression comes to; a parameter has several, in union."""
