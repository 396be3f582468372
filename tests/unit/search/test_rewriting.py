"""Derived parameters: which are found, and that they find what their own paths would find."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fhir_server.definitions.registry import Definitions, load_definitions
from fhir_server.errors import BadRequest
from fhir_server.search.catalog import Catalog, TypeCatalog
from fhir_server.search.indexing import Indexer
from fhir_server.search.paths import Found, Member, Only, Path, RefersTo
from fhir_server.search.rewriting import Compiled, Derivation, derive
from fhir_server.search.searching import Searching
from fhir_server.storage.versions import Version
from tests.support.oracle import Row, holds
from tests.support.random_resources import RandomResources
from tests.support.raw_fhirpath import evaluate
from tests.support.searching import plain_criteria

BASE = "https://here.example/fhir"
A, B, C = (Path((Member(name),), "CodeableConcept") for name in "abc")
REF = Path((Member("subject"),), "Reference")
PATIENT = Path((*REF.steps, Only(RefersTo("Patient"))), "Reference")
GROUP = Path((*REF.steps, Only(RefersTo("Group"))), "Reference")


def token(code: str, *found: Found) -> Compiled:
    return Compiled(code, "token", found)


def reference(code: str, *found: Found) -> Compiled:
    return Compiled(code, "reference", found)


DERIVED = [
    ("a union", [token("x", A), token("y", B), token("z", A, B)], {"z": Derivation(("x", "y"))}),
    ("an alias", [token("x", A), token("y", A)], {"y": Derivation(("x",))}),
    ("a union of unions", [token("x", A), token("y", B, C), token("z", A, B, C)],
     {"z": Derivation(("x", "y"))}),
    ("part of it has no parameter", [token("x", A), token("z", A, B)], {}),
    ("one looks further", [token("x", A, C), token("y", B), token("z", A, B)], {}),
    ("another search type", [token("x", A), Compiled("y", "string", (A,))], {}),
    ("narrowed", [reference("subject", REF), reference("patient", PATIENT)],
     {"patient": Derivation(("subject",), "Patient")}),
    ("narrowed, listed first", [reference("patient", PATIENT), reference("subject", REF)],
     {"patient": Derivation(("subject",), "Patient")}),
    ("two types of one", [reference("subject", REF), reference("p", PATIENT, GROUP)], {}),
    ("nothing wider", [reference("patient", PATIENT)], {}),
    ("an alias of a narrowed one",
     [reference("subject", REF), reference("p", PATIENT), reference("q", PATIENT)],
     {"p": Derivation(("subject",), "Patient"), "q": Derivation(("subject",), "Patient")}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "expected"), [case[1:] for case in DERIVED], ids=[case[0] for case in DERIVED]
)
def test_a_parameter_is_derived_when_others_look_at_just_the_same(
    parameters: Sequence[Compiled], expected: dict[str, Derivation]
) -> None:
    assert derive(parameters) == expected


PUBLISHED = [
    ("Observation", "combo-code", Derivation(("code", "component-code"))),
    ("Observation", "combo-value-concept",
     Derivation(("component-value-concept", "value-concept"))),
    ("Observation", "patient", Derivation(("subject",), "Patient")),
    ("Encounter", "practitioner", Derivation(("participant",), "Practitioner")),
    ("AuditEvent", "patient", Derivation(("agent", "entity"), "Patient")),
    ("Patient", "phonetic", Derivation(("name",))),
]  # fmt: skip


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return load_definitions()


@pytest.fixture(scope="module")
def catalog(definitions: Definitions) -> Catalog:
    return Catalog(definitions)


@pytest.mark.parametrize(("type_", "code", "expected"), PUBLISHED)
def test_published_parameters_are_derived(
    type_: str, code: str, expected: Derivation, catalog: Catalog
) -> None:
    assert catalog.of(type_).derived[code] == expected


def test_no_parameter_is_derived_from_a_derived_one(catalog: Catalog) -> None:
    for type_ in catalog.definitions.resource_types:
        derived = catalog.of(type_).derived
        assert all(code not in derived for each in derived.values() for code in each.codes)


REFERENCES = [
    f"{base}{type_}/{id_}"
    for base in ("", "https://example.org/fhir/")
    for type_ in ("Patient", "Group", "Practitioner", "Location", "Device", "Encounter")
    for id_ in ("1", "g.2", "p-3", "4", "5", "6", "7")
]


def test_narrowed_parameters_find_the_references_they_speak_of(catalog: Catalog) -> None:
    """Compared with a plain look at the resources, for every narrowed parameter of R4."""
    world = World(catalog)
    found = 0
    for type_, code, derivation in _derived(catalog):
        if derivation.target is None:
            continue
        texts = [_references(catalog, type_, code, each) for each in world.resources(type_)]
        for value in REFERENCES:
            expected = [value in each for each in texts]
            assert world.matches(type_, code, value) == expected, (type_, code, value)
            found += sum(expected)
    assert found > 50


VALUES = {
    "uri": ["http://example.org/a", "urn:oid:1.2.3", "http://example.org/fhir/Measure/m"],
    "reference": [*REFERENCES, "1", "4", "nobody"],
    "token": ["a", "b", "http://example.org/a|a", "|a", "http://example.org/a|"],
    "string": ["a", "arg", "b"],
    "quantity": ["4", "ge0", "lt2", "ne4", "1.50||a", "gt1.4|http://example.org/a|a", "ap1.5"],
    "composite": ["a$a", "b$gt0", "http://example.org/a|a$le4||a", "a$b"],
}


def test_derived_parameters_answer_as_if_they_were_not_derived(catalog: Catalog) -> None:
    """Compared with an index in which every parameter has entries of its own."""
    world, plain = World(catalog), World(WithoutRewriting(catalog.definitions))
    found = 0
    for type_, code, _ in _derived(catalog):
        for value in VALUES[catalog.of(type_).compiled[code].type]:
            matches = world.matches(type_, code, value)
            assert matches == plain.matches(type_, code, value), (type_, code, value)
            found += sum(matches)
    assert found > 200


class WithoutRewriting(Catalog):
    def of(self, type_: str) -> TypeCatalog:
        return replace(super().of(type_), derived={})


class World:
    """Random resources, indexed by one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._searching = Searching(catalog.definitions, BASE, b"0" * 16, catalog=catalog)
        self._indexer = Indexer(catalog.definitions, BASE, catalog=catalog)
        self._makers = RandomResources(catalog.definitions.elements, ("a", "b"), ())
        self._rows: dict[str, list[Row]] = {}

    def resources(self, type_: str) -> list[dict[str, Any]]:
        return [self._makers.make(type_, seed) for seed in range(8)]

    def matches(self, type_: str, code: str, value: str) -> list[bool]:
        rows = self._rows.get(type_)
        if rows is None:
            rows = self._rows[type_] = [self._row(each) for each in self.resources(type_)]
        try:
            (criterion,) = plain_criteria(self._searching, type_, [(code, value)])
        except BadRequest:
            return []
        return [holds(criterion.test, row) for row in rows]

    def _row(self, resource: dict[str, Any]) -> Row:
        version = Version(resource["resourceType"], resource["id"], 1, 1, 1, "PUT", b"")
        return Row(version, self._indexer.terms(resource))


def _derived(catalog: Catalog) -> Iterator[tuple[str, str, Derivation]]:
    for type_ in sorted(catalog.definitions.resource_types):
        for code, derivation in catalog.of(type_).derived.items():
            yield type_, code, derivation


def _references(catalog: Catalog, type_: str, code: str, resource: dict[str, Any]) -> set[str]:
    expression = catalog.of(type_).definitions[code].expression
    assert expression is not None
    found = evaluate(expression, resource)
    return {item.value["reference"].partition("/_history/")[0] for item in found}
