"""What is told of plain JSON without evaluating: never more than evaluating would say.

Each form that is known, on JSON for which it surely holds and on JSON for which nothing is said:
because it does not hold, or because that is not seen.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from fhir_server.fhirpath import Element, compile  # noqa: A004 - its name
from fhir_server.fhirpath.acquitting import acquittal, tell
from tests.support.fhirpath import elements

ABSENT = {"extension": [{"url": "http://a", "valueCode": "unknown"}]}
CODED = {"coding": [{"system": "s", "code": "a"}, {"system": "t", "code": "b"}]}

FORMS: Sequence[tuple[str, str, Sequence[dict[str, Any]], Sequence[dict[str, Any]]]] = [
    ("Patient", "active.exists()", [{"active": False}], [{}, {"_active": ABSENT}]),
    ("Patient", "active.empty()", [{}], [{"active": True}, {"_active": ABSENT}]),
    ("Patient", "deceased.exists()", [{"deceasedBoolean": True}], [{"gender": "male"}]),
    ("Patient", "deceased is boolean", [{"deceasedBoolean": True}], [{"deceasedDateTime": "2020"}]),
    ("Patient", "active", [{"active": True}], [{"active": False}, {}]),
    ("Patient", "active.not()", [{"active": False}], [{"active": True}, {}]),
    ("Patient", "gender = 'male'", [{"gender": "male"}], [{"gender": "female"}, {}]),
    ("Patient", "gender != 'male'", [{"gender": "female"}], [{"gender": "male"}, {}]),
    ("Patient", "gender in ('male' | 'other')", [{"gender": "other"}], [{"gender": "female"}, {}]),
    ("Patient", "active = true", [{"active": True}], [{"active": False}, {}]),
    ("Patient", "gender.startsWith('m')", [{"gender": "male"}], [{"gender": "female"}, {}]),
    ("Patient", "gender.contains('al')", [{"gender": "male"}], [{"gender": "other"}, {}]),
    ("Patient", "gender.matches('^m.*')", [{"gender": "male"}], [{"gender": "female"}, {}]),
    ("Patient", "gender.hasValue()", [{"gender": "male"}], [{}, {"_gender": ABSENT}]),
    ("Patient", "gender.hasValue().not()", [{}, {"_gender": ABSENT}], [{"gender": "male"}]),
    ("Patient", "name.count() > 1", [{"name": [{"text": "a"}, {"text": "b"}]}], [{}]),
    ("Patient", "name.count() + link.count() = 0", [{}], [{"name": [{"text": "a"}]}]),
    ("Patient", "name.family.exists()", [{"name": [{"text": "a"}, {"family": "b"}]}], [{}]),
    (
        "Patient",
        "name.family.empty()",
        [{}, {"name": [{"text": "a"}]}],
        [{"name": [{"family": "b"}]}],
    ),
    ("Patient", "name.all(family.exists())", [{}], [{"name": [{"family": "b"}, {"text": "a"}]}]),
    (
        "Patient",
        "name.where(use = 'usual').empty()",
        [{"name": [{"use": "old"}]}],
        [{"name": [{"use": "usual"}]}],
    ),
    (
        "Patient",
        "name.where(use = 'usual').exists()",
        [{"name": [{"use": "usual"}]}],
        [{}, {"name": [{}]}],
    ),
    ("Patient", "name.exists(use = 'usual')", [{"name": [{"use": "usual"}]}], [{"name": [{}]}]),
    (
        "Patient",
        "name.select(use).isDistinct()",
        [{"name": [{"use": "a"}, {"use": "b"}]}],
        [{"name": [{"use": "a"}, {"use": "a"}]}],
    ),
    (
        "Patient",
        "name.select(use&text).isDistinct()",
        [{"name": [{"use": "a"}, {"text": "b"}]}],
        [{"name": [{}, {}]}],
    ),
    ("Patient", "(name | telecom).exists()", [{"name": [{"text": "a"}]}], [{}]),
    ("Patient", "Patient.gender = 'male'", [{"gender": "male"}], [{"gender": "other"}]),
    ("Patient", "%resource.gender = 'male'", [{"gender": "male"}], [{"gender": "other"}]),
    (
        "Patient",
        "active and gender.exists()",
        [{"active": True, "gender": "x"}],
        [{"active": True}, {}],
    ),
    (
        "Patient",
        "active or gender.exists()",
        [{"gender": "x"}, {"active": True}],
        [{"active": False}, {}],
    ),
    (
        "Patient",
        "active xor gender.exists()",
        [{"active": True}, {"active": False, "gender": "x"}],
        [{"gender": "x"}],
    ),
    (
        "Patient",
        "active implies gender.exists()",
        [{"active": False}, {"gender": "x"}],
        [{"active": True}, {}],
    ),
    (
        "Patient",
        "active.exists() = gender.exists()",
        [{}, {"active": True, "gender": "x"}],
        [{"active": True}],
    ),
    (
        "Condition",
        "code.coding.where(system = 's' and code = 'b').empty()",
        [{"code": CODED}, {}],
        [{"code": {"coding": [{"system": "s", "code": "b"}]}}],
    ),
    ("Condition", "code.coding.code = 'a'", [], [{"code": CODED}]),
    (
        "Range",
        "low <= high",
        [{"low": {"value": 1}, "high": {"value": Decimal("1.5")}}],
        [{"low": {"value": 1, "unit": "g"}, "high": {"value": 2, "unit": "mg"}}],
    ),
    (
        "Period",
        "start <= end",
        [
            {"start": "2020", "end": "2021"},
            {"start": "2020-01-01T00:00:00+02:00", "end": "2020-01-01T00:00:00Z"},
        ],
        [
            {"start": "2020", "end": "2020-01"},
            {"start": "2020-01-01T00:00:00Z", "end": "2020-01-01T00:00:00+02:00"},
        ],
    ),
    ("Timing.repeat", "duration >= 0", [{"duration": 0}], [{"duration": -1}, {}]),
    (
        "RiskAssessment.prediction",
        "(probability as decimal).exists()",
        [{"probabilityDecimal": 1}],
        [{"probabilityRange": {}}],
    ),
    ("ContactPoint", "where(use = 'home').empty()", [{"use": "work"}, {}], [{"use": "home"}]),
    (
        "Reference",
        "reference.substring(1) in %rootResource.contained.id",
        [],
        [{"reference": "#a"}],
    ),
]


@pytest.mark.parametrize(
    ("type_", "text", "told", "untold"), FORMS, ids=[text for _, text, _, _ in FORMS]
)
def test_a_form_is_told_where_it_holds(
    type_: str, text: str, told: Sequence[dict[str, Any]], untold: Sequence[dict[str, Any]]
) -> None:
    names: dict[str, Any] = {}
    python = acquittal(text, type_, elements(), names)
    acquits = tell(python, names) if python is not None else lambda _, __: False
    expression = compile(text, elements())
    for value in told:
        assert acquits(value, value) is True
        assert expression.holds(_element(value, type_)) is True
    for value in untold:
        assert not acquits(value, value)


def _element(value: dict[str, Any], type_: str) -> Any:
    return Element(value, type_)


def test_a_reference_to_what_is_contained_is_told_from_the_resource_around_it() -> None:
    names: dict[str, Any] = {}
    text = "reference.substring(1) in %rootResource.contained.id"
    acquits = tell(acquittal(text, "Reference", elements(), names) or "", names)
    around = {"resourceType": "Patient", "contained": [{"resourceType": "Group", "id": "a"}]}
    assert acquits({"reference": "#a"}, around)
    assert not acquits({"reference": "#b"}, around)


@pytest.mark.parametrize(
    "text",
    [
        "gender = '\\') or any((1,)) or (\\''",
        "gender in ('\\')' | '\"\"\"' | '\\n')",
        "gender.startsWith('\\') or (\\'')",
        "gender.matches('\\') or (\\'')",
        "`gender' in o or 'a`.exists()",
    ],
)
def test_a_literal_stays_a_literal(text: str) -> None:
    names: dict[str, Any] = {}
    python = acquittal(text, "Patient", elements(), names)
    assert python is None or not tell(python, names)({"gender": "male"}, {})


def test_what_is_made_can_call_nothing_but_what_it_was_given() -> None:
    with pytest.raises(NameError):
        tell("open('x')", {})({}, {})


def test_forms_that_are_not_known_are_never_told() -> None:
    for text in ("repeat(item).exists()", "iif(active, true, true)", "name[0].exists()"):
        assert acquittal(text, "Patient", elements(), {}) is None
