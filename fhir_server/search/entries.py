"""What indexing a resource yields, before it becomes storage terms.

Extractors (`indexing.py`) walk to the elements; the modules in `values/` turn each element
into entries. Keys carry the parameter's prefix, so one flat list serves a whole resource.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import field

from fhir_server.storage.versions import Interval, Key


@dataclass(frozen=True, slots=True)
class Indexed:
    """One search parameter as its entries know it: what marks them as belonging to it."""

    prefix: bytes
    """Four bytes, from the resource type and the parameter's code."""
    number: int
    """The same as a positive 31-bit integer: the upper half of interval keys."""
    text: str
    """The same as text: how its string keys begin."""


class Entries(msgspec.Struct):
    """Collected while one resource is indexed."""

    keys: list[Key] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)


Index = Callable[[Any, Entries], None]
"""Add the entries of one element, such as a Coding or a Period; ignore what cannot be indexed."""
Indexer = Callable[[Indexed], Index]
"""Made once for each parameter, so that it may remember the entries of what comes again."""
