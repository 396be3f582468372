"""Gathering: what one walk over a resource collects."""

from collections.abc import Callable
from typing import Any

from msgspec import field

from fhir_server.search.entries import Entries
from fhir_server.storage.versions import Key


class Gathered(Entries):
    """What one walk collects."""

    resource: Any = None
    members: list[str] = field(default_factory=list)
    """Ids of the patients in whose compartment the resource is; may repeat."""
    codes: list[Key] = field(default_factory=list)
    """Keys that drivers are made of; see `schemes.py`."""
    categories: list[Key] = field(default_factory=list)
    """Keys that drivers are made of together with a member."""


Collect = Callable[[Any, Gathered], None]
"""Add what one element gives; an index of a value type is one of these."""
Visit = Callable[[Any, Gathered], None]
"""Walk an element, or a member's value, and collect."""
