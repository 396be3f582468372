"""Gathering: what one walk over a resource collects."""

from collections.abc import Callable
from typing import Any

from fhir_server.search.entries import Entries
from fhir_server.storage.versions import Key


class Gathered(Entries):
    """What one walk collects."""

    __slots__ = ("categories", "codes", "members", "resource")

    def __init__(self, resource: Any = None) -> None:
        self.keys = []
        self.intervals = []
        self.resource = resource
        self.members: list[str] = []
        """Ids of the patients in whose compartment the resource is; may repeat."""
        self.codes: list[Key] = []
        """Keys that drivers are made of; see `schemes.py`."""
        self.categories: list[Key] = []
        """Keys that drivers are made of together with a member."""


Collect = Callable[[Any, Gathered], None]
"""Add what one element gives; an index of a value type is one of these."""
Visit = Callable[[Any, Gathered], None]
"""Walk an element, or a member's value, and collect."""
