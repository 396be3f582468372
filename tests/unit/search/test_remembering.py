"""What is remembered of elements gives the same terms as looking at each of them anew."""

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path as File
from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.search.catalog import Catalog
from fhir_server.search.gathering import Gathered
from fhir_server.search.indexing import Indexer
from fhir_server.search.remembering import Memory
from tests.support.data import data_folder
from tests.support.random_resources import RandomResources

CATALOG = Catalog(load_definitions())
BASE = "https://here.example/fhir"
NOTHING_KNOWN = Indexer(CATALOG.definitions, BASE, catalog=CATALOG, remembers=False)
TYPES = sorted(CATALOG.definitions.resource_types)


def remembering() -> Indexer:
    return Indexer(CATALOG.definitions, BASE, catalog=CATALOG)


def _examples() -> Iterator[dict[str, Any]]:
    with gzip.open(data_folder("examples/r4-examples.ndjson.gz"), "rt") as lines:
        for line in lines:
            yield json.loads(line, parse_float=Decimal)


def _synthea() -> Iterator[dict[str, Any]]:
    for folder in sorted(File(data_folder("synthea")).iterdir()):
        for path in sorted(folder.glob("*.json.gz"))[:5] if folder.is_dir() else ():
            with gzip.open(path, "rt") as file:
                bundle = json.load(file, parse_float=Decimal)
            yield from (entry["resource"] for entry in bundle["entry"])


def test_the_examples_of_r4_have_the_same_terms_when_they_are_met_again() -> None:
    indexer, examples = remembering(), list(_examples())
    expected = [NOTHING_KNOWN.terms(resource) for resource in examples]
    for _ in range(2):
        assert [indexer.terms(resource) for resource in examples] == expected


def test_synthetic_patients_have_the_same_terms() -> None:
    indexer = remembering()
    for resource in _synthea():
        assert indexer.terms(resource) == NOTHING_KNOWN.terms(resource), resource["id"]


def test_random_resources_have_the_same_terms() -> None:
    indexer = remembering()
    elements = CATALOG.definitions.elements
    random = RandomResources(elements, ["a", "b"], ["http://example.org/x"])
    for seed in range(3):
        for type_ in TYPES:
            resource = random.make(type_, seed)
            expected = NOTHING_KNOWN.terms(resource)
            assert indexer.terms(resource) == expected
            assert indexer.terms(resource) == expected


ALIKE: list[tuple[Any, Any]] = [
    ({"value": Decimal("1.5")}, {"value": "1.5"}),
    ({"value": 1}, {"value": True}),
    ({"value": 1, "unit": "1"}, {"value": 1, "unit": 1}),
    ({"value": 1, "unit": None}, {"value": 1, "unit": "null"}),
    ("a", {"a": 1}),
    ("[1]", [1]),
]


@pytest.mark.parametrize(("one", "other"), [*ALIKE, *((b, a) for a, b in ALIKE)])
def test_what_only_looks_alike_is_not_mistaken(one: Any, other: Any) -> None:
    indexer = remembering()
    for value in (one, other):
        resource = {
            "resourceType": "Observation",
            "status": value,
            "valueQuantity": value,
            "code": {"coding": [{"code": value}]},
        }
        assert indexer.terms(resource) == NOTHING_KNOWN.terms(resource)


def test_what_is_no_json_is_looked_at_all_the_same() -> None:
    deep: Any = []
    for _ in range(10_000):
        deep = [deep]
    indexer = remembering()
    for wrong in ("\ud800", 10**30, {1: 2}, object(), deep):
        concept = {"coding": [{"system": "s", "code": "c", "x": wrong}]}
        resource = {"resourceType": "Observation", "code": concept, "category": [concept]}
        assert indexer.terms(resource) == NOTHING_KNOWN.terms(resource)


def _keeping(seen: list[Any]) -> Any:
    def visit(item: Any, gathered: Gathered) -> None:
        seen.append(item)
        gathered.keys.append(f"key of {item}")

    return visit


def _gathered(visit: Any, value: Any) -> list[Any]:
    gathered = Gathered()
    visit(value, gathered)
    return gathered.keys


def test_an_element_is_looked_at_once_until_the_memory_is_full() -> None:
    seen: list[Any] = []
    visit = Memory(most=2 * 500).of_each(_keeping(seen))
    assert _gathered(visit, ["a", "b", "a"]) == ["key of a", "key of b", "key of a"]
    assert seen == ["a", "b"]
    assert _gathered(visit, ["c", "c", "a"]) == ["key of c", "key of c", "key of a"]
    assert seen == ["a", "b", "c", "a"]


def test_what_is_kept_is_limited_in_bytes() -> None:
    memory = Memory(most=50_000)
    visit = memory.of_each(_keeping([]))
    _gathered(visit, [str(number) * 100 for number in range(100, 190)])
    assert 0 < len(_known(memory)) < 90
    assert sum(map(len, _known(memory))) < 50_000


def _known(memory: Memory) -> list[Any]:
    return [said for place in memory._places for said in place.known]  # noqa: SLF001 -- what is kept shows nowhere else


def test_where_all_is_long_it_is_no_longer_tried() -> None:
    memory = Memory()
    visit = memory.of_each(_keeping([]))
    _gathered(visit, ["x" * 1001] * 200)
    assert [place.helps for place in memory._places] == [False]  # noqa: SLF001 -- likewise


def test_a_long_element_is_not_kept() -> None:
    seen: list[Any] = []
    visit = Memory().of_each(_keeping(seen))
    long = "x" * 1001
    assert _gathered(visit, [long, long]) == [f"key of {long}"] * 2
    assert seen == [long, long]


def test_where_nothing_comes_again_it_is_no_longer_tried() -> None:
    seen: list[Any] = []
    visit = Memory().of_each(_keeping(seen))
    different = [str(number) for number in range(200)]
    _gathered(visit, different)
    assert _gathered(visit, "0") == ["key of 0"]
    assert seen == [*different, "0"]
