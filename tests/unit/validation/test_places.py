"""Places are told in FHIRPath: https://hl7.org/fhir/R4/fhirpath.html."""

import pytest

from fhir_server.validation.places import Places
from tests.support.fhirpath import elements

ORGANIZATION = {"resourceType": "Organization", "id": "o", "name": "n"}


@pytest.mark.parametrize(
    ("resource", "path", "type_", "resource_type", "outermost"),
    [
        (
            {"resourceType": "Patient", "name": [{"given": ["a", "b"]}]},
            "Patient.name[0].given[1]",
            "string",
            "Patient",
            "Patient",
        ),
        (
            {"resourceType": "Observation", "component": [{}, {"valueQuantity": {"value": 1}}]},
            "Observation.component[1].value",
            "Quantity",
            "Observation",
            "Observation",
        ),
        (
            {"resourceType": "Patient", "_birthDate": {"extension": [{"url": "http://a"}]}},
            "Patient.birthDate.extension[0]",
            "Extension",
            "Patient",
            "Patient",
        ),
        (
            {"resourceType": "Patient", "contained": [ORGANIZATION]},
            "Patient.contained[0].name",
            "string",
            "Organization",
            "Patient",
        ),
        (
            {"resourceType": "Bundle", "entry": [{"resource": ORGANIZATION}]},
            "Bundle.entry[0].resource.name",
            "string",
            "Organization",
            "Organization",
        ),
    ],
)
def test_an_element_is_found_at_its_place(
    resource: dict[str, object], path: str, type_: str, resource_type: str, outermost: str
) -> None:
    (place,) = (each for each in Places(elements()).of(resource) if each.path == path)
    assert place.element.type == type_
    assert (place.resource.type, place.outermost.type) == (resource_type, outermost)


def test_a_place_comes_before_what_is_in_it() -> None:
    resource = {"resourceType": "Patient", "name": [{"given": ["a"]}], "active": True}
    assert [each.path for each in Places(elements()).of(resource)] == [
        "Patient",
        "Patient.name[0]",
        "Patient.name[0].given[0]",
        "Patient.active",
    ]
