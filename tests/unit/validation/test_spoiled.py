"""Resources that are right, each spoiled in one way: both passes see it, and the slow one where."""

import gzip
import random
from collections.abc import Iterator
from functools import cache

import pytest

from fhir_server.definitions.registry import Definitions
from fhir_server.fhir import json_format
from fhir_server.validation.validator import Validator
from tests.support.data import data_folder
from tests.support.spoiling import WAYS, Expected, Way, spots

_SETS = ("examples/r4-examples.ndjson.gz", "search/au-core-test-data.ndjson.gz")
_OF_EACH_TYPE = 3
_LARGEST = 12_000
_SPOTS = 2
"""Objects of each resource that are spoiled in each way."""


@cache
def _sound() -> tuple[bytes, ...]:
    """A few resources of each type."""
    chosen: dict[str, list[bytes]] = {}
    for line in _lines():
        if len(line) <= _LARGEST:
            type_ = json_format.parse(line)["resourceType"]
            of_type = chosen.setdefault(type_, [])
            if len(of_type) < _OF_EACH_TYPE:
                of_type.append(line)
    return tuple(line for lines in chosen.values() for line in lines)


def _lines() -> Iterator[bytes]:
    for name in _SETS:
        with gzip.open(data_folder(name)) as file:
            yield from (line for line in file.read().split(b"\n") if line)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.strip("_"))
def test_a_spoiled_resource_is_refused_and_the_spoiled_element_named(
    way: Way, validator: Validator, definitions: Definitions
) -> None:
    spoiled = 0
    for number, line in enumerate(_sound()):
        for turn in range(_SPOTS):
            chance = random.Random(f"{way.__name__} {number} {turn}")
            resource = json_format.parse(line)
            found = spots(resource, definitions.elements, chance)
            expected = next(filter(None, map(way, found)), None)
            if expected is None:
                break
            spoiled += 1
            assert not validator.accepts(resource), (expected, resource)
            told = [
                Expected(each.message_id, each.expression[0]) for each in validator.issues(resource)
            ]
            assert _placed(expected, resource) in told, (told, resource)
            assert len(told) <= _MOST_TOLD.get(expected.message_id, 1), (told, resource)
    assert spoiled > _LEAST, "this way found too little to spoil"


_LEAST = 40
_MOST_TOLD = {"unequal-arrays": 2}  # the id that is too much has no value


def _placed(expected: Expected, resource: dict[str, object]) -> Expected:
    contained = resource.get("contained")
    last = len(contained) - 1 if isinstance(contained, list) else 0
    return expected._replace(place=expected.place.replace("[-]", f"[{last}]"))


def test_what_was_spoiled_is_right_before(validator: Validator) -> None:
    assert [each for line in _sound() for each in validator.issues(json_format.parse(line))] == []
