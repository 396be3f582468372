"""Tokens: each way of writing one, against each kind of element."""

from typing import Any

import pytest

from fhir_server.errors import BadRequest
from fhir_server.search.values import token
from fhir_server.search.values.parameter import Parameter
from tests.support.searching import ask, entries, finds, meets, parameter

_LOINC = "http://loinc.org"
_GENDER = "http://hl7.org/fhir/administrative-gender"
_SPECIAL = "http://terminology.hl7.org/CodeSystem/special-values"
_CODING = {"system": _LOINC, "code": "8480-6"}
_BARE = {"code": "8480-6"}
_TWO = {"coding": [{"system": _LOINC, "code": "a"}, {"system": "urn:x", "code": "b"}]}
_NUMBER = {"system": "urn:mrn", "value": "AB-1"}


def _asked(*types: str, system: str | None = None) -> Parameter:
    return parameter(types=frozenset(types), system=system)


@pytest.mark.parametrize(
    ("value", "type_", "element", "found"),
    [
        ("8480-6", "Coding", _CODING, True),
        (f"{_LOINC}|8480-6", "Coding", _CODING, True),
        ("|8480-6", "Coding", _CODING, False),
        (f"{_LOINC}|", "Coding", _CODING, True),
        ("urn:x|8480-6", "Coding", _CODING, False),
        ("urn:x|", "Coding", _CODING, False),
        ("8480", "Coding", _CODING, False),
        ("8480-6", "Coding", _BARE, True),
        ("|8480-6", "Coding", _BARE, True),
        (f"{_LOINC}|8480-6", "Coding", _BARE, False),
        (f"{_LOINC}|", "Coding", {"system": _LOINC}, True),
        ("a", "CodeableConcept", _TWO, True),
        ("b", "CodeableConcept", _TWO, True),
        (f"{_LOINC}|a", "CodeableConcept", _TWO, True),
        (f"{_LOINC}|b", "CodeableConcept", _TWO, False),
        ("urn:x|", "CodeableConcept", _TWO, True),
        ("a", "CodeableConcept", {"text": "a"}, False),
        # Codes fold case, systems do not.
        ("FINAL", "code", "final", True),
        ("final", "Coding", {"code": "FINAL"}, True),
        ("HTTP://LOINC.ORG|a", "CodeableConcept", _TWO, False),
        # Identifiers and strings are exact.
        ("AB-1", "Identifier", _NUMBER, True),
        ("urn:mrn|AB-1", "Identifier", _NUMBER, True),
        ("ab-1", "Identifier", _NUMBER, False),
        ("|AB-1", "Identifier", _NUMBER, False),
        ("|AB-1", "Identifier", {"value": "AB-1"}, True),
        ("urn:mrn|", "Identifier", _NUMBER, True),
        ("urn:mrn|", "Identifier", {"system": "urn:mrn"}, True),
        ("1.0", "string", "1.0", True),
        ("v1", "string", "V1", False),
        ("|1.0", "string", "1.0", True),
        ("abc", "id", "abc", True),
        ("http://x.org/y", "uri", "http://x.org/y", True),
        # Contacts, whatever their system.
        ("555-1234", "ContactPoint", {"system": "phone", "value": "555-1234"}, True),
        ("Peter@Example.org", "ContactPoint", {"value": "peter@example.org"}, True),
        ("peter", "ContactPoint", {"value": "peter@example.org"}, False),
        ("true", "boolean", True, True),
        ("false", "boolean", True, False),
        (f"{_SPECIAL}|true", "boolean", True, True),
        ("urn:x|true", "boolean", True, False),
        # Escapes.
        (r"a\|b", "Coding", {"code": "a|b"}, True),
        (r"urn:x|a\|b", "Coding", {"system": "urn:x", "code": "a|b"}, True),
        (r"a\,b\$c\\d", "Identifier", {"value": "a,b$c\\d"}, True),
        (r"a\b", "Identifier", {"value": "a\\b"}, True),
    ],
)
def test_a_token_finds(value: str, type_: str, element: Any, *, found: bool) -> None:
    assert finds("token", value, type_, element, asked=_asked(type_)) is found
    # Whoever does not know the types finds the same, but for systems that elements imply.
    if type_ != "boolean":
        assert finds("token", value, type_, element) is found


@pytest.mark.parametrize(
    ("value", "found"),
    [("male", True), (f"{_GENDER}|male", True), (f"{_GENDER}|", True), ("|male", True),
     ("urn:x|male", False), ("urn:x|", False), (f"{_GENDER}|female", False)],
)  # fmt: skip
def test_a_code_is_of_the_system_its_element_implies(value: str, *, found: bool) -> None:
    asked = _asked("code", system=_GENDER)
    assert finds("token", value, "code", "male", asked=asked) is found


def test_a_code_whose_system_nobody_knows_is_found_in_any() -> None:
    assert finds("token", "urn:x|male", "code", "male", asked=_asked("code"))


def test_a_parameter_over_codes_and_identifiers_keeps_their_ways_apart() -> None:
    asked = _asked("Coding", "Identifier")
    assert finds("token", "ABC", "Coding", {"code": "abc"}, asked=asked)
    assert finds("token", "abc", "Identifier", {"value": "abc"}, asked=asked)
    assert not finds("token", "ABC", "Identifier", {"value": "abc"}, asked=asked)


def test_a_known_kind_of_token_is_one_key() -> None:
    for types in ("Coding", "Identifier"):
        assert len(ask("token", "urn:x|1", asked=_asked(types)).keys) == 1  # type: ignore[union-attr] # a KeyIs


@pytest.mark.parametrize("value", ["", "|", "a|b|c"])
def test_a_wrong_token_is_refused_in_words(value: str) -> None:
    with pytest.raises(BadRequest, match=r"is no value for the search parameter wanted"):
        ask("token", value)


def test_a_boolean_is_true_or_false() -> None:
    with pytest.raises(BadRequest, match=r"it is either true or false"):
        ask("token", "yes", asked=_asked("boolean"))


@pytest.mark.parametrize("type_", sorted(token.FORMS))
@pytest.mark.parametrize(
    "element",
    [None, 7, [], {}, [{}], {"coding": "x"}, {"coding": [None, 7, "x", []]}, {"code": 7},
     {"code": ["x"], "system": {}}, {"value": {}, "system": 7}],
)  # fmt: skip
def test_malformed_elements_are_passed_over(type_: str, element: Any) -> None:
    gathered = entries("token", [(type_, element)])
    assert not meets(ask("token", "x"), gathered)


def test_presence_is_any_token_even_one_of_text_only() -> None:
    present = token.present(parameter())
    for type_, element in [
        ("CodeableConcept", {"text": "hot"}),
        ("Identifier", {"type": {}}),
        ("Coding", {"display": "x"}),
        ("boolean", False),
    ]:
        assert meets(present, entries("token", [(type_, element)]))
    assert not meets(present, entries("token", []))


def test_what_is_only_present_is_found_by_no_token() -> None:
    gathered = entries("token", [("CodeableConcept", {"text": "hot"})])
    assert sum(isinstance(key, bytes) for key in gathered.keys) == 2
    assert not meets(ask("token", "hot"), gathered)
