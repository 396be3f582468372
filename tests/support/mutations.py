"""Resources changed at random that keep the structure of their types.

Parts are set in that somebody thought of, are taken away, exchanged for those of the same type
elsewhere, and added from there; texts and codes are exchanged for others of the same element; a
primitive loses its value for an extension. What results may be nonsense, and that is what it is
for.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy as copied
from typing import Any, NamedTuple

from fhir_server.definitions.elements import Element, ElementTable

Json = dict[str, Any]

_EXTENSION = {"extension": [{"url": "http://example.org/absent", "valueCode": "unknown"}]}
_KEPT = {"resourceType", "id"}


class _Part(NamedTuple):
    holder: Json
    key: str
    element: Element
    type: str
    """Of the holder."""
    kind: str
    """Of the values."""


class Mutations:
    def __init__(
        self,
        table: ElementTable,
        resources: Sequence[Json],
        planted: Mapping[str, Sequence[Json]],
    ) -> None:
        """`planted` are objects by their types that are set in often."""
        self._table = table
        self._planted = planted
        self._values: dict[tuple[str, str], list[Any]] = defaultdict(list)
        self._objects: dict[str, list[Json]] = defaultdict(list)
        for resource in resources:
            for part in self._parts(resource, resource["resourceType"]):
                values = part.holder[part.key]
                self._values[part.type, part.key].append(values)
                if part.kind not in table.primitives:
                    self._objects[part.kind] += values if part.element.many else [values]

    def of(self, resource: Json, chance: random.Random, changes: int = 3) -> Json:
        """A copy with some changes."""
        changed: Json = copied(resource)
        for _ in range(changes):
            parts = list(self._parts(changed, changed["resourceType"]))
            places = [each for each in parts if each.kind in self._planted]
            if chance.random() < 0.2:
                self._plant_at_root(changed, chance)
            elif places and chance.random() < 0.5:
                self._plant(chance.choice(places), chance)
            elif parts:
                change = chance.choice((self._take_away, self._exchange, self._add, self._hollow))
                change(chance.choice(parts), chance)
        return changed

    def _plant(self, part: _Part, chance: random.Random) -> None:
        value = copied(chance.choice(self._planted[part.kind]))
        if part.element.many:
            values = part.holder[part.key]
            values[chance.randrange(len(values))] = value
        else:
            part.holder[part.key] = value

    def _plant_at_root(self, resource: Json, chance: random.Random) -> None:
        type_ = resource["resourceType"]
        known = self._table.by_key(type_)
        value = chance.choice(self._planted.get(type_, [{}]))
        for key in value.keys() & known.keys():
            for other in known[key].keys:
                resource.pop(other, None)
                resource.pop(f"_{other}", None)
            resource[key] = copied(value[key])

    def _parts(self, holder: Json, type_: str) -> Iterator[_Part]:
        known = self._table.by_key(type_)
        for key, value in holder.items():
            element = known.get(key)
            if element is None or key in _KEPT:
                continue
            kind = element.keys[key]
            if kind in self._table.primitives:
                yield _Part(holder, key, element, type_, kind)
                continue
            if kind != "Resource":
                yield _Part(holder, key, element, type_, kind)
            for each in value if element.many else [value]:
                yield from self._parts(each, each["resourceType"] if kind == "Resource" else kind)

    def _take_away(self, part: _Part, _: random.Random) -> None:
        if len(part.holder) > 1:
            part.holder.pop(part.key)
            part.holder.pop(f"_{part.key}", None)

    def _exchange(self, part: _Part, chance: random.Random) -> None:
        values = self._values[part.type, part.key]
        if part.kind not in self._table.primitives and not part.element.many:
            values = self._objects[part.kind]
        if values:
            part.holder[part.key] = copied(chance.choice(values))
            part.holder.pop(f"_{part.key}", None)

    def _add(self, part: _Part, chance: random.Random) -> None:
        """A member that another object of the type has."""
        others = self._objects[part.type]
        other = chance.choice(others) if others else {}
        known = self._table.by_key(part.type)
        for key, value in other.items():
            element = known.get(key)
            free = element is not None and not any(
                each in part.holder or f"_{each}" in part.holder for each in element.keys
            )
            if free and key not in _KEPT and chance.random() < 0.5:
                part.holder[key] = copied(value)

    def _hollow(self, part: _Part, _: random.Random) -> None:
        """A primitive that only has an extension."""
        if part.kind in self._table.primitives and part.kind != "xhtml":
            value = part.holder.pop(part.key)
            beside: Any = [_EXTENSION] * len(value) if part.element.many else _EXTENSION
            part.holder[f"_{part.key}"] = copied(beside)
