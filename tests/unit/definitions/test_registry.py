"""The definitions of R4 as the server sees them, and the notes of those who collected them."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.definitions.registry import Definitions
from tests.unit.definitions.conftest import Published

_HL7 = "http://hl7.org/fhir"
_TOO_COSTLY = f"{_HL7}/StructureDefinition/valueset-toocostly"


def test_there_are_146_concrete_resource_types(definitions: Definitions) -> None:
    assert len(definitions.resource_types) == 146
    assert {"Patient", "Bundle", "Binary", "Parameters"} <= definitions.resource_types
    assert not definitions.resource_types & {"Resource", "DomainResource", "Element", "HumanName"}


@pytest.mark.parametrize(
    ("resource_type", "count"),
    [
        ("StructureDefinition", 148 + 61 + 48 + 396 + 5),
        ("SearchParameter", 1400 - 3),
        ("OperationDefinition", 46),
        ("CompartmentDefinition", 5),
        ("CapabilityStatement", 0),
        ("NamingSystem", 0),
        ("StructureMap", 1),
        ("CodeSystem", 495 + 424 + 143 - 4),
        ("ValueSet", 672 + 428 + 216 + 1),
        ("ConceptMap", 80),
    ],
)
def test_all_real_definitions_are_there(
    definitions: Definitions, resource_type: str, count: int
) -> None:
    assert len(definitions.canonicals(resource_type)) == count


@pytest.mark.parametrize(
    "canonical",
    [
        f"{_HL7}/SearchParameter/example",
        f"{_HL7}/SearchParameter/example-extension",
        f"{_HL7}/SearchParameter/example-reference",
        "http://h7.org/fhir/OperationDefinition/example",
        f"{_HL7}/CompartmentDefinition/example",
        f"{_HL7}/CapabilityStatement/base",
        f"{_HL7}/CapabilityStatement/base2",
        f"{_HL7}/knowledge-repository",
        "urn:uuid:68D043B5-9ECF-4559-A57A-396E0D452311",
        f"{_HL7}/StructureMap/example",
        "http://terminology.hl7.org/CodeSystem/service-type",
    ],
)
def test_examples_among_the_definitions_are_not_served(
    definitions: Definitions, canonical: str
) -> None:
    assert definitions.by_canonical(canonical) is None


def test_no_code_system_has_example_content(definitions: Definitions) -> None:
    contents = set()
    for url in definitions.canonicals("CodeSystem"):
        system = definitions.by_canonical(url)
        assert system is not None
        contents.add(system["content"])
    assert contents == {"complete", "fragment", "supplement", "not-present"}


def test_a_definition_is_read_by_type_and_id_as_by_canonical(definitions: Definitions) -> None:
    patient = definitions.read("StructureDefinition", "Patient")
    assert patient is not None
    assert patient["url"] == f"{_HL7}/StructureDefinition/Patient"
    assert patient["snapshot"]["element"][0]["path"] == "Patient"
    assert patient == definitions.by_canonical(patient["url"])
    assert definitions.read("StructureDefinition", "NoSuchThing") is None
    assert definitions.read("NoSuchThing", "Patient") is None


@pytest.mark.parametrize(
    ("canonical", "version", "is_found"),
    [
        ("StructureDefinition/Patient", None, True),
        ("StructureDefinition/Patient|4.0.1", None, True),
        ("StructureDefinition/Patient", "4.0.1", True),
        ("StructureDefinition/Patient|3.0.2", None, False),
        ("StructureDefinition/Patient", "3.0.2", False),
        ("StructureDefinition/Patients", None, False),
        ("structuredefinition/Patient", None, False),
        ("", None, False),
    ],
)
def test_a_canonical_with_a_version_names_that_version_only(
    definitions: Definitions, canonical: str, version: str | None, *, is_found: bool
) -> None:
    found = definitions.by_canonical(f"{_HL7}/{canonical}", version)
    assert (found is not None) is is_found


@pytest.mark.parametrize("canonical", ["v2-0360|2.7", "v2-0006|2.4", "v2-0006|2.4|0006"])
def test_a_bar_that_is_part_of_the_url_is_no_version(
    definitions: Definitions, canonical: str
) -> None:
    system = definitions.by_canonical(f"http://terminology.hl7.org/CodeSystem/{canonical}")
    assert system is not None
    assert system["url"].endswith(canonical.removesuffix("|0006"))


def test_what_is_read_belongs_to_the_reader(definitions: Definitions) -> None:
    first = definitions.read("ValueSet", "administrative-gender")
    assert first is not None
    first.clear()
    assert definitions.read("ValueSet", "administrative-gender")


def test_numbers_keep_their_digits(definitions: Definitions, published: Published) -> None:
    seen = 0
    for original in published("structuredefinitions-profiles") + published("codesystems-fhir"):
        if str(_decimals(original)) == "[]" or original.get("content") == "example":
            continue
        ours = definitions.by_canonical(original["url"])
        assert [str(each) for each in _decimals(ours)] == [
            str(each) for each in _decimals(original)
        ]
        seen += 1
    assert seen


def test_a_value_set_has_its_published_expansion(
    definitions: Definitions, published: Published
) -> None:
    for original in published("valueset-expansions"):
        assert definitions.expansion(original["url"]) == original["expansion"]
        value_set = definitions.by_canonical(original["url"])
        assert value_set is not None
        assert "expansion" not in value_set
        assert value_set["compose"] == original["compose"]


def test_an_expansion_that_is_only_a_part_says_so(definitions: Definitions) -> None:
    marked = 0
    for url in definitions.canonicals("ValueSet"):
        expansion: dict[str, Any] = definitions.expansion(url) or {}
        marked += any(each["url"] == _TOO_COSTLY for each in expansion.get("extension", ()))
    assert marked == 23


def test_every_required_binding_has_a_value_set_and_an_expansion_but_one(
    definitions: Definitions,
) -> None:
    table = definitions.elements
    required = {
        element.binding.value_set
        for name in table.types
        for element in table.children(name).values()
        if element.binding and element.binding.strength == "required"
    }
    without = {
        canonical
        for canonical in required
        if canonical is None or definitions.expansion(canonical) is None
    }
    assert len(required) > 200
    assert without == {"http://loinc.org/vs/LL379-9|4.0.1"}


def _decimals(value: Any) -> list[Decimal]:
    if isinstance(value, Decimal):
        return [value]
    members = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return []
    return [found for member in members for found in _decimals(member)]
