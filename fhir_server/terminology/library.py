"""The library: value sets and code systems that are stored on the server, found for a caller.

https://hl7.org/fhir/R4/references.html#canonical
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Held:
    """A definition as it is stored; what has the same identity has the same content."""

    type: str
    id: str
    number: int
    """Of the version."""
    content: bytes
    """The resource as JSON."""


class Library(Protocol):
    async def by_canonical(self, type_: str, url: str, version: str) -> Held | None:
        """The definition of a url, of any version when `version` is empty; None if there is none.

        Of several an active one comes before others, and among those the one changed last.
        """
        ...

    async def by_id(self, type_: str, id_: str) -> Held | None:
        """The definition with an id; None if there is none."""
        ...
