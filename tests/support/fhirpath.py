"""Expressions evaluated to what a test can write down: Python values, and texts for the rest."""

from decimal import Decimal
from functools import cache
from typing import Any

from fhir_server.definitions.elements import ElementTable
from fhir_server.definitions.registry import load_definitions
from fhir_server.fhirpath import Element, Environment, compile, system  # noqa: A004 - its name
from fhir_server.fhirpath.items import Item

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "birthDate": "1974-12-25",
    "_birthDate": {"extension": [{"url": "http://x/time", "valueDateTime": "1974-12-25T14:35Z"}]},
    "gender": "male",
    "name": [
        {"use": "official", "family": "Chalmers", "given": ["Peter", "James"]},
        {"use": "usual", "given": ["Jim"]},
        {"family": "Windsor", "given": ["Peter", None], "_given": [None, {"id": "g"}]},
    ],
    "contained": [{"resourceType": "Organization", "id": "o1", "name": "Acme"}],
    "managingOrganization": {"reference": "#o1"},
    "generalPractitioner": [{"reference": "Practitioner/7"}, {"display": "nobody"}],
    "multipleBirthInteger": 2,
    "deceasedBoolean": False,
}  # fmt: skip
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
    "effectiveDateTime": "2024-02-29T10:00:00+01:00",
    "valueQuantity": {
        "value": Decimal(185),
        "unit": "lbs",
        "system": "http://unitsofmeasure.org",
        "code": "[lb_av]",
    },
}
ALONE = Environment()


@cache
def elements() -> ElementTable:
    return load_definitions().elements


def evaluate(
    expression: str, resource: Any = PATIENT, environment: Environment = ALONE
) -> list[Any]:
    """Numbers, texts and Booleans as they are, dates, times and quantities as texts, else JSON."""
    return [plain(item) for item in compile(expression, elements()).evaluate(resource, environment)]


def plain(item: Item) -> Any:
    value = system(item)
    if isinstance(value, Element):
        return value.value
    return value if isinstance(value, bool | int | Decimal | str) or value is None else str(value)
