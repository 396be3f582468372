"""Constraints evaluated one by one: an oracle for the walk that goes by what is present.

It reads the constraints as they are published, walks with the model of FHIRPath alone, and
evaluates every one that is not of structure (`ele-1`, `ext-1`). Corrections are taken over.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from fhir_server.fhirpath import Element, Expression, compile  # noqa: A004 - its name
from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.fhirpath.model import Model, root
from fhir_server.validation.corrections import correction
from tests.support.data import data_folder
from tests.support.fhirpath import elements

OF_STRUCTURE = {"ele-1", "ext-1"}
SIMPLE_QUANTITY = "http://hl7.org/fhir/StructureDefinition/SimpleQuantity"


class Broken(NamedTuple):
    key: str
    path: str
    severity: str


@cache
def published() -> dict[str, list[dict[str, Any]]]:
    """Constraints by the path of their element, or by the profile."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in ("resources", "datatypes", "profiles"):
        text = (data_folder("r4") / f"structuredefinitions-{name}.ndjson.gz").read_bytes()
        for definition in map(json.loads, filter(None, gzip.decompress(text).split(b"\n"))):
            is_profile = definition.get("derivation") == "constraint"
            if is_profile and definition["url"] != SIMPLE_QUANTITY:
                continue
            for element in definition["snapshot"]["element"]:
                if is_profile and "." in element["path"]:
                    continue
                place = definition["url"] if is_profile else element["path"]
                found[place] += [
                    each
                    for each in element.get("constraint", ())
                    if each["key"] not in OF_STRUCTURE
                ]
    return found


def broken(resource: dict[str, Any]) -> Iterator[Broken]:
    """Every constraint that a resource breaks."""
    found = root(resource)
    yield from _broken(found, found.type, found.type, (), found, found)


def _broken(
    element: Element,
    place: str,
    path: str,
    profiles: tuple[str, ...],
    resource: Element,
    outermost: Element,
) -> Iterator[Broken]:
    for constraint in _at(element.type, place, profiles):
        if not _holds(_text(constraint), element, resource, outermost):
            yield Broken(constraint["key"], path, constraint["severity"])
    for child in _model().children(element):
        known = elements().by_key(element.type)[child.key]
        inner = path + "." + known.name + ("" if child.index is None else f"[{child.index}]")
        name = f"{element.type}.{known.name}{'[x]' if known.choice else ''}"
        if not elements().is_a(child.type, "Resource"):
            yield from _broken(child, name, inner, known.profiles, resource, outermost)
        elif child.key == "contained":
            yield from _broken(child, child.type, inner, (), child, outermost)
        else:
            alone = root(child.value)
            yield from _broken(alone, alone.type, inner, (), alone, alone)


def _at(type_: str, place: str, profiles: tuple[str, ...]) -> list[dict[str, Any]]:
    found = list(published().get(type_, ()))
    if place != type_:
        found += published().get(place, ())
    for profile in profiles if type_ == "Quantity" else ():
        known = {each["key"] for each in found}
        found += [each for each in published()[profile] if each["key"] not in known]
    return found


def _holds(text: str, element: Element, resource: Element, outermost: Element) -> bool:
    try:
        answer = _compiled(text).holds(element, resource=resource, root_resource=outermost)
    except FhirPathError:
        return False
    return answer is True


def _text(constraint: dict[str, Any]) -> str:
    text: str = constraint["expression"]
    corrected = correction(constraint["key"], text)
    return corrected.expression if corrected else text


@cache
def _compiled(text: str) -> Expression:
    return compile(text, elements())


@cache
def _model() -> Model:
    return Model(elements())
