"""Resources inside a resource: contained ones, entries of a Bundle, parts of Parameters.

https://hl7.org/fhir/R4/references.html#contained

Only a resource's own backbones lead to them, never a data type.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from fhir_server.definitions.elements import ElementTable

RESOURCE: Final = "Resource"


class _Step(NamedTuple):
    key: str
    type: str
    many: bool


class Nested:
    """Where resources may stand in each type, found out when first asked for, then kept."""

    def __init__(self, table: ElementTable) -> None:
        self._table = table
        self._steps: dict[str, tuple[_Step, ...]] = {}

    def members(self, type_: str) -> tuple[str, ...]:
        """The members of a type in which resources may stand, at once or further down."""
        return tuple(step.key for step in self._steps_of(type_))

    def inside(self, resource: Mapping[str, Any], type_: str) -> Iterator[Mapping[str, Any]]:
        """The resources that stand in this one, though not those inside of them.

        The resource must have the structure of its type.
        """
        for step in self._steps_of(type_):
            if step.key in resource:
                held = resource[step.key]
                for each in held if step.many else (held,):
                    if step.type == RESOURCE:
                        yield each
                    else:
                        yield from self.inside(each, step.type)

    def _steps_of(self, type_: str) -> tuple[_Step, ...]:
        if type_ not in self._steps:
            self._steps[type_] = tuple(
                _Step(key, path, element.many)
                for element in self._table.children(type_).values()
                for key, path in element.keys.items()
                if self._leads(path, frozenset())
            )
        return self._steps[type_]

    def _leads(self, path: str, seen: frozenset[str]) -> bool:
        if path == RESOURCE:
            return True
        if path in seen or self._table.types[path].kind != "backbone":
            return False
        below = self._table.children(path).values()
        return any(self._leads(each, seen | {path}) for e in below for each in e.keys.values())
