"""Strict evaluation: http://hl7.org/fhirpath/N1/#type-safety-and-strict-evaluation."""

import pytest

from fhir_server.fhirpath import compile  # noqa: A004 - its name
from fhir_server.fhirpath.errors import FhirPathSemanticError
from tests.support.fhirpath import elements


@pytest.mark.parametrize(
    ("type_", "text", "position"),
    [
        ("Patient", "name.given1", 5),
        ("Patient", "Encounter.name", 0),
        ("Patient", "name.where(usage = 'x')", 11),
        ("Patient", "name.first().exists(x)", 20),
        ("Patient", "name.select(family | town)", 21),
        ("Patient", "(name | address).postcode", 17),
        ("Patient", "contact.name.iif(true, family, city)", 31),
        ("Patient", "name[0].town", 8),
        ("Patient", "birthDate.extension('x').valu", 25),
        ("Patient", "%context.town", 9),
        ("Observation", "valueQuantity.unit", 0),
        ("Observation", "(value as Period).unit", 18),
        ("Observation", "value.ofType(Quantity).start", 23),
        ("Observation", "component.referenceRange.lowest", 25),
    ],
)
def test_a_name_that_a_type_can_never_have_is_refused(type_: str, text: str, position: int) -> None:
    with pytest.raises(FhirPathSemanticError) as caught:
        compile(text, elements(), type_)
    assert caught.value.position == position
    compile(text, elements())


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("Patient", "Patient.name.given.first().upper()"),
        ("Patient", "DomainResource.text.`div`"),
        ("Patient", "children().anything.at.all"),
        ("Patient", "contained.name"),
        ("Patient", "managingOrganization.resolve().name"),
        ("Patient", "name.where($this.use = 'x').exists(family.exists())"),
        ("Patient", "name.repeat(period).start"),
        ("Patient", "telecom.trace('x', value).system"),
        ("Patient", "%resource.anything"),
        ("Patient", "deceased.exists() and deceased != false"),
        ("Observation", "value.unit | component.value.unit"),
        ("Observation", "component.referenceRange.low.value"),
        ("Observation", "iif(value.exists(), value, component.value).unit"),
        ("Questionnaire", "item.item.item.linkId"),
        ("Resource", "id.exists() and name.exists()"),
    ],
)
def test_what_may_be_there_is_let_be(type_: str, text: str) -> None:
    compile(text, elements(), type_)


@pytest.mark.parametrize(
    "text", ["children().skip(1)", "descendants()[0]", "children().name.first()"]
)
def test_the_first_of_what_has_no_order_is_refused_when_asked_to(text: str) -> None:
    compile(text, elements(), "Patient")
    with pytest.raises(FhirPathSemanticError):
        compile(text, elements(), "Patient", order=True)
