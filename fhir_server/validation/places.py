"""Places: every element of a resource, with its FHIRPath and what it is defined as.

https://hl7.org/fhir/R4/fhirpath.html

The slow way through a resource, for what has to be told with its place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from fhir_server.definitions.elements import Element as Definition
from fhir_server.definitions.elements import ElementTable
from fhir_server.fhirpath import Element
from fhir_server.fhirpath.model import Model, root

_CONTAINED: Final = "contained"


@dataclass(frozen=True, slots=True)
class Place:
    element: Element
    path: str
    """Such as `Observation.component[1].value`."""
    resource: Element
    """The resource it is in."""
    outermost: Element
    """The one that contains that, or the same."""
    within: str = ""
    """The type it is an element of; empty for a resource."""
    definition: Definition | None = None
    """What it is there; None for a resource, and for what no definition knows."""


class Places:
    def __init__(self, table: ElementTable) -> None:
        self._table = table
        self._model = Model(table)

    def of(self, resource: dict[str, Any]) -> Iterator[Place]:
        """All places of a resource and of those in it, each before what is in it."""
        found = root(resource)
        yield from self._below(Place(found, found.type, found, found))

    def _below(self, place: Place) -> Iterator[Place]:
        yield place
        type_ = place.element.type
        known = self._table.by_key(type_) if type_ in self._table.types else {}
        for child in self._model.children(place.element):
            definition = known.get(child.key)
            name = child.key if definition is None else definition.name
            index = "" if child.index is None else f"[{child.index}]"
            path = f"{place.path}.{name}{index}"
            if self._table.is_a(child.type, "Resource"):
                yield from self._below(self._resource(child, path, place))
            else:
                yield from self._below(
                    Place(child, path, place.resource, place.outermost, type_, definition)
                )

    def _resource(self, child: Element, path: str, place: Place) -> Place:
        """Contained, it is of the one around; else, as in a Bundle, it stands for itself."""
        if child.key == _CONTAINED:
            return Place(child, path, child, place.outermost)
        alone = root(child.value)
        return Place(alone, path, alone, alone)
