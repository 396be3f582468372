"""Scopes: what a search looks through: a type, several types, or a compartment.

https://hl7.org/fhir/R4/http.html#search and https://hl7.org/fhir/R4/search.html#Introduction
"""

from dataclasses import dataclass
from typing import NamedTuple


class Compartment(NamedTuple):
    """All that belongs to one resource, such as the records of a patient."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Scope:
    path: tuple[str, ...]
    """Where it is asked for, relative to the base: `("Patient", "1", "Observation")`."""
    types: tuple[str, ...]
    """Types looked through; their results are one result."""
    compartment: Compartment | None = None

    @property
    def name(self) -> str:
        """How messages speak of it."""
        return self.types[0] if len(self.types) == 1 else "A search of several types"


def of_type(type_: str) -> Scope:
    """A search of one type."""
    return Scope((type_,), (type_,))
