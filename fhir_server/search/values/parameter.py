"""What a value needs to know to become a test: its search parameter and the moment of asking."""

from dataclasses import dataclass
from datetime import UTC, tzinfo

import msgspec

from fhir_server.search.entries import Indexed


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one resource type, as far as its values are concerned."""

    code: str
    indexed: Indexed
    targets: tuple[str, ...] = ()
    """Types a reference may point to."""
    system: str | None = None
    """The code system that elements of type code imply."""
    url: str = ""
    types: frozenset[str] = frozenset()
    """FHIR types of the elements it reads; empty: not known, so everything is considered."""
    components: tuple["Component", ...] = ()
    """The parts of a composite, in order."""


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a composite: how its values are read."""

    search_type: str
    parameter: Parameter


class Context(msgspec.Struct, frozen=True):
    """What surrounds a search."""

    now_ms: int
    zone: tzinfo = UTC
    """For dates and times that name none."""
    base_url: str = ""
    """Where this server's own resources live, without a trailing slash; empty: not known."""
