"""Types: http://hl7.org/fhirpath/N1/#types-and-reflection."""

from typing import Any

import pytest

from fhir_server.fhirpath.errors import FhirPathEvaluationError, FhirPathSemanticError
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 is Integer", [True]),
        ("1 is System.Integer", [True]),
        ("1 is Decimal", [False]),
        ("{} is Integer", []),
        ("active is boolean", [True]),
        ("active is Boolean", [False]),
        ("active is FHIR.boolean", [True]),
        ("active is System.Boolean", [False]),
        ("gender is code", [True]),
        ("gender is string", [True]),
        ("gender is id", [False]),
        ("birthDate is date", [True]),
        ("Patient is DomainResource", [True]),
        ("$this is Resource", [True]),
        ("contained is Organization", [True]),
        ("contained is Patient", [False]),
        ("1 'mg' is Quantity", [True]),
        ("1 is System.Any", [True]),
        ("@2012 is Date", [True]),
        ("multipleBirth is integer", [True]),
        ("multipleBirth is boolean", [False]),
        ("deceased is boolean", [True]),
        ("name[0].is(HumanName)", [True]),
        ("name[0] is Element", [True]),
        ("gender as code", ["male"]),
        ("gender as string", []),
        ("(contained as Organization).name", ["Acme"]),
        ("contained as Patient", []),
        ("1 as Integer", [1]),
        ("{} as Integer", []),
        ("multipleBirth.ofType(integer)", [2]),
        ("name.as(HumanName).family", ["Chalmers", "Windsor"]),
        ("name.ofType(FHIR.HumanName).count()", [3]),
        ("1.type().name", ["Integer"]),
        ("1.type().namespace", ["System"]),
        ("active.type().name", ["boolean"]),
        ("Patient.type().namespace", ["FHIR"]),
        ("1 'mg'.type().name", ["Quantity"]),
        ("contained.type().name", ["Organization"]),
        ("{}.type()", []),
        ("Patient.gender", ["male"]),
        ("Observation.code", []),
        ("DomainResource.gender", ["male"]),
    ],
)
def test_an_item_is_of_its_type_and_of_those_above(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    "expression", ["1 is Nothing", "name.ofType(string1)", "1 as FHIR.Integer", "1.is(2)"]
)
def test_a_type_that_is_none_is_told_when_it_is_compiled(expression: str) -> None:
    with pytest.raises(FhirPathSemanticError):
        evaluate(expression, {"resourceType": "Basic"})


@pytest.mark.parametrize("expression", ["name is HumanName", "name as HumanName"])
def test_an_operator_on_types_takes_one_item(expression: str) -> None:
    with pytest.raises(FhirPathEvaluationError):
        evaluate(expression)


def test_backbones_are_told_by_their_base() -> None:
    patient = {"resourceType": "Patient", "contact": [{"gender": "male"}]}
    assert evaluate("contact.type().name", patient) == ["BackboneElement"]
    assert evaluate("contact is BackboneElement", patient) == [True]
