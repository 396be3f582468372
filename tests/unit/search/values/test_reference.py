"""References: each way of writing one, stored and searched for."""

from typing import Any

import pytest

from fhir_server.errors import BadRequest
from fhir_server.search.values import reference
from fhir_server.search.values.parameter import Parameter
from tests.support.searching import ask, entries, finds, meets, parameter

_OURS = "https://ehr.example.org/fhir"
_URN = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"
_CANONICAL = "http://x.org/Questionnaire/a"


def _asked(*targets: str) -> Parameter:
    return parameter(targets=targets or ("Patient", "Group"))


@pytest.mark.parametrize(
    ("value", "stored", "found"),
    [
        ("Patient/1", "Patient/1", True),
        ("1", "Patient/1", True),
        ("1", "Group/1", True),
        ("1", "Device/1", False),
        ("Patient/1", "Group/1", False),
        ("Patient/1", "Patient/2", False),
        ("Patient/1", "Patient/1/_history/3", True),
        ("Patient/1/_history/2", "Patient/1", True),
        (f"{_OURS}/Patient/1", "Patient/1", True),
        ("Patient/1", f"{_OURS}/Patient/1", True),
        ("1", f"{_OURS}/Patient/1/_history/3", True),
        ("Patient/1", "https://other.org/fhir/Patient/1", False),
        ("1", "https://other.org/fhir/Patient/1", False),
        ("https://other.org/fhir/Patient/1", "https://other.org/fhir/Patient/1", True),
        ("https://other.org/fhir/Patient/1", "https://other.org/fhir/Patient/1/_history/2", True),
        ("https://other.org/fhir/Patient/1", "Patient/1", False),
        (_URN, _URN, True),
        ("1", "#1", False),
    ],
)
def test_a_reference_finds(value: str, stored: str, *, found: bool) -> None:
    element = {"reference": stored}
    asked = _asked()
    assert finds("reference", value, "Reference", element, asked=asked, base_url=_OURS) is found


@pytest.mark.parametrize(
    ("value", "stored", "found"),
    [
        (_CANONICAL, _CANONICAL, True),
        (_CANONICAL, f"{_CANONICAL}|2.0", True),
        (f"{_CANONICAL}|2.0", f"{_CANONICAL}|2.0", True),
        (rf"{_CANONICAL}\|2.0", f"{_CANONICAL}|2.0", True),
        (f"{_CANONICAL}|2.0", f"{_CANONICAL}|3.0", False),
        (f"{_CANONICAL}|2.0", _CANONICAL, False),
        ("Questionnaire/a", "Questionnaire/a", True),
    ],
)
def test_a_canonical_is_found_with_and_without_its_version(
    value: str, stored: str, *, found: bool
) -> None:
    for type_ in ("canonical", "uri"):
        assert finds("reference", value, type_, stored, asked=_asked()) is found


def test_a_resource_contained_whole_is_referred_to() -> None:
    resource = {"resourceType": "Composition", "id": "1"}
    asked = _asked("Composition")
    assert finds("reference", "1", "Resource", resource, asked=asked)
    assert not finds("reference", "2", "Resource", resource, asked=asked)


@pytest.mark.parametrize(
    ("value", "identifier", "found"),
    [
        ("urn:mrn|1", {"system": "urn:mrn", "value": "1"}, True),
        ("1", {"system": "urn:mrn", "value": "1"}, True),
        ("|1", {"system": "urn:mrn", "value": "1"}, False),
        ("|1", {"value": "1"}, True),
        ("urn:x|1", {"system": "urn:mrn", "value": "1"}, False),
        ("1", {"system": "urn:mrn"}, False),
        ("1", "1", False),
    ],
)
def test_the_identifier_of_a_reference_is_found(
    value: str, identifier: Any, *, found: bool
) -> None:
    element = {"identifier": identifier, "display": "x"}
    gathered = entries("reference", [("Reference", element)])
    assert meets(reference.test_identifier(parameter(), value), gathered) is found
    assert not meets(ask("reference", "1", asked=_asked()), gathered)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("a_b", "write an id, Type/id, or an absolute url"),
        ("", "write an id"),
        ("#1", "write an id"),
        ("patient/1", "write an id"),
        ("Patient?name=x", "write an id"),
    ],
)
def test_a_wrong_reference_is_refused_in_words(value: str, advice: str) -> None:
    with pytest.raises(BadRequest) as refused:
        ask("reference", value, asked=_asked())
    assert advice in refused.value.message
    assert repr(value) in refused.value.message


def test_an_id_without_known_types_needs_its_type() -> None:
    with pytest.raises(BadRequest, match=r"the type is needed as well, as in Patient/1"):
        ask("reference", "1")


@pytest.mark.parametrize("value", ["", "a|b|c", "urn:mrn|"])
def test_a_wrong_identifier_is_refused(value: str) -> None:
    with pytest.raises(BadRequest, match=r"write `value` or `system\|value`"):
        reference.test_identifier(parameter(), value)


@pytest.mark.parametrize("type_", ["Reference", "canonical", "uri", "Resource"])
@pytest.mark.parametrize(
    "element",
    [None, 7, [], {}, "", "see notes", {"reference": 7}, {"reference": None}, {"reference": "#"},
     {"reference": "Patient?a=b"}, {"identifier": []}, {"resourceType": 1, "id": []}],
)  # fmt: skip
def test_malformed_elements_are_never_found(type_: str, element: Any) -> None:
    gathered = entries("reference", [(type_, element)])
    assert not meets(ask("reference", "1", asked=_asked()), gathered)


def test_presence_is_any_reference_even_one_by_display_only() -> None:
    present = reference.present(parameter())
    for element in ({"display": "x"}, {"reference": "#1"}, {"reference": "Patient/1"}):
        assert meets(present, entries("reference", [("Reference", element)]))
    assert not meets(present, entries("reference", []))
