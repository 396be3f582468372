"""What validation says of single resources, word for word."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.outcome import Issue
from fhir_server.validation.validator import Validator

_PATIENT = {"resourceType": "Patient"}
_OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "weight"}}
_ABSENT = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unknown",
        }
    ]
}

RIGHT: dict[str, dict[str, Any]] = {
    "nothing but a type": _PATIENT,
    "an extension instead of a value": {**_PATIENT, "_birthDate": _ABSENT},
    "an extension beside a value": {**_PATIENT, "birthDate": "2020", "_birthDate": _ABSENT},
    "an id beside a value": {**_PATIENT, "birthDate": "2020", "_birthDate": {"id": "a"}},
    "an extension instead of a required value": {
        "resourceType": "Observation",
        "_status": _ABSENT,
        "code": {"text": "x"},
    },
    "an extension instead of a choice": {**_OBSERVATION, "_valueString": _ABSENT},
    "extensions for some of several values": {
        **_PATIENT,
        "name": [{"given": ["Ann", None, "Eve"], "_given": [None, _ABSENT, {"id": "e"}]}],
    },
    "extensions and no value at all": {**_PATIENT, "name": [{"_given": [_ABSENT]}]},
    "an extension with id, value and what is beside it": {
        **_PATIENT,
        "extension": [
            {"id": "a", "url": "http://x.org", "valueString": "x", "_valueString": {"id": "b"}}
        ],
    },
    "an extension with extensions": {
        **_PATIENT,
        "extension": [
            {"url": "http://x.org", "extension": [{"url": "a", "valueInteger": 1}]},
        ],
    },
    "an extension whose value has but an extension": {
        **_PATIENT,
        "extension": [{"url": "http://x.org", "_valueString": _ABSENT}],
    },
    "a whole number where a decimal may be": {**_OBSERVATION, "valueQuantity": {"value": 1}},
    "a decimal with a large exponent": {
        **_OBSERVATION,
        "valueQuantity": {"value": Decimal("1E-400")},
    },
    "a media type, of which there is no list": {
        "resourceType": "Binary",
        "contentType": "application/x-unheard-of",
    },
    "a bundle": {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"resource": _PATIENT, "request": {"method": "POST", "url": "Patient"}},
            {"request": {"method": "GET", "url": "Patient/1"}},
        ],
    },
    "parameters inside parameters": {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "a", "part": [{"name": "b", "resource": _PATIENT}]},
            {"name": "c", "valueMoney": {"value": Decimal("1.50")}},
        ],
    },
}

WRONG: dict[str, tuple[Any, tuple[str, str, str, str]]] = {
    "no object": (
        ["Patient"],
        ("object-expected", "structure", "",
         "A resource is an object, with members such as resourceType."),
    ),
    "no type": (
        {"id": "a"},
        ("missing-resource-type", "required", "resourceType",
         "A resource must say its type in resourceType."),
    ),
    "an abstract type": (
        {"resourceType": "DomainResource"},
        ("unknown-resource-type", "structure", "resourceType",
         "resourceType must be the name of a resource type of FHIR R4, such as Patient."),
    ),
    "a misspelt element": (
        {**_PATIENT, "birthdate": "2020"},
        ("unknown-element", "structure", "Patient.birthdate",
         "Patient has no element 'birthdate'; did you mean birthDate?"),
    ),
    "an element of no likeness": (
        {**_PATIENT, "name": [{"qqq": 1}]},
        ("unknown-element", "structure", "Patient.name[0].qqq",
         "HumanName has no element 'qqq'; leave it out, or say it in an extension."),
    ),
    "an element with a name that is no name": (
        {**_PATIENT, "a-b": 1},
        ("unknown-element", "structure", "Patient",
         "Patient has no element 'a-b'; leave it out, or say it in an extension."),
    ),
    "a choice without its type": (
        {**_PATIENT, "deceased": True},
        ("unknown-element", "structure", "Patient.deceased",
         ("Patient has no element 'deceased'; its type belongs to the name: "
         "deceasedBoolean, deceasedDateTime.")),
    ),
    "an extension beside an id": (
        {**_PATIENT, "id": "a", "_id": _ABSENT},
        ("unknown-element", "structure", "Patient._id",
         "Patient has no element '_id'; id has no extensions beside it."),
    ),
    "a type of its own inside": (
        {**_PATIENT, "name": [{"resourceType": "HumanName", "text": "x"}]},
        ("unknown-element", "structure", "Patient.name[0].resourceType",
         "HumanName has no element 'resourceType'; leave it out, or say it in an extension."),
    ),
    "no status": (
        {"resourceType": "Observation", "code": {"text": "x"}},
        ("missing-element", "required", "Observation.status", "Observation must have status."),
    ),
    "no type of a required choice": (
        {"resourceType": "Group", "type": "person", "actual": True,
         "characteristic": [{"code": {"text": "x"}, "exclude": False}]},
        ("missing-element", "required", "Group.characteristic[0].value",
         ("Group.characteristic must have value as one of valueCodeableConcept, valueBoolean, "
         "valueQuantity, valueRange, valueReference.")),
    ),
    "two types of a choice": (
        {**_PATIENT, "deceasedBoolean": True, "deceasedDateTime": "2020"},
        ("several-types", "structure", "Patient.deceased",
         ("deceased[x] has one type at a time; leave one of deceasedBoolean and deceasedDateTime "
         "out.")),
    ),
    "two types of a choice, one by its extension": (
        {**_PATIENT, "deceasedBoolean": True, "_deceasedDateTime": _ABSENT},
        ("several-types", "structure", "Patient.deceased",
         ("deceased[x] has one type at a time; leave one of deceasedBoolean and deceasedDateTime "
         "out.")),
    ),
    "a single name": (
        {**_PATIENT, "name": {"family": "x"}},
        ("array-expected", "structure", "Patient.name",
         "name may repeat, so it is an array, even for a single value."),
    ),
    "several genders": (
        {**_PATIENT, "gender": ["male"]},
        ("array-unexpected", "structure", "Patient.gender",
         "gender does not repeat, so it is no array."),
    ),
    "a name as a text": (
        {**_PATIENT, "name": ["Ann"]},
        ("object-expected", "structure", "Patient.name[0]",
         "name is an object, with members such as use, text, family, given, prefix."),
    ),
    "an empty array": (
        {**_PATIENT, "name": []},
        ("empty-array", "structure", "Patient.name",
         "An array is never empty; give name a value or leave it out."),
    ),
    "an empty object": (
        {**_PATIENT, "maritalStatus": {}},
        ("empty-object", "structure", "Patient.maritalStatus",
         "An object is never empty; give maritalStatus members or leave it out."),
    ),
    "null": (
        {**_PATIENT, "birthDate": None},
        ("null-unexpected", "structure", "Patient.birthDate",
         ("null stands for nothing here; leave it out. It only fills a place in an array of "
         "primitive values of which the array of extensions has something at the same place, or "
         "the other way.")),
    ),
    "arrays of unequal length": (
        {**_PATIENT, "name": [{"given": ["Ann"], "_given": [None, _ABSENT]}]},
        ("unequal-arrays", "structure", "Patient.name[0].given",
         "given and _given must be of one length; null fills a place that has nothing."),
    ),
    "nothing but an id": (
        {**_PATIENT, "maritalStatus": {"id": "a"}},
        ("only-an-id", "invariant", "Patient.maritalStatus",
         "maritalStatus must have more than an id (ele-1); leave it out."),
    ),
    "an id beside no value": (
        {**_PATIENT, "_birthDate": {"id": "a"}},
        ("only-an-id", "invariant", "Patient.birthDate",
         "_birthDate must have more than an id (ele-1); leave it out."),
    ),
    "an extension of nothing": (
        {**_PATIENT, "extension": [{"url": "http://x.org"}]},
        ("value-or-extensions", "invariant", "Patient.extension[0]",
         "An extension has either a value[x] or extensions inside, and not both (ext-1)."),
    ),
    "a day that does not exist": (
        {**_PATIENT, "birthDate": "2023-02-29"},
        ("wrong-form", "value", "Patient.birthDate",
         "birthDate must be a date that the calendar has: YYYY, YYYY-MM or YYYY-MM-DD."),
    ),
    "a decimal for a whole number": (
        {**_PATIENT, "multipleBirthInteger": Decimal("1.0")},
        ("wrong-form", "value", "Patient.multipleBirth",
         ("multipleBirthInteger must be a whole number from -2147483648 to 2147483647, without "
         "quotes and decimal point.")),
    ),
    "a number in quotes": (
        {**_OBSERVATION, "valueQuantity": {"value": "1.5"}},
        ("wrong-form", "value", "Observation.value.value",
         "value must be a number, without quotes."),
    ),
    "a code of another list": (
        {**_PATIENT, "gender": "M"},
        ("not-in-value-set", "code-invalid", "Patient.gender",
         ("gender must be a code of http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1: "
         "female, male, other, unknown.")),
    ),
    "an issue in what is contained": (
        {**_PATIENT, "contained": [{"resourceType": "Organization", "active": "yes"}]},
        ("wrong-form", "value", "Patient.contained[0].active",
         "active must be true or false, without quotes."),
    ),
    "an issue in an outcome inside a bundle": (
        {"resourceType": "Bundle", "type": "batch-response",
         "entry": [{"response": {"status": "400", "outcome": {"resourceType": "OperationOutcome",
                    "issue": [{"severity": "error", "code": "unheard"}]}}}]},
        ("not-in-value-set", "code-invalid", "Bundle.entry[0].response.outcome.issue[0].code",
         ("code must be a code of http://hl7.org/fhir/ValueSet/issue-type|4.0.1: "
         "business-rule, code-invalid, conflict, deleted, duplicate, exception, expired, "
         "extension, forbidden, incomplete, informational, invalid, invariant, lock-error, "
         "login, multiple-matches, no-store, not-found, not-supported, processing and 11 more.")),
    ),
    "an issue in an entry's contained resource": (
        {"resourceType": "Bundle", "type": "collection",
         "entry": [{"resource": _PATIENT},
                   {"resource": {**_PATIENT, "contained": [{**_PATIENT, "active": 1}]}}]},
        ("wrong-form", "value", "Bundle.entry[1].resource.contained[0].active",
         "active must be true or false, without quotes."),
    ),
}  # fmt: skip


@pytest.mark.parametrize("resource", RIGHT.values(), ids=RIGHT)
def test_what_is_right_has_no_issue(resource: dict[str, Any], validator: Validator) -> None:
    assert validator.issues(resource) == []


@pytest.mark.parametrize(("resource", "told"), WRONG.values(), ids=WRONG)
def test_an_issue_names_the_place_and_what_would_be_right(
    resource: Any, told: tuple[str, str, str, str], validator: Validator
) -> None:
    id_, code, place, words = told
    expected = Issue("error", code, words, (place,) if place else (), id_)
    assert not validator.accepts(resource)
    assert validator.issues(resource) == [expected]


def test_every_issue_is_told_in_the_order_of_the_elements(validator: Validator) -> None:
    resource = {
        **_PATIENT,
        "contact": [{"gender": "M"}],
        "birthDate": "today",
        "unheardOf": 1,
        "name": [{"given": ["Ann", 1]}],
    }
    assert [each.expression for each in validator.issues(resource)] == [
        ("Patient.unheardOf",),
        ("Patient.name[0].given[1]",),
        ("Patient.birthDate",),
        ("Patient.contact[0].gender",),
    ]


def test_very_many_issues_are_cut_short(validator: Validator) -> None:
    issues = validator.issues({**_PATIENT, "name": [{}] * 1000})
    assert len(issues) == 101
    assert issues[-1] == Issue(
        "information",
        "incomplete",
        "There is more to tell; mend what the 100 issues before are about.",
        (),
        "and-more",
    )


def test_no_issue_repeats_what_a_resource_holds(validator: Validator) -> None:
    secret = "Mrs Secret"
    resource = {**_PATIENT, "name": [{"family": [secret]}], "gender": secret, "birthDate": secret}
    assert secret not in repr(validator.issues(resource))


def test_a_long_name_is_cut_short(validator: Validator) -> None:
    (issue,) = validator.issues({**_PATIENT, "x" * 1000: 1})
    assert len(issue.diagnostics) < 200
    assert issue.expression == ("Patient",)


def test_a_resource_as_deep_as_may_be_is_judged(validator: Validator) -> None:
    """The parser takes 64 levels; both passes go down them all."""
    resource: dict[str, Any] = {"url": "http://x.org", "valueString": "x"}
    for _ in range(30):
        resource = {"url": "http://x.org", "extension": [resource]}
    assert validator.issues({**_PATIENT, "extension": [resource]}) == []
    contained: dict[str, Any] = {**_PATIENT, "active": "yes"}
    for _ in range(31):
        contained = {**_PATIENT, "contained": [contained]}
    (issue,) = validator.issues(contained)
    assert issue.expression == ("Patient" + ".contained[0]" * 31 + ".active",)


def test_past_many_types_all_are_compiled_as_one(definitions: Definitions) -> None:
    validator = Validator(definitions)
    for type_ in sorted(definitions.resource_types):
        assert not validator.accepts({"resourceType": type_, "unheardOf": 1})
    compiled = validator._compiled  # noqa: SLF001 -- how many there are is what is asked
    assert set(compiled) == definitions.resource_types
    assert len({is_valid for is_valid, _ in compiled.values()}) == 1
    assert validator.accepts(_PATIENT)
