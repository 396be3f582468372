"""What FHIR adds: https://hl7.org/fhir/R4/fhirpath.html#functions."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from fhir_server.fhirpath import Element, Environment
from fhir_server.fhirpath.errors import FhirPathEvaluationError
from tests.support.fhirpath import OBSERVATION, PATIENT, evaluate

DIV = "<div xmlns='http://www.w3.org/1999/xhtml'>{}</div>"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("birthDate.extension('http://x/time').value", ["1974-12-25T14:35Z"]),
        ("birthDate.extension('http://x/other')", []),
        ("birthDate.extension({})", []),
        ("name.extension('http://x/time')", []),
        ("birthDate.hasValue()", [True]),
        ("name.given[4].hasValue()", [False]),
        ("name.given.hasValue()", [False]),
        ("name[0].hasValue()", [False]),
        ("{}.hasValue()", [False]),
        ("birthDate.getValue() is System.Date", [True]),
        ("name.given.getValue()", []),
        ("name.given[4].getValue()", []),
        ("managingOrganization.resolve().name", ["Acme"]),
        ("'#o1'.resolve() is Organization", [True]),
        ("'#'.resolve().id", ["p1"]),
        ("'#o2'.resolve()", []),
        ("generalPractitioner.resolve()", []),
        ("name.checkModifiers('http://x').count()", [3]),
        ("gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')", []),
        ("conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')", []),
        ("%ucum", ["http://unitsofmeasure.org"]),
        ("%sct", ["http://snomed.info/sct"]),
        ("%loinc", ["http://loinc.org"]),
        ("%`vs-administrative-gender`", ["http://hl7.org/fhir/ValueSet/administrative-gender"]),
        ("%'ext-patient-birthTime'", ["http://hl7.org/fhir/StructureDefinition/patient-birthTime"]),
        ("contained.select(%resource.id)", ["p1"]),
        ("name.select(%context.id).first()", ["p1"]),
        ("%rootResource.id", ["p1"]),
    ],
)
def test_additions_of_fhir(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


def test_choice_elements_are_found_by_their_name_alone() -> None:
    assert evaluate("value.unit", OBSERVATION) == ["lbs"]
    assert evaluate("valueQuantity", OBSERVATION) == []
    assert evaluate("value = 185 '[lb_av]' and effective < @2024-03", OBSERVATION) == [True]
    assert evaluate("effective.toString()", OBSERVATION) == ["2024-02-29T10:00:00+01:00"]


def test_time_units_of_a_quantity_are_words_of_the_calendar() -> None:
    ucum = {"system": "http://unitsofmeasure.org", "code": "a", "value": 3}
    observation = {**OBSERVATION, "valueQuantity": ucum}
    assert evaluate("value = 3 years", observation) == [True]
    assert evaluate("@2020 + value", observation) == ["2023"]


def test_a_quantity_without_ucum_compares_with_its_like() -> None:
    def with_range(**low: Any) -> dict[str, Any]:
        return {**OBSERVATION, "referenceRange": [{"low": low, "high": {"value": 9, "unit": "x"}}]}

    compared = "referenceRange.all(low <= high)"
    assert evaluate(compared, with_range(value=3, unit="x")) == [True]
    assert evaluate("referenceRange.select(low <= high)", with_range(value=3, unit="y")) == []
    assert evaluate("referenceRange.select(low <= high)", with_range(unit="x")) == []


def test_references_are_resolved_by_who_can() -> None:
    asked = []

    def resolve(text: str) -> dict[str, Any] | None:
        asked.append(text)
        return {"resourceType": "Practitioner", "id": "7"}

    found = evaluate("generalPractitioner.resolve().id", environment=Environment(resolve=resolve))
    assert (found, asked) == (["7"], ["Practitioner/7"])


@dataclass(frozen=True)
class _Terminology:
    asked: list[Any] = field(default_factory=list)

    def member_of(self, value: Any, type_: str, value_set: str) -> bool | None:
        self.asked.append((value, type_, value_set))
        return bool(value == "male")

    def subsumes(self, general: Any, special: Any) -> bool | None:
        self.asked.append((general, special))
        return bool(general["code"] < special["code"])


def test_terminology_is_asked_when_it_is_given() -> None:
    terminology = _Terminology()
    environment = Environment(terminology=terminology)
    assert evaluate("gender.memberOf('http://vs')", environment=environment) == [True]
    assert evaluate("'female'.memberOf('http://vs')", environment=environment) == [False]
    assert terminology.asked == [("male", "code", "http://vs"), ("female", "code", "http://vs")]
    coded = {"resourceType": "Basic", "code": {"coding": [{"code": "a"}, {"code": "b"}]}}
    expression = "code.coding[0].{}(%context.code.coding[1])"
    assert evaluate(expression.format("subsumes"), coded, environment) == [True]
    assert evaluate(expression.format("subsumedBy"), coded, environment) == [False]


def test_profiles_are_judged_by_who_can() -> None:
    def conforms(element: Element, profile: str) -> bool | None:
        return {"http://a": element.type == "Patient", "http://b": False}.get(profile)

    environment = Environment(conforms=conforms)
    assert evaluate("conformsTo('http://a')", environment=environment) == [True]
    assert evaluate("conformsTo('http://b')", environment=environment) == [False]
    with pytest.raises(FhirPathEvaluationError):
        evaluate("conformsTo('http://c')", environment=environment)


def test_variables_are_those_given() -> None:
    environment = Environment(variables={"us-zip": ["[0-9]{5}"], "none": []})
    assert evaluate("'12345'.matches(%`us-zip`)", environment=environment) == [True]
    assert evaluate("%none", environment=environment) == []
    with pytest.raises(FhirPathEvaluationError):
        evaluate("%other", environment=environment)


def test_narrative_is_checked_for_what_html_may_be() -> None:
    for text, expected in ((DIV.format("a<b>c</b>"), True), (DIV.format("<script/>"), False)):
        patient = {**PATIENT, "text": {"status": "generated", "div": text}}
        assert evaluate("text.`div`.htmlChecks()", patient) == [expected]
    assert evaluate("text.`div`.htmlChecks()") == []


def test_an_unknown_modifier_is_an_error() -> None:
    patient = {**PATIENT, "modifierExtension": [{"url": "http://not"}]}
    assert evaluate("checkModifiers('http://not').id", patient) == ["p1"]
    with pytest.raises(FhirPathEvaluationError):
        evaluate("checkModifiers('http://x', 'http://y').id", patient)
