"""From snapshots of StructureDefinitions to constraints by where they hold.

https://hl7.org/fhir/R4/elementdefinition.html#ElementDefinition.constraint
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from fhir_server.definitions.constraints import Constraint, Constraints

_OF_STRUCTURE: Final = frozenset({"ele-1", "ext-1"})
_BEST_PRACTICE: Final = "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice"

Json = dict[str, Any]


def compile_constraints(structures: Iterable[Json]) -> Constraints:
    """Of types, and of profiles that elements of the base specification must meet."""
    numbers: dict[Constraint, int] = {}
    places: dict[str, tuple[int, ...]] = {}
    for structure in sorted(structures, key=lambda each: each["url"]):
        for place, constraints in _places(structure):
            if constraints:
                found = (numbers.setdefault(each, len(numbers)) for each in constraints)
                places[place] = tuple(found)
    return Constraints(tuple(numbers), places)


def is_base(structure: Json) -> bool:
    """Whether a definition is of a type, or of a simple quantity, which elements ask for."""
    return structure["kind"] != "logical" and (
        structure.get("derivation") != "constraint" or structure["id"] == "SimpleQuantity"
    )


def _places(structure: Json) -> Iterator[tuple[str, list[Constraint]]]:
    is_profile = structure.get("derivation") == "constraint"
    for element in structure["snapshot"]["element"]:
        constraints = list(_constraints(element))
        if not is_profile:
            yield element["path"].removesuffix("[x]"), constraints
        elif "." not in element["path"]:
            yield structure["url"], constraints


def _constraints(element: Json) -> Iterator[Constraint]:
    for each in element.get("constraint", ()):
        if each["key"] not in _OF_STRUCTURE:
            yield Constraint(
                each["key"],
                each["severity"],
                each["human"],
                each["expression"],
                any(
                    extension["url"] == _BEST_PRACTICE and extension.get("valueBoolean") is True
                    for extension in each.get("extension", ())
                ),
            )
