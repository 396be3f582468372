"""Expressions of parameters that people write themselves, and those that are refused."""

from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.definitions.search_parameters import SearchParameter
from fhir_server.fhirpath.errors import FhirPathSyntaxError
from fhir_server.search.compiling import NotCompiled, compile_parameter
from fhir_server.search.conditions import decider, reacher
from fhir_server.search.paths import Found, Member, Nth, Path, Truth

ELEMENTS = load_definitions().elements
URL = "http://example.org/x"


def compiled(type_: str, expression: str) -> tuple[Found, ...]:
    parameter = SearchParameter("http://example.org/p", "p", "token", (type_,), expression)
    return compile_parameter(parameter, type_, ELEMENTS)


def found(type_: str, expression: str, **members: Any) -> list[Any]:
    """What a parameter with this expression finds in a resource of these members."""
    resource = {"resourceType": type_, **members}
    values: list[Any] = []
    for each in compiled(type_, expression):
        match each:
            case Path():
                values += reacher((each,))(resource)
            case Truth(condition):
                values.append(decider(condition)(resource))
            case _:
                raise AssertionError(each)
    return values


NAMES = {"name": [{"use": "usual", "given": ["A", "B"]}, {"use": "old", "given": ["C"]}]}
EXTENDED = {
    "extension": [
        {"url": URL, "valueCode": "a"},
        {"url": URL, "valueCoding": {"code": "b"}},
        {"url": "http://example.org/y", "valueCode": "c"},
        {"url": URL, "extension": [{"url": "inner", "valueString": "d"}]},
    ],
    "birthDate": "2020",
    "_birthDate": {"extension": [{"url": URL, "valueDateTime": "2020-01-01"}]},
}
REFERENCES = {
    "subject": {"reference": "https://e.org/fhir/Patient/1"},
    "performer": [{"reference": "Patient/2"}, {"reference": "Group/3"}, {"display": "?"}],
}
BUNDLED = {
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "1"}},
        {"resource": {"resourceType": "Group", "id": "2"}},
    ]
}
FINDS: list[tuple[str, str, dict[str, Any], list[Any]]] = [
    ("Patient", "Patient.name.given", NAMES, ["A", "B", "C"]),
    ("Patient", "name.given", NAMES, ["A", "B", "C"]),
    ("Patient", "Person.name.given", NAMES, []),
    ("Patient", "Person.name | Patient.active", {"active": True}, [True]),
    ("Patient", "Patient.name.where(use = 'old').given", NAMES, ["C"]),
    ("Patient", "Patient.name.where('old' = use).given", NAMES, ["C"]),
    ("Patient", "Patient.name.where(use != 'old').given", NAMES, ["A", "B"]),
    ("Patient", "Patient.name.where(given = 'C').use", NAMES, ["old"]),
    ("Patient", "Patient.name.where(given != 'C').use", NAMES, ["usual"]),
    ("Patient", "Patient.name.where(family != 'C').use", NAMES, []),
    ("Patient", "Patient.name.where(use='old' or use='usual').given", NAMES, ["A", "B", "C"]),
    ("Patient", "Patient.name.where(use='old' and given.exists()).given", NAMES, ["C"]),
    ("Patient", "Patient.name.where(family.exists()).given", NAMES, []),
    ("Patient", "Patient.name.where(given.where($this = 'B').exists()).use", NAMES, ["usual"]),
    ("Patient", "Patient.name.where(given.exists($this = 'B')).use", NAMES, ["usual"]),
    ("Patient", "(Patient.name | Patient.contact.name).where(use='old').given", NAMES, ["C"]),
    ("Patient", "Patient.name[1].given", NAMES, ["C"]),
    ("Patient", "Patient.name.first().given", NAMES, ["A", "B"]),
    ("Patient", "Patient.name[7].given", NAMES, []),
    ("Patient", "Patient.name.exists()", NAMES, [True]),
    ("Patient", "Patient.name.exists()", {}, [False]),
    ("Patient", "Patient.active = true", {"active": True}, [True]),
    ("Patient", "Patient.active = true", {}, [None]),
    ("Patient", "Patient.active = true", {"active": "true"}, [False]),
    ("Patient", "Patient.multipleBirth = 1", {"multipleBirthInteger": 1}, [True]),
    ("Patient", "Patient.multipleBirth = 1", {"multipleBirthBoolean": True}, [False]),
    ("Patient", "Patient.multipleBirth is boolean", {"multipleBirthBoolean": False}, [True]),
    ("Patient", "Patient.active = true or Patient.name.exists()", {}, [None]),
    ("Patient", "Patient.active = true and Patient.name.exists()", {}, [False]),
    ("Patient", "Person.active = true", {"active": True}, []),
    ("Patient", f"Patient.extension('{URL}')", EXTENDED, ["a", {"code": "b"}]),
    ("Patient", f"Patient.extension.where(url = '{URL}').value", EXTENDED, ["a", {"code": "b"}]),
    ("Patient", f"Patient.extension('{URL}').value.as(code)", EXTENDED, ["a"]),
    ("Patient", f"(Patient.extension('{URL}').value as Coding).code", EXTENDED, ["b"]),
    ("Patient", f"Patient.extension('{URL}').extension('inner').value", EXTENDED, ["d"]),
    ("Patient", f"Patient.birthDate.extension('{URL}').value", EXTENDED, ["2020-01-01"]),
    ("Patient", f"Patient.where(hasExtension('{URL}')).birthDate", EXTENDED, ["2020"]),
    ("Observation", "Observation.subject.where(resolve() is Patient).reference", REFERENCES,
     ["https://e.org/fhir/Patient/1"]),
    ("Observation", "Observation.performer.where(resolve() is Patient)", REFERENCES,
     [{"reference": "Patient/2"}]),
    ("Observation", "Observation.performer.where($this.resolve() is FHIR.Group)", REFERENCES,
     [{"reference": "Group/3"}]),
    ("Observation", "Observation.value.ofType(Quantity).unit",
     {"valueQuantity": {"unit": "u"}}, ["u"]),
    ("Observation", "Observation.value.as(DateTime)", {"valueDateTime": "2020"}, ["2020"]),
    ("Observation", "Observation.value as Age", {"valueQuantity": {}}, []),
    ("Condition", "Condition.onset as Quantity", {"onsetAge": {"value": 1}}, [{"value": 1}]),
    ("Bundle", "Bundle.entry.resource.ofType(Patient).id", BUNDLED, ["1"]),
    ("Bundle", "Bundle.entry.resource.as(Group)", BUNDLED, [{"resourceType": "Group", "id": "2"}]),
    ("Bundle", "Bundle.entry[1].resource.id", BUNDLED, ["2"]),
    ("Patient", "%resource.name.given", NAMES, ["A", "B", "C"]),
    ("Patient", "Resource.id", {"id": "1"}, ["1"]),
    ("Patient", "DomainResource.name.given", NAMES, ["A", "B", "C"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "expression", "members", "expected"), FINDS, ids=[case[1] for case in FINDS]
)
def test_an_expression_finds_what_fhirpath_says(
    type_: str, expression: str, members: dict[str, Any], expected: list[Any]
) -> None:
    assert found(type_, expression, **members) == expected


REFUSED = [
    ("Patient.name.given.substring(0, 1)", "substring() has no place in a search expression"),
    ("Patient.name.given & 'x'", "has no place in a search expression"),
    ("Patient.name.count() > 1", "has no place in a search expression"),
    ("Patient.name.where(use = given)", "is not compared with a text, a number or a truth value"),
    ("Patient.name as Nonsense", "Nonsense is no type"),
    ("Patient.name.as(1)", "1 is no type"),
    ("Patient.name.as(HumanName, string)", "as() and ofType() take one type"),
    ("Patient.contact.telecom[0]", "a place behind contact, which repeats, is not its own"),
    ("Patient.name.where(use='old')[0]", "only an element can be taken by its place"),
    ("Patient[0]", "only an element can be taken by its place"),
    (
        "Patient.maritalStatus.where(text='a').coding[0]",
        "a place behind a filter depends on the resource",
    ),
    ("Patient.extension(1)", "extension() takes the url of the extension as a text"),
    ("Patient.name.where(1)", "has no place in a search expression"),
    ("'text'", "has no place in a search expression"),
]


@pytest.mark.parametrize(("expression", "reason"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_cannot_be_searched_is_refused_with_its_reason(expression: str, reason: str) -> None:
    with pytest.raises(NotCompiled) as caught:
        compiled("Patient", expression)
    assert reason in str(caught.value)


def test_what_is_no_expression_is_refused_as_such() -> None:
    with pytest.raises(FhirPathSyntaxError):
        compiled("Patient", "Patient.name.")


def test_a_path_knows_the_type_the_system_and_the_targets_at_its_end() -> None:
    (gender,) = compiled("Patient", "Patient.gender")
    assert gender == Path((Member("gender"),), "code", "http://hl7.org/fhir/administrative-gender")
    (patient,) = compiled("AllergyIntolerance", "AllergyIntolerance.patient")
    assert patient == Path((Member("patient"),), "Reference", None, ("Patient",))


def test_equal_alternatives_are_one_path() -> None:
    assert compiled("Patient", "Patient.name[0] | name.first() | Patient.name[0]") == (
        Path((Member("name"), Nth(0)), "HumanName"),
    )
