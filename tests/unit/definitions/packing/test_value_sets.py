"""The code systems behind a value set."""

from typing import Any

import pytest

from fhir_server.definitions.packing.value_sets import code_systems

_VALUE_SETS: list[dict[str, Any]] = [
    {"url": "one", "compose": {"include": [{"system": "A"}, {"system": "A", "concept": []}]}},
    {"url": "two", "compose": {"include": [{"system": "A"}, {"system": "B"}]}},
    {"url": "one by another", "compose": {"include": [{"valueSet": ["one|1.0"]}]}},
    {
        "url": "narrowed by another",
        "compose": {"include": [{"system": "A", "valueSet": ["two"]}]},
    },
    {
        "url": "all but some",
        "compose": {"include": [{"system": "A"}], "exclude": [{"system": "B"}]},
    },
    {"url": "two by others", "compose": {"include": [{"valueSet": ["one"]}, {"system": "C"}]}},
    {"url": "unknown", "compose": {"include": [{"system": "A"}, {"valueSet": ["nowhere"]}]}},
    {"url": "itself", "compose": {"include": [{"system": "A"}, {"valueSet": ["itself"]}]}},
    {"url": "nothing"},
]


@pytest.mark.parametrize(
    ("url", "systems"),
    [
        ("one", {"A"}),
        ("two", {"A", "B"}),
        ("one by another", {"A"}),
        ("narrowed by another", {"A"}),
        ("all but some", {"A"}),
        ("two by others", {"A", "C"}),
        ("unknown", set()),
        ("itself", set()),
        ("nothing", set()),
    ],
)
def test_a_value_set_draws_from_the_systems_it_includes(url: str, systems: set[str]) -> None:
    assert code_systems(_VALUE_SETS)[url] == systems
