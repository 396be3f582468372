"""What a SearchParameter resource defines, and why one is refused."""

from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.definitions.search_parameters import CustomParameter, SearchParameter
from fhir_server.errors import Unprocessable
from fhir_server.search.catalog import Catalog
from fhir_server.search.custom import concrete_types, custom_parameter, status_of
from fhir_server.search.rewriting import Derivation
from fhir_server.search.schemes import PATIENT, scheme_of
from tests.support.custom_parameters import a_parameter

DEFINITIONS = load_definitions()
NAME = "http://hl7.org/fhir/SearchParameter/individual-family"
CODE = "http://hl7.org/fhir/SearchParameter/clinical-code"
QUANTITY = "http://hl7.org/fhir/SearchParameter/Observation-value-quantity"
PAIR = "http://hl7.org/fhir/SearchParameter/Observation-code-value-quantity"


def defined(**elements: Any) -> SearchParameter | None:
    resource = a_parameter("own", "Patient.gender") | elements
    return custom_parameter(resource, DEFINITIONS, DEFINITIONS.parameters_by_url)


def a_part(definition: Any, expression: Any) -> dict[str, Any]:
    return {"definition": definition, "expression": expression}


def composite(*parts: dict[str, Any], base: str = "Observation") -> dict[str, Any]:
    return {"type": "composite", "base": [base], "expression": base, "component": list(parts)}


CODED = a_part(CODE, "code")

REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("no url", {"url": None}, "url", "missing"),
    ("no code", {"code": None}, "code", "missing"),
    ("a code with a dot", {"code": "a.b"}, "code", "cannot be the name"),
    ("a code with a colon", {"code": "a:b"}, "code", "cannot be the name"),
    ("a long code", {"code": "a" * 65}, "code", "cannot be the name"),
    ("a control", {"code": "_count"}, "code", "meaning of its own"),
    ("another of the server's", {"code": "_has"}, "code", "meaning of its own"),
    ("a code of R4", {"code": "name"}, "code", "Patient has it by the specification"),
    ("a code of every type", {"code": "_tag"}, "code", "Patient has it by the specification"),
    ("a url of R4", {"url": NAME}, "url", "names a parameter of the specification"),
    ("no type", {"type": None}, "type", "missing is no type"),
    ("a wrong type", {"type": "text"}, "type", "it is composite, date, number"),
    ("a special", {"type": "special"}, "type", "which a special parameter cannot look at"),
    ("no base", {"base": None}, "base", "needs a list of resource types"),
    ("an empty base", {"base": []}, "base", "needs a list of resource types"),
    ("a base that is no list", {"base": "Patient"}, "base", "needs a list of resource types"),
    ("an unknown base", {"base": ["Patient", "Person2"]}, "base[1]", "'Person2' is not a"),
    ("a datatype", {"base": ["HumanName"]}, "base[0]", "'HumanName' is not a resource type"),
    ("an unknown target", {"target": ["X"]}, "target[0]", "'X' is not a resource type"),
    ("no expression", {"expression": None}, "expression", "missing"),
    ("a blank one", {"expression": "  "}, "expression", "missing"),
    ("a number", {"expression": 1}, "expression", "missing"),
    ("a long one", {"expression": "a" * 10_001}, "expression", "at most 10000"),
    ("no FHIRPath", {"expression": "Patient.name["}, "expression", "at offset 13"),
    ("deep brackets", {"expression": "(" * 500 + "Patient"}, "expression", "within each other"),
    ("a function", {"expression": "Patient.name.count()"}, "expression", "count() has no place"),
    ("a number alone", {"expression": "1"}, "expression", "1 has no place"),
    ("another type's", {"expression": "Group.name"}, "expression", "no element of Patient"),
    ("a wrong element", {"expression": "Patient.nmae"}, "expression", "no element of Patient"),
    (
        "one wrong of several",
        {"expression": "Patient.gender | Patient.nmae"},
        "expression",
        "Patient.nmae leads to no element",
    ),
    ("an unreadable one", {"expression": "Patient.name"}, "type", "its type may be string"),
    ("a resource", {"expression": "Patient", "type": "date"}, "type", "Patient is Patient"),
    ("truth as text", {"expression": "Patient.active = true", "type": "string"}, "type", "token"),
    ("components", {"component": [CODED]}, "component", "Only a composite has components"),
    ("a composite without", composite(), "component", "two components or more"),
    ("a composite of one", composite(CODED), "component", "two components or more"),
    (
        "an unknown part",
        composite(CODED, a_part("http://example.org/none", "value")),
        "component[1].definition",
        "No SearchParameter is known",
    ),
    (
        "a part that is an object",
        composite(a_part({"reference": CODE}, "code"), CODED),
        "component[0].definition",
        "canonical url",
    ),
    (
        "a composite in it",
        composite(CODED, a_part(PAIR, "value")),
        "component[1].definition",
        "is composite",
    ),
    (
        "a part without expression",
        composite(CODED, a_part(QUANTITY, None)),
        "component[1].expression",
        "missing",
    ),
    (
        "a part that leads nowhere",
        composite(CODED, a_part(QUANTITY, "vlaue")),
        "component[1].expression",
        "vlaue leads to no element of Observation",
    ),
    (
        "a part of another kind",
        composite(CODED, a_part(QUANTITY, "issued")),
        "component[1].definition",
        "its type may be date",
    ),
    ("a part that is none", composite(CODED, a_part(CODE, "a[")), "component", "at offset 2"),
    (
        "parts in the wrong order",
        composite(a_part(QUANTITY, "value as Quantity"), CODED),
        "component",
        "comes first",
    ),
]


@pytest.mark.parametrize(
    ("elements", "place", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_cannot_be_indexed_is_refused_with_its_place(
    elements: dict[str, Any], place: str, words: str
) -> None:
    with pytest.raises(Unprocessable) as refused:
        defined(**elements)

    assert refused.value.expression == (f"SearchParameter.{place}",)
    assert words in refused.value.message


ACCEPTED: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({}, ("Patient",)),
    ({"expression": "gender"}, ("Patient",)),
    ({"base": ["Patient", "Person"]}, ("Patient",)),
    ({"base": ["Resource"], "expression": "Resource.language"}, ("Resource",)),
    ({"base": ["DomainResource"], "expression": "text.status"}, ("DomainResource",)),
    ({"expression": "Patient.deceased.exists()"}, ("Patient",)),
    ({"expression": "Patient.extension('http://e').value as Coding"}, ("Patient",)),
    (composite(CODED, a_part(f"{QUANTITY}|4.0.1", "value as Quantity")), ("Observation",)),
]


@pytest.mark.parametrize(("elements", "base"), ACCEPTED)
def test_what_can_be_indexed_is_defined_for_the_types_it_finds_something_in(
    elements: dict[str, Any], base: tuple[str, ...]
) -> None:
    parameter = defined(**elements)
    assert parameter is not None
    assert parameter.base == base


def test_every_published_parameter_may_be_stored_and_defines_nothing_new() -> None:
    for url in DEFINITIONS.parameters_by_url:
        resource = DEFINITIONS.by_canonical(url)
        assert resource is not None
        assert custom_parameter(resource, DEFINITIONS, DEFINITIONS.parameters_by_url) is None, url


@pytest.mark.parametrize("status", [None, "", "on", 1])
def test_a_status_is_one_of_four(status: Any) -> None:
    with pytest.raises(Unprocessable, match="draft, active, retired or unknown"):
        status_of({"status": status})


def a_custom(code: str, expression: str, incarnation: str = "1", **facts: Any) -> CustomParameter:
    whole = {"type": "token", "base": ("Patient",)} | facts
    return CustomParameter(
        f"http://example.org/{code}", code, expression=expression, incarnation=incarnation, **whole
    )


def test_published_parameters_never_come_to_lean_on_custom_ones() -> None:
    """However small or early in the alphabet: a custom one may go again."""
    customs = [
        a_custom("a-gender", "Patient.gender"),
        a_custom("aa", "Patient.telecom"),
        a_custom("code", "Observation.bodySite", base=("Observation", "Provenance")),
        a_custom("date", "Basic.created", type="date", base=("Basic",)),
        a_custom("code", "Person.gender", base=("Person",)),
    ]
    published, extended = Catalog(DEFINITIONS), Catalog(DEFINITIONS.with_custom(customs))
    for type_ in ("Patient", "Observation", "Basic", "Person"):
        before, after = published.of(type_), extended.of(type_)
        assert {c: after.derived.get(c) for c in before.compiled} == {
            c: before.derived.get(c) for c in before.compiled
        }
        patients = DEFINITIONS.compartment(PATIENT)
        schemes = [scheme_of(each, patients) for each in (before, after)]
        assert schemes[0].codes == schemes[1].codes
        assert schemes[0].main_date == schemes[1].main_date
        assert schemes[0].members == schemes[1].members
    assert extended.of("Patient").derived["a-gender"] == Derivation(("gender",))
    assert extended.of("Observation").definitions["code"].url == CODE


def test_terms_of_another_incarnation_are_others() -> None:
    marks = {
        Catalog(DEFINITIONS.with_custom([a_custom("own", "Patient.photo.title", incarnation)]))
        .of("Patient")
        .marked("own")
        for incarnation in ("1", "2")
    }
    assert len(marks) == 2
    assert Catalog(DEFINITIONS).of("Patient").marked("name") not in marks


def test_a_catalog_made_from_that_of_the_published_is_the_same() -> None:
    customs = [a_custom("own", "Patient.photo.title")]
    definitions = DEFINITIONS.with_custom(customs)
    published = Catalog(DEFINITIONS)
    quick, slow = Catalog(definitions, published), Catalog(definitions)
    assert quick.of("Patient") == slow.of("Patient")
    assert quick.of("Observation") is published.of("Observation")


def test_the_types_of_a_general_base_are_all_that_are_derived_from_it() -> None:
    everywhere = a_custom("own", "Resource.language", base=("Resource",))
    domain = a_custom("own", "DomainResource.language", base=("DomainResource",))
    assert set(concrete_types(everywhere, DEFINITIONS)) == DEFINITIONS.resource_types
    assert "Bundle" not in concrete_types(domain, DEFINITIONS)
