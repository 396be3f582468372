"""Every constraint of R4 compiles, and is evaluated on the published examples.

https://hl7.org/fhir/R4/elementdefinition.html#ElementDefinition.constraint
"""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

from fhir_server.fhir.json_format import parse
from fhir_server.fhirpath import Element, Environment, Expression, compile  # noqa: A004 - its name
from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.fhirpath.model import Model, root
from tests.support.data import data_folder
from tests.support.fhirpath import elements

EVERYWHERE = {"ele-1", "ext-1"}
"""Constraints of every element: looked at on resources' own children only, for time's sake."""

BROKEN_BY_EXAMPLES = {
    "txt-1": "four examples have an empty narrative",
    "txt-2": "likewise",
}
"""Errors (not warnings) that published examples break."""
MISTAKEN = {
    ("ChargeItemDefinition", "cid-0"): "the type has no name",
    ("decimal", "ras-1"): "it is about the Range only, which is the other choice",
}
"""Constraints that strict checking refuses, by type and key."""


def _definitions(*names: str) -> Iterator[dict[str, Any]]:
    for name in names:
        path = data_folder("r4") / f"structuredefinitions-{name}.ndjson.gz"
        yield from map(json.loads, filter(None, gzip.decompress(path.read_bytes()).split(b"\n")))


def _constraints(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    structure = definition.get("snapshot") or definition["differential"]
    for element in structure["element"]:
        for constraint in element.get("constraint", ()):
            if "expression" in constraint:
                yield element["path"], constraint


def test_every_constraint_of_r4_compiles() -> None:
    texts = {
        constraint["expression"]
        for definition in _definitions("resources", "datatypes", "profiles", "extensions")
        for _, constraint in _constraints(definition)
    }
    assert len(texts) > 200
    for text in texts:
        compile(text, elements())


def test_every_constraint_of_the_implementation_guides_compiles() -> None:
    texts = set()
    for path in sorted(data_folder("ig").glob("*/definitions.ndjson.gz")):
        for line in gzip.decompress(path.read_bytes()).split(b"\n"):
            if re.match(rb'{"resourceType": ?"StructureDefinition"', line):
                found = _constraints(json.loads(line))
                texts |= {constraint["expression"] for _, constraint in found}
    assert len(texts) > 50
    for text in texts:
        compile(text, elements())


def test_strict_checking_refuses_only_what_is_mistaken() -> None:
    refused = set()
    for path, constraints in _by_path().items():
        for type_ in _types_at(path):
            for key, (text, _) in constraints.items():
                try:
                    compile(text, elements(), type_)
                except FhirPathError:
                    refused.add((type_, key))
    assert refused == set(MISTAKEN)


def test_every_constraint_is_evaluated_on_the_examples_without_an_error() -> None:
    broken: dict[str, int] = defaultdict(int)
    lines = gzip.decompress((data_folder("examples") / "r4-examples.ndjson.gz").read_bytes())
    for line in filter(None, lines.split(b"\n")):
        resource = root(parse(line))
        for key, severity, holds in _evaluated(resource, resource.type, resource, resource):
            if holds is False and severity == "error":
                broken[key] += 1
    assert set(broken) == set(BROKEN_BY_EXAMPLES)


@cache
def _by_path() -> dict[str, dict[str, tuple[str, str]]]:
    """Constraints by the path of the element and their key: expression and severity."""
    found: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for definition in _definitions("resources", "datatypes"):
        if definition.get("derivation") != "constraint":
            for path, each in _constraints(definition):
                found[path][each["key"]] = each["expression"], each["severity"]
    return found


def _types_at(path: str) -> list[str]:
    if path in elements().types:
        return [path]
    parent, _, name = path.rpartition(".")
    known = (
        elements().child(parent, name.removesuffix("[x]")) if parent in elements().types else None
    )
    return list(known.keys.values()) if known else []


@cache
def _compiled(text: str) -> Expression:
    return compile(text, elements())


def _evaluated(
    element: Element, path: str, resource: Element, outermost: Element
) -> Iterator[tuple[str, str, bool | None]]:
    """Key, severity and outcome of each constraint on an element and what is in it."""
    constraints = {**_by_path().get(path, {}), **_by_path().get(element.type, {})}
    near = element.parent is None or element.parent is resource
    for key, (text, severity) in constraints.items():
        if near or key not in EVERYWHERE:
            expression = _compiled(text)
            yield (
                key,
                severity,
                expression.holds(
                    element, Environment(), resource=resource, root_resource=outermost
                ),
            )
    for child in _model().children(element):
        known = elements().by_key(element.type)[child.key]
        inner = f"{element.type}.{known.name}{'[x]' if known.choice else ''}"
        if elements().is_a(child.type, "Resource"):
            yield from _evaluated(
                child, child.type, child, outermost if child.key == "contained" else child
            )
        else:
            yield from _evaluated(child, inner, resource, outermost)


@cache
def _model() -> Model:
    return Model(elements())
