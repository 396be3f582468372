"""Every search parameter of R4 finds what its FHIRPath finds, compared with a plain interpreter."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path as File
from typing import Any

import pytest
from msgspec import field

from fhir_server.definitions.registry import Definitions, load_definitions
from fhir_server.definitions.search_parameters import SearchParameter
from fhir_server.search.catalog import Catalog
from fhir_server.search.conditions import decider, reacher
from fhir_server.search.entries import Entries
from fhir_server.search.extracting import Find, extractor
from fhir_server.search.gathering import Gathered
from fhir_server.search.paths import Found, Path, Truth, Tuple
from tests.support.data import data_folder
from tests.support.random_resources import RandomResources
from tests.support.raw_fhirpath import Item, evaluate

SEEDS = 3
TYPES = sorted(load_definitions().resource_types)
Seen = Counter[tuple[str, str]]
"""How often which parameter found which element, written as JSON."""


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return load_definitions()


@pytest.fixture(scope="module")
def catalog(definitions: Definitions) -> Catalog:
    return Catalog(definitions)


def test_only_parameters_without_an_expression_are_left_over(catalog: Catalog) -> None:
    """The table of what cannot be searched by its expression, and why."""
    left_over = {
        (code, reason)
        for type_ in catalog.definitions.resource_types
        for code, reason in catalog.of(type_).left_over.items()
    }
    assert left_over == {
        (code, "it has no expression") for code in ("_text", "_content", "_query", "_filter")
    }


def test_every_parameter_of_every_type_leads_somewhere(catalog: Catalog) -> None:
    for type_ in catalog.definitions.resource_types:
        assert [c.code for c in catalog.of(type_).compiled.values() if not c.found] == []


@pytest.mark.parametrize("type_", TYPES)
def test_random_resources_give_what_the_interpreter_finds(type_: str, catalog: Catalog) -> None:
    makers = _random_resources(catalog.definitions)
    for seed in range(SEEDS):
        resource = makers.make(type_, seed)
        assert _walked(catalog, resource) == _interpreted(catalog, resource)


@pytest.mark.parametrize("type_", TYPES)
def test_random_resources_meet_every_parameter(type_: str, catalog: Catalog) -> None:
    """Otherwise the comparison above would say little."""
    makers = _random_resources(catalog.definitions)
    unmet = set(catalog.of(type_).compiled)
    for seed in range(400):
        unmet -= {code for code, _ in _walked(catalog, makers.make(type_, seed))}
        if not unmet:
            return
    assert unmet == set()


def test_published_examples_give_what_the_interpreter_finds(catalog: Catalog) -> None:
    for resource in _examples():
        assert _walked(catalog, resource) == _interpreted(catalog, resource), resource["id"]


def test_synthetic_patients_give_what_the_interpreter_finds(catalog: Catalog) -> None:
    for resource in _synthea():
        assert _walked(catalog, resource) == _interpreted(catalog, resource), resource["id"]


MALFORMED: list[Any] = [None, True, 3, "text", [], {}, [[]], [None], [[{}]], [{"a": [{}]}], {"": 1}]


@pytest.mark.parametrize("type_", ["Patient", "Observation", "Bundle", "MolecularSequence"])
def test_malformed_members_never_raise(type_: str, catalog: Catalog) -> None:
    finds = [find for code in catalog.of(type_).compiled for find in _finds(catalog, type_, code)]
    visit = extractor(finds)
    keys = catalog.definitions.elements.by_key(type_)
    for wrong in MALFORMED:
        visit({"resourceType": type_, **dict.fromkeys(keys, wrong)}, _Recorded())
        for element in keys.values():
            for key, kind in element.keys.items():
                inner = _inner_keys(catalog, kind)
                for shape in (dict.fromkeys(inner, wrong), [dict.fromkeys(inner, wrong)]):
                    visit({"resourceType": type_, key: shape}, _Recorded())
        visit(wrong, _Recorded())


def _inner_keys(catalog: Catalog, kind: str) -> Any:
    return () if kind == "Resource" else catalog.definitions.elements.by_key(kind)


def _walked(catalog: Catalog, resource: dict[str, Any]) -> Seen:
    gathered = _Recorded()
    _recorder(catalog, resource["resourceType"])(resource, gathered)
    return Counter(gathered.seen)


class _Recorded(Gathered):
    seen: list[tuple[str, str]] = field(default_factory=list)


@cache
def _recorder(catalog: Catalog, type_: str) -> Any:
    def visit(resource: dict[str, Any], gathered: _Recorded) -> None:
        gathered.resource = resource
        walk(resource, gathered)

    codes = catalog.of(type_).compiled
    walk = extractor([find for code in codes for find in _finds(catalog, type_, code)])
    return visit


def _finds(catalog: Catalog, type_: str, code: str) -> Iterator[Find]:
    for found in catalog.of(type_).compiled[code].found:
        steps = found.steps if isinstance(found, Path) else ()
        steps = found.base.steps if isinstance(found, Tuple) else steps
        yield Find(steps, _recording(code, found))


def _recording(code: str, found: Found) -> Any:
    """An indexer that writes down what it is given, made so that equal paths are one walk."""

    def record(value: Any, gathered: Entries) -> None:
        assert isinstance(gathered, _Recorded)
        match found:
            case Path():
                if not isinstance(value, list) and value is not None:
                    gathered.seen.append((code, _written(value)))
            case Truth(condition):
                truth = decider(condition)(value)
                if truth is not None:
                    gathered.seen.append((code, _written(truth)))
            case Tuple(parts=parts):
                if not isinstance(value, list) and value is not None:
                    whole = [
                        sorted(
                            map(
                                _written,
                                reacher(part.paths)(gathered.resource if part.from_root else value),
                            )
                        )
                        for part in parts
                    ]
                    gathered.seen.append((code, _written(whole)))

    return record


def _interpreted(catalog: Catalog, resource: dict[str, Any]) -> Seen:
    type_ = resource["resourceType"]
    seen: Seen = Counter()
    for code in catalog.of(type_).compiled:
        parameter = catalog.of(type_).definitions[code]
        assert parameter.expression is not None
        for item in evaluate(_about(parameter.expression, type_), resource):
            if parameter.type == "composite":
                seen[code, _written(_parts(parameter, item, resource))] += 1
            else:
                seen.update((code, _written(value)) for value in _ends(item))
    return seen


def _about(expression: str, type_: str) -> str:
    """Without the alternatives that begin at other types: parsing all of them takes long."""
    own = [a for a in expression.split(" | ") if not _ELSEWHERE.match(a) or f"{type_}." in a]
    return " | ".join(own)


_ELSEWHERE = re.compile(r"\(*(?!Resource\b)[A-Z][A-Za-z]*\.")


def _parts(parameter: SearchParameter, item: Item, resource: dict[str, Any]) -> list[list[str]]:
    return [
        sorted(
            _written(value)
            for found in evaluate(component.expression, resource, item.value)
            for value in _ends(found)
        )
        for component in parameter.components
    ]


def _ends(item: Item) -> list[Any]:
    """An extension is indexed as its value."""
    if isinstance(item.value, dict) and "url" in item.value and "resourceType" not in item.value:
        values = [below for key, below in item.value.items() if key.startswith("value")]
        if values or set(item.value) <= {"url", "extension", "id"}:
            return values
    return [item.value]


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


@cache
def _random_resources(definitions: Definitions) -> RandomResources:
    texts = {
        text
        for type_ in definitions.resource_types
        for parameter in definitions.search_parameters(type_).values()
        for text in re.findall(r"'([^']*)'", parameter.expression or "")
    }
    urls = sorted(text for text in texts if ":" in text)
    return RandomResources(definitions.elements, sorted(texts - set(urls)), urls)


def _examples() -> Iterator[dict[str, Any]]:
    with gzip.open(data_folder("examples/r4-examples.ndjson.gz"), "rt") as lines:
        for line in lines:
            yield json.loads(line, parse_float=Decimal)


def _synthea() -> Iterator[dict[str, Any]]:
    """The first few resources of each type of each folder."""
    for folder in sorted(File(data_folder("synthea")).iterdir()):
        seen: Counter[str] = Counter()
        for path in sorted(folder.glob("*.json.gz"))[:4] if folder.is_dir() else ():
            with gzip.open(path, "rt") as file:
                bundle = json.load(file, parse_float=Decimal)
            for entry in bundle["entry"]:
                resource = entry["resource"]
                seen[resource["resourceType"]] += 1
                if seen[resource["resourceType"]] <= 20:
                    yield resource
