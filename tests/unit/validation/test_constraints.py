"""Each constraint of R4 by itself: a value that fulfils it, and one that breaks it.

https://hl7.org/fhir/R4/elementdefinition.html#ElementDefinition.constraint

The cases are in `cases/validation/constraints.json`; those that nothing can break say why.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fhir_server.definitions.constraints import load_constraints
from fhir_server.fhirpath import Element, Environment
from fhir_server.fhirpath.model import root
from fhir_server.validation.corrections import CORRECTIONS, NARRATIVE
from fhir_server.validation.invariants import Rule
from fhir_server.validation.places import Place
from tests.support.fhirpath import elements
from tests.support.plain_invariants import OF_STRUCTURE, published

_FILE = Path(__file__).parents[2] / "cases" / "validation" / "constraints.json"
CASES: list[dict[str, Any]] = json.loads(_FILE.read_text("utf-8"), parse_float=Decimal)
BREAKABLE = [each for each in CASES if "unbreakable" not in each]
NOT_TOLD = [
    "bdl-11",
    "bdl-12",
    "cid-0",
    "cnt-3",
    "csd-1",
    "ctm-1",
    "ig-1",
    "ig-2",
    "md-1",
    "obs-7",
    "per-1",
    "que-2",
    "ras-2",
    "tst-7",
    "tst-8",
    "tst-9",
]
"""What these ask, or what the case fulfils them with, is only known after evaluating."""


def _name(case: dict[str, Any]) -> str:
    return f"{case['key']}-{case['type']}"


def _rule(case: dict[str, Any]) -> Rule:
    place = case.get("place", case["type"])
    (constraint,) = (each for each in load_constraints()[place] if each.key == case["key"])
    return Rule(constraint, case["type"], elements())


def _place(case: dict[str, Any], value: Any) -> Place:
    """The value as a resource's own, or in the resource that the case gives."""
    around = case.get("around")
    if around is None:
        found = Element(value, case["type"])
        return Place(found, "here", found, found)
    resource = root(around | {case["path"]: value})
    return Place(
        Element(value, case["type"], None, resource, case["path"]), "here", resource, resource
    )


def test_there_is_a_case_for_every_constraint() -> None:
    loaded = {each for constraints in load_constraints().values() for each in constraints}
    covered = {_rule(case).constraint for case in CASES}
    assert covered == loaded


def test_what_is_loaded_is_what_was_published_but_for_the_two_of_structure() -> None:
    theirs = {
        (
            place.removesuffix("[x]"),
            each["key"],
            each["expression"],
            each["severity"],
            each["human"],
        )
        for place, constraints in published().items()
        for each in constraints
    }
    ours = {
        (place, each.key, each.expression, each.severity, each.human)
        for place, constraints in load_constraints().items()
        for each in constraints
    }
    assert ours == theirs
    assert not OF_STRUCTURE & {key for _, key, _, _, _ in ours}


@pytest.mark.parametrize("case", BREAKABLE, ids=_name)
def test_a_constraint_is_broken_by_what_breaks_it_alone(case: dict[str, Any]) -> None:
    rule, good, bad = _rule(case), _place(case, case["good"]), _place(case, case["bad"])
    assert rule.issue(good, Environment()) is None
    issue = rule.issue(bad, Environment())
    assert issue is not None
    assert issue == rule.evaluated(bad, Environment())
    assert (issue.severity, issue.code) == (rule.constraint.severity, "invariant")
    assert (issue.expression, issue.message_id) == (("here",), case["key"])
    assert issue.diagnostics.endswith(f". ({case['key']})")


@pytest.mark.parametrize("case", [each for each in CASES if "unbreakable" in each], ids=_name)
def test_what_cannot_be_broken_holds_and_says_why(case: dict[str, Any]) -> None:
    assert case["unbreakable"]
    assert _rule(case).evaluated(_place(case, case["good"]), Environment()) is None


@pytest.mark.parametrize("case", BREAKABLE, ids=_name)
def test_what_fulfils_a_constraint_is_told_without_evaluating(case: dict[str, Any]) -> None:
    rule, place = _rule(case), _place(case, case["good"])
    about_definitions = case["key"].startswith(("sdf-", "eld-"))
    if case["key"] in NOT_TOLD or about_definitions:
        return
    acquits = rule.acquits
    assert acquits is not None, rule.text
    assert acquits(place.element.value, place.outermost.value), rule.text


def test_every_correction_is_of_a_published_constraint_and_says_why() -> None:
    texts = {each["expression"] for found in published().values() for each in found}
    keys = {each["key"] for found in published().values() for each in found}
    assert set(CORRECTIONS) <= texts
    assert set(NARRATIVE) <= keys
    for each in (*CORRECTIONS.values(), *NARRATIVE.values()):
        assert each.why
        assert each.expression not in texts
