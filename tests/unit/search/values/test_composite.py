"""Composites: parts that belong together, in every combination that R4 has."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.errors import BadRequest
from fhir_server.search.values import composite
from fhir_server.search.values.parameter import Component, Parameter
from tests.support.searching import ask, component, meets, parameter, tuple_entries

_LOINC, _UCUM = "http://loinc.org", "http://unitsofmeasure.org"
_CODE = {"coding": [{"system": _LOINC, "code": "8480-6"}, {"code": "local"}]}
_HIGH = {"coding": [{"system": "urn:x", "code": "H"}]}
_120 = {"value": Decimal(120), "system": _UCUM, "code": "mm[Hg]", "unit": "mmHg"}

_CONCEPT = component("token", types=frozenset({"CodeableConcept"}))
_PARTS: dict[str, tuple[Component, ...]] = {
    "token": (_CONCEPT, _CONCEPT),
    "quantity": (_CONCEPT, component("quantity")),
    "date": (_CONCEPT, component("date")),
    "string": (_CONCEPT, component("string")),
    "number": (_CONCEPT, component("number"), component("number")),
}
_STORED: dict[str, tuple[list[tuple[str, str]], list[Any]]] = {
    "token": ([("token", "CodeableConcept")] * 2, [_CODE, _HIGH]),
    "quantity": ([("token", "CodeableConcept"), ("quantity", "Quantity")], [_CODE, _120]),
    "date": ([("token", "CodeableConcept"), ("date", "dateTime")], [_CODE, "2024-02-29"]),
    "string": ([("token", "CodeableConcept"), ("string", "string")], [_CODE, "Negative!"]),
    "number": (
        [("token", "CodeableConcept"), ("number", "integer"), ("number", "integer")],
        [_CODE, 100, 200],
    ),
}


def _finds(kind: str, value: str) -> bool:
    test = ask("composite", value, asked=parameter(components=_PARTS[kind]))
    return meets(test, tuple_entries(*_STORED[kind]))


@pytest.mark.parametrize(
    ("kind", "second", "found"),
    [
        ("token", "H", True),
        ("token", "urn:x|H", True),
        ("token", "|H", False),
        ("token", "L", False),
        ("quantity", "120", True),
        ("quantity", "gt110", True),
        ("quantity", "gt120", False),
        ("quantity", f"gt15|{_UCUM}|kPa", True),
        ("quantity", f"gt16|{_UCUM}|kPa", False),
        ("quantity", f"120|{_UCUM}|mm[Hg]", True),
        ("quantity", "120||mm[Hg]", True),
        ("quantity", "120||mmHg", True),
        ("quantity", "120||kg", False),
        ("quantity", "ne121", True),
        ("date", "2024-02-29", True),
        ("date", "gt2024", False),
        ("date", "ge2024-02", True),
        ("string", "neg", True),
        ("string", "NEGATIVE", True),
        ("string", "positive", False),
        ("number", "100$200", True),
        ("number", "lt150$gt150", True),
        ("number", "lt100$gt150", False),
        ("number", "le100$ge200", True),
        ("number", "ne100$200", False),
        ("number", "ne99$ne200", False),
        ("number", "ne99$ne201", True),
        ("number", "ap95$ap210", True),
        ("number", "sa99$eb201", True),
    ],
)
def test_a_composite_finds_what_belongs_together(kind: str, second: str, *, found: bool) -> None:
    for first in (f"{_LOINC}|8480-6", "8480-6", "local", "|local", "LOCAL"):
        assert _finds(kind, f"{first}${second}") is found, first
    for first in ("urn:x|8480-6", "|8480-6", "8480", f"{_LOINC}|local", "H"):
        assert _finds(kind, f"{first}${second}") is False, first


def test_parts_of_different_elements_are_not_mixed() -> None:
    parts = [("token", "CodeableConcept"), ("quantity", "Quantity")]
    asked = parameter(components=_PARTS["quantity"])
    systolic = tuple_entries(parts, [{"coding": [{"code": "sys"}]}, {"value": 120}])
    diastolic = tuple_entries(parts, [{"coding": [{"code": "dia"}]}, {"value": 80}])
    systolic.intervals.extend(diastolic.intervals)
    assert meets(ask("composite", "sys$120", asked=asked), systolic)
    assert meets(ask("composite", "dia$80", asked=asked), systolic)
    assert not meets(ask("composite", "sys$80", asked=asked), systolic)
    assert not meets(ask("composite", "dia$gt100", asked=asked), systolic)


def test_a_reference_may_come_first() -> None:
    asked = parameter(
        components=(
            component("reference", targets=("DocumentReference",)),
            component("token", types=frozenset({"code"})),
        )
    )
    gathered = tuple_entries(
        [("reference", "Reference"), ("token", "code")],
        [{"reference": "DocumentReference/1"}, "replaces"],
    )
    for value in ("DocumentReference/1$replaces", "1$replaces"):
        assert meets(ask("composite", value, asked=asked), gathered)
    for value in ("DocumentReference/2$replaces", "1$appends"):
        assert not meets(ask("composite", value, asked=asked), gathered)


def test_escaped_dollars_and_bars_belong_to_the_parts() -> None:
    asked = parameter(components=(component("token"), component("string")))
    gathered = tuple_entries([("token", "Coding"), ("string", "string")], [{"code": "a$|b"}, "$5"])
    assert meets(ask("composite", r"a\$\|b$\$5", asked=asked), gathered)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("8480-6", "write 2 parts with $ between them"),
        ("8480-6$1$2", "write 2 parts with $ between them"),
        ("8480-6$x", "'x' is no value for the search parameter wanted: write a number"),
        ("$5", "'' is no value for the search parameter wanted: a code is needed"),
        (f"{_LOINC}|$5", "a code is needed here"),
    ],
)
def test_a_wrong_composite_is_refused_in_words(value: str, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        ask("composite", value, asked=parameter(components=_PARTS["quantity"]))
    assert words in refused.value.message


@pytest.mark.parametrize(
    "parts",
    [
        [("string", "string"), ("token", "code")],
        [("token", "Period"), ("token", "code")],
        [("token", "code"), ("token", "Period")],
        [("token", "code"), ("quantity", "string")],
        [("token", "code"), ("date", "Quantity")],
        [("token", "code"), ("string", "Quantity")],
        [("token", "code"), ("number", "string")],
        [("token", "code"), ("number", "string"), ("number", "integer")],
        [("token", "code"), ("token", "code"), ("token", "code")],
        [("token", "code")],
    ],
)
def test_parts_that_cannot_be_indexed_are_told(parts: list[tuple[str, str]]) -> None:
    assert composite.indexer(parts) is None


def test_parts_that_cannot_be_searched_are_refused() -> None:
    asked = parameter(components=(component("string"), component("token")))
    with pytest.raises(BadRequest, match=r"cannot be searched together"):
        ask("composite", "a$b", asked=asked)


@pytest.mark.parametrize("kind", list(_STORED))
@pytest.mark.parametrize("element", [None, 7, [], {}, {"text": "x"}, {"coding": [{}]}])
def test_a_part_that_is_malformed_or_says_nothing_gives_no_entry(kind: str, element: Any) -> None:
    parts, stored = _STORED[kind]
    for place in range(len(stored)):
        if element == 7 and kind == "number" and place > 0:
            continue
        gathered = tuple_entries(parts, [*stored[:place], element, *stored[place + 1 :]])
        assert (gathered.keys, gathered.intervals) == ([], [])


@pytest.mark.parametrize("kind", list(_STORED))
def test_presence_is_any_composite(kind: str) -> None:
    present = composite.present(parameter())
    assert meets(present, tuple_entries(*_STORED[kind]))
    assert not meets(present, tuple_entries(_STORED[kind][0], [None] * len(_STORED[kind][0])))


def test_a_part_is_named_after_the_parameter_that_was_asked() -> None:
    asked: Parameter = parameter(components=_PARTS["date"])
    with pytest.raises(BadRequest, match=r"search parameter wanted"):
        ask("composite", "a$soon", asked=asked)
