"""The five compartments, from their definitions."""

import pytest

from fhir_server.definitions.registry import Definitions
from tests.unit.definitions.conftest import Published

_CODES = ("Patient", "Encounter", "RelatedPerson", "Practitioner", "Device")


def test_members_are_the_published_ones(definitions: Definitions, published: Published) -> None:
    seen = set()
    for original in published("operations-compartments-capabilities"):
        is_real = (
            original["resourceType"] == "CompartmentDefinition" and original["id"] != "example"
        )
        if not is_real:
            continue
        code = original["code"]
        ours = definitions.compartment(code)
        assert ours is not None
        assert (ours.code, ours.url) == (code, original["url"])
        stated = {
            each["code"]: [name for name in each.get("param", []) if name != "{def}"]
            for each in original["resource"]
        }
        expected = {name: codes for name, codes in stated.items() if codes or name == code}
        assert {name: list(codes) for name, codes in ours.items()} == expected
        seen.add(code)
    assert seen == set(_CODES)


@pytest.mark.parametrize(
    ("code", "resource_type", "parameters"),
    [
        ("Patient", "Observation", ("subject", "performer")),
        ("Patient", "Patient", ("link",)),
        ("Encounter", "Encounter", ()),
        ("Device", "Device", ()),
        ("Encounter", "Observation", ("encounter",)),
    ],
)
def test_a_compartment_names_the_parameters_that_make_a_member(
    definitions: Definitions, code: str, resource_type: str, parameters: tuple[str, ...]
) -> None:
    compartment = definitions.compartment(code)
    assert compartment is not None
    assert compartment[resource_type] == parameters


def test_a_type_without_parameters_is_no_member(definitions: Definitions) -> None:
    compartment = definitions.compartment("Patient")
    assert compartment is not None
    assert "Organization" not in compartment
    assert compartment.get("Organization") is None


def test_there_is_no_compartment_about_other_types(definitions: Definitions) -> None:
    assert definitions.compartment("Organization") is None


def test_every_parameter_of_a_compartment_is_a_reference_parameter(
    definitions: Definitions,
) -> None:
    for code in _CODES:
        for resource_type, names in (definitions.compartment(code) or {}).items():
            for name in names:
                parameter = definitions.search_parameter(resource_type, name)
                assert parameter is not None, (code, resource_type, name)
                assert parameter.type == "reference", (code, resource_type, name)
