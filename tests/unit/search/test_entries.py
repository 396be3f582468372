"""The one walk of a type gives just the entries that each parameter gives by itself.

The oracle follows the paths of one parameter after the other, and hands each element to the index
of its type: nothing is shared, grouped or remembered there.
"""

import gzip
import json
from datetime import UTC
from decimal import Decimal
from itertools import product
from pathlib import Path as File
from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.search.catalog import Catalog
from fhir_server.search.collecting import nearest
from fhir_server.search.conditions import decider, reacher
from fhir_server.search.entries import Entries, Indexed
from fhir_server.search.indexing import Indexer
from fhir_server.search.paths import Found, Part, Path, Truth, Tuple
from fhir_server.search.values import composite
from fhir_server.search.values.table import indexers
from fhir_server.search.words import FullText
from tests.support.data import data_folder
from tests.support.random_resources import RandomResources

BASE = "https://here.example/fhir"
CATALOG = Catalog(load_definitions())
ELEMENTS = CATALOG.definitions.elements
INDEXERS = indexers(UTC, BASE)
TYPES = sorted(CATALOG.definitions.resource_types)


def _indexer() -> Indexer:
    return Indexer(CATALOG.definitions, BASE, catalog=CATALOG, full_text=FullText.NONE)


def _one_by_one(resource: dict[str, Any]) -> Entries:
    """The entries of all parameters that have any of their own."""
    entries, catalog = Entries(), CATALOG.of(resource["resourceType"])
    for code, compiled in catalog.compiled.items():
        if code not in catalog.derived:
            for found in compiled.found:
                _add(found, compiled.type, catalog.marked(code), resource, entries)
    return entries


def _add(
    found: Found, kind: str, marked: Indexed, resource: dict[str, Any], entries: Entries
) -> None:
    match found:
        case Path(type=type_):
            known = nearest(INDEXERS.get(kind, {}), type_, ELEMENTS)
            for element in reacher((found,))(resource) if known else ():
                INDEXERS[kind][str(known)](marked)(element, entries)
        case Truth(condition):
            truth = decider(condition)(resource)
            if truth is not None:
                INDEXERS["token"]["boolean"](marked)(truth, entries)
        case Tuple(base, parts):
            for element in reacher((base,))(resource):
                _add_tuples(parts, element, marked, resource, entries)


def _add_tuples(
    parts: tuple[Part, ...],
    element: Any,
    marked: Indexed,
    resource: dict[str, Any],
    entries: Entries,
) -> None:
    for paths in product(*(part.paths for part in parts)):
        kinds = [
            (part.type, nearest(INDEXERS[part.type], path.type, ELEMENTS) or path.type)
            for part, path in zip(parts, paths, strict=True)
        ]
        indexer = composite.indexer(kinds, UTC, BASE)
        ends = [
            reacher((path,))(resource if part.from_root else element)
            for part, path in zip(parts, paths, strict=True)
        ]
        for together in product(*ends) if indexer else ():
            indexer(marked)(together, entries)  # type: ignore[misc] # it is one, in this loop


def _assert_same(indexer: Indexer, resource: dict[str, Any]) -> None:
    alone = {key: value for key, value in resource.items() if key not in {"contained", "id"}}
    terms, expected = indexer.terms(alone), _one_by_one(alone)
    assert set(terms.keys) == set(expected.keys), resource
    assert set(terms.intervals) == set(expected.intervals), resource


@pytest.mark.parametrize("type_", TYPES)
def test_random_resources_have_the_entries_of_each_parameter(type_: str) -> None:
    makers = RandomResources(ELEMENTS, ("a", "email"), ("http://x", "http://unitsofmeasure.org"))
    indexer = _indexer()
    for seed in range(5):
        resource = makers.make(type_, seed)
        for _ in range(2):
            _assert_same(indexer, resource)


def test_published_examples_have_the_entries_of_each_parameter() -> None:
    indexer = _indexer()
    with gzip.open(data_folder("examples/r4-examples.ndjson.gz"), "rt") as lines:
        for line in lines:
            _assert_same(indexer, json.loads(line, parse_float=Decimal))


def test_synthetic_patients_have_the_entries_of_each_parameter() -> None:
    indexer = _indexer()
    for folder in sorted(File(data_folder("synthea")).iterdir()):
        for path in sorted(folder.glob("*.json.gz"))[:3] if folder.is_dir() else ():
            with gzip.open(path, "rt") as file:
                bundle = json.load(file, parse_float=Decimal)
            for entry in bundle["entry"]:
                _assert_same(indexer, entry["resource"])


CODE = {"coding": [{"system": "http://loinc.org", "code": "1"}, {"code": "2", "display": "2"}]}
MG = {"value": Decimal("1.50"), "system": "http://unitsofmeasure.org", "code": "mg", "unit": "mg"}
QUANTITIES: list[Any] = [
    MG,
    [MG, MG],
    {**MG, "comparator": "<"},
    {**MG, "comparator": {}},
    {**MG, "comparator": "?"},
    {**MG, "unit": {"a": 1}},
    {**MG, "value": "1.5"},
    {**MG, "value": True},
    {"value": 1},
    {"unit": "mg"},
    [],
    None,
    "text",
]


@pytest.mark.parametrize("value", QUANTITIES)
@pytest.mark.parametrize("code", [CODE, [CODE, CODE], None, "text", {"text": "t"}])
def test_a_quantity_has_the_entries_of_each_parameter(value: Any, code: Any) -> None:
    indexer = _indexer()
    here = {"code": code, "valueQuantity": value}
    for resource in (
        {"resourceType": "Observation", **here},
        {"resourceType": "Observation", "valueQuantity": value},
        {"resourceType": "Observation", "code": CODE, "component": [here, here]},
    ):
        for _ in range(2):
            _assert_same(indexer, resource)


def test_objects_of_many_shapes_have_the_entries_of_each_parameter() -> None:
    indexer = _indexer()
    observation = {
        "status": "final",
        "code": CODE,
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2020",
        "valueQuantity": MG,
    }
    for number in range(600):
        unknown = {f"unknown{number}": 1, "x" * (number * 10): 2}
        _assert_same(indexer, {"resourceType": "Observation", **unknown, **observation})
