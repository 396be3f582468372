"""What is published as right is accepted; each that is not is named with the reason."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.fhir import json_format
from fhir_server.validation.validator import Validator
from tests.support.data import data_folder

_REFUSED: dict[str, str] = json.loads((Path(__file__).parent / "refused.json").read_text())
_LEAST = {"examples/r4-examples": 700, "r4/structuredefinitions-resources": 148}


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(load_definitions())


def _sets() -> list[str]:
    try:
        definitions = sorted(data_folder("r4").glob("*.ndjson.gz"))
    except (pytest.skip.Exception, pytest.fail.Exception):
        return ["examples/r4-examples"]  # which is skipped, or fails, by itself
    return ["examples/r4-examples", *(f"r4/{path.name.split('.')[0]}" for path in definitions)]


def _resources(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(data_folder(f"{name}.ndjson.gz")) as file:
        yield from (json_format.parse(line) for line in file.read().split(b"\n") if line)


@pytest.mark.parametrize("name", _sets())
def test_the_published_resources_of_r4_are_right(name: str, validator: Validator) -> None:
    count, refused = 0, set()
    for resource in _resources(name):
        count += 1
        if validator.issues(resource):
            refused.add(f"{name} {resource['resourceType']}/{resource['id']}")
    assert refused == {each for each in _REFUSED if each.startswith(f"{name} ")}
    assert count >= _LEAST.get(name, 1)


def test_whole_patients_are_right(validator: Validator) -> None:
    """As they come: each bundle as one resource, its entries inside."""
    bundles = sorted(data_folder("synthea").glob("*/*.json.gz"))
    refused, entries = [], 0
    for path in bundles:
        with gzip.open(path) as file:
            bundle = json_format.parse(file.read())
        entries += len(bundle["entry"])
        if not validator.accepts(bundle):
            refused.append((path.name, validator.issues(bundle)[:3]))
    assert refused == []
    assert entries > 20_000
