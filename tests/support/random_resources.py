"""Random resources made from the element table: any shape the definitions allow, no meaning.

Wide rather than deep: most elements are there, so that every search parameter finds something.
"""

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from fhir_server.definitions.elements import Element, ElementTable

_REFERENCES = (
    "Patient/1",
    "Group/g.2",
    "Practitioner/p-3/_history/2",
    "https://example.org/fhir/Patient/4",
    "https://example.org/fhir/Location/5/_history/1",
    "urn:uuid:0f0e0d0c-0b0a-4908-8706-050403020100",
    "#inside",
    "Device/6",
    "Encounter/7",
    "not a reference",
)
_PRIMITIVES: dict[str, Sequence[Any]] = {
    "boolean": (True, False),
    "integer": (0, 7, -3),
    "positiveInt": (1, 12),
    "unsignedInt": (0, 9),
    "decimal": (Decimal("1.50"), Decimal(0), 4),
    "date": ("2020", "2020-02", "2020-02-29"),
    "dateTime": ("2020", "2020-02-29T10:00:00Z", "2021-05-06"),
    "instant": ("2020-02-29T10:00:00.123+02:00",),
    "time": ("10:11:12",),
    "uri": ("http://example.org/a", "urn:oid:1.2.3"),
    "canonical": ("http://example.org/fhir/Measure/m|1.0",),
}
_DEPTH = 5
_NOT_AT_ROOT = {"id", "contained", "text"}
_SELDOM = {"id", "modifierExtension"}


class RandomResources:
    """`words` are texts that expressions compare with; they occur often."""

    def __init__(self, elements: ElementTable, words: Sequence[str], urls: Sequence[str]) -> None:
        self._elements = elements
        self._words = (*words, "a", "Ärger")
        self._urls = (*urls, "http://example.org/unknown")

    def make(self, type_: str, seed: int) -> dict[str, Any]:
        chance = random.Random(f"{type_}{seed}")
        return {"resourceType": type_, "id": f"r{seed}", **self._object(type_, chance, _DEPTH)}

    def _object(self, type_: str, chance: random.Random, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for element in self._elements.children(type_).values():
            passed_over = _SELDOM if depth < _DEPTH else _NOT_AT_ROOT
            if element.name in passed_over or chance.random() > 0.8:
                continue
            key = chance.choice(list(element.keys))
            value = self._element(element, element.keys[key], chance, depth - 1)
            if value is not None:
                made[key] = value
        return made

    def _element(self, element: Element, type_: str, chance: random.Random, depth: int) -> Any:
        values = [
            self._reference(element, chance)
            if type_ == "Reference"
            else self._value(type_, chance, depth)
            for _ in range(chance.randint(1, 2) if element.many else 1)
        ]
        present = [value for value in values if value is not None]
        return (present if element.many else present[0]) if present else None

    def _reference(self, element: Element, chance: random.Random) -> Any:
        likely = [f"{target}/1" for target in element.reference_targets if target != "Resource"]
        return {"reference": chance.choice([*likely, *_REFERENCES])}

    def _value(self, type_: str, chance: random.Random, depth: int) -> Any:
        if type_ in self._elements.primitives:
            return chance.choice(_PRIMITIVES.get(type_, self._words))
        if type_ == "Extension":
            made = self._object(type_, chance, depth) if depth > 0 else {}
            return {**made, "url": chance.choice(self._urls)}
        if type_ == "Resource":
            return {"resourceType": chance.choice(("Composition", "Patient")), "id": "inside"}
        return (self._object(type_, chance, depth) or None) if depth > 0 else None
