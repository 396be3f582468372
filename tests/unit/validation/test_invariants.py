"""The walk that goes by what is present finds what evaluating every constraint finds.

https://hl7.org/fhir/R4/conformance-rules.html#constraints

On the published examples, and on thousands of random changes of them that keep their structure.
"""

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.fhir.json_format import parse
from fhir_server.fhir.outcome import Issue
from fhir_server.terminology.library import Held
from fhir_server.terminology.service import Terminology
from fhir_server.validation.rules import Rules
from tests.support.data import data_folder
from tests.support.mutations import Mutations
from tests.support.plain_invariants import Broken, broken

pytestmark = pytest.mark.anyio

CASES = Path(__file__).parents[2] / "cases" / "validation" / "constraints.json"
ROUNDS = 4
CHANGES = 3
LONG_ONES_PASSED_OVER = 20
LONGEST_CHANGED = 30_000
"""Bytes of the examples that are changed: evaluating long ones takes most of the time."""
BROKEN_EXAMPLES = {
    ("ActivityDefinition", "blood-tubes-supply"): {"txt-2"},
    ("ActivityDefinition", "heart-valve-replacement"): {"txt-2"},
    ("EventDefinition", "example"): {"txt-2"},
    ("Questionnaire", "zika-virus-exposure-assessment"): {"txt-2"},
    ("TestScript", "testscript-example-history"): {"not-in-value-set"},
    ("TestScript", "testscript-example-readtest"): {"not-in-value-set"},
    ("TestScript", "testscript-example-update"): {"not-in-value-set"},
}
"""Published examples that are wrong: a narrative says nothing, a media type is xml or json."""
UNTOLD = {"CareTeam"}
"""Whom a participant acts for depends on the resource that is referred to (ctm-1)."""


class Nothing:
    """A library without a definition."""

    async def by_canonical(self, type_: str, url: str, version: str) -> Held | None:
        return None

    async def versions(self, type_: str, url: str) -> Sequence[str]:
        return []

    async def by_id(self, type_: str, id_: str) -> Held | None:
        return None


@cache
def rules() -> Rules:
    definitions = load_definitions()
    return Rules(definitions, Terminology(definitions))


@cache
def examples() -> Sequence[tuple[dict[str, Any], int]]:
    """With their lengths."""
    text = gzip.decompress((data_folder("examples") / "r4-examples.ndjson.gz").read_bytes())
    return [(parse(line), len(line)) for line in filter(None, text.split(b"\n"))]


@cache
def mutations() -> Mutations:
    planted: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for case in json.loads(CASES.read_text("utf-8"), parse_float=Decimal):
        planted[case["type"]] += [
            value
            for value in (case["good"], case.get("bad"))
            if isinstance(value, dict) and set(value) - {"resourceType"}
        ]
    usable = {type_: values for type_, values in planted.items() if values}
    return Mutations(load_definitions().elements, short_examples(), usable)


def short_examples() -> list[dict[str, Any]]:
    return [resource for resource, length in examples() if length < LONGEST_CHANGED]


async def found(resource: dict[str, Any], *, warnings: bool = True) -> list[Issue]:
    return await rules().issues(resource, Nothing(), warnings=warnings)


def _broken(issues: Sequence[Issue]) -> list[Broken]:
    return sorted(
        Broken(each.message_id, each.expression[0], each.severity)
        for each in issues
        if each.code == "invariant"
    )


async def _assert_agree(resource: dict[str, Any]) -> int:
    plain = sorted(broken(resource))
    assert _broken(await found(resource)) == plain
    errors = [each for each in plain if each.severity == "error"]
    assert _broken(await found(resource, warnings=False)) == errors
    return len(errors)


async def test_the_published_examples_break_nothing_but_what_is_known() -> None:
    wrong = {}
    for resource, _ in examples():
        keys = {issue.message_id for issue in await found(resource, warnings=False)}
        if keys:
            wrong[resource["resourceType"], resource["id"]] = keys
    assert wrong == BROKEN_EXAMPLES


async def test_evaluating_every_constraint_finds_the_same_in_the_examples() -> None:
    long = [resource for resource, length in examples() if length >= LONGEST_CHANGED]
    for resource in [*short_examples(), *long[::LONG_ONES_PASSED_OVER]]:
        await _assert_agree(resource)


@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_evaluating_every_constraint_finds_the_same_in_changed_examples(round_: int) -> None:
    short = short_examples()[round_::ROUNDS]
    chance = random.Random(round_)
    wrong = 0
    for resource in short:
        for _ in range(CHANGES):
            wrong += await _assert_agree(mutations().of(resource, chance)) > 0
    assert wrong > len(short) * CHANGES / 4  # else nothing would be proven


async def test_the_patients_of_synthea_break_nothing() -> None:
    for path in sorted(data_folder("synthea").glob("*/*.json.gz")):
        for entry in parse(gzip.decompress(path.read_bytes()))["entry"]:
            resource = entry["resource"]
            assert await found(resource, warnings=False) == [], (path.name, resource["id"])
            told = resource["resourceType"] not in UNTOLD
            assert rules().accepts(resource) or not told, (path.name, resource["id"])
