"""Contained resources: https://hl7.org/fhir/R4/search.html#contained"""

from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.search import keys
from fhir_server.search.contained import in_slot
from fhir_server.search.contained import test_in_slot as moved
from fhir_server.search.entries import Indexed
from fhir_server.search.indexing import Indexer
from fhir_server.storage.query import AllOf, AnyOf, IdIs, Not, Test, UpdatedIn
from fhir_server.storage.versions import Terms, Version
from tests.support.oracle import Row, holds

INDEXER = Indexer(load_definitions(), "http://h/fhir")
MARK = keys.indexed("Patient", "name")
PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "name": [{"family": "Wellington"}],
    "birthDate": "1970-05-17",
    "identifier": [{"system": "http://example.org", "value": "1"}],
}
ROOM = {"resourceType": "Location", "id": "l", "position": {"latitude": 10, "longitude": 20}}


def terms(*contained: Any) -> Terms:
    return INDEXER.terms({"resourceType": "Basic", "id": "b", "contained": list(contained)})


def meets(test: Test, found: Terms) -> bool:
    return holds(test, Row(Version("Basic", "b", 1, 1, 5, "PUT", b"{}"), found))


TESTS: list[Test] = [
    keys.of_parameter(keys.indexed("Patient", "identifier")),
    keys.of_group(keys.indexed("Patient", "identifier"), keys.group("http://example.org")),
    keys.text_beginning(f"{keys.indexed('Patient', 'family').text}well"),
    keys.intervals_of_parameter(keys.indexed("Patient", "birthdate")),
    IdIs(frozenset({"p", "q"})),
]


@pytest.mark.parametrize("test", TESTS)
def test_a_test_holds_in_the_slot_of_what_meets_it_and_in_no_other(test: Test) -> None:
    found = terms({"resourceType": "Patient"}, ROOM, PATIENT)
    where = [slot for slot in range(3) if meets(moved("Patient", test, slot), found)]
    assert where == [1]
    assert meets(moved("Patient", Not(test), 0), found)
    assert meets(moved("Patient", AnyOf((AllOf((test,)), AllOf((test, Not(test))))), 1), found)
    if not isinstance(test, IdIs):
        assert not meets(test, found), "what is contained is not found as if it were the container"


def test_a_range_may_end_with_its_parameter() -> None:
    last = Indexed(b"\x7f\xff\xff\xff", 0x7FFF_FFFF, "f____w")
    test = moved("Patient", keys.of_parameter(last), 3)
    assert not meets(test, terms(PATIENT, PATIENT, PATIENT, PATIENT))


def test_when_a_contained_resource_was_updated_is_when_its_container_was() -> None:
    assert meets(moved("Patient", UpdatedIn(5, 6), 0), terms(PATIENT))


@pytest.mark.parametrize(
    "contained",
    [None, 1, "x", {}, [None], [[]], [{}], [{"resourceType": 1}], [{"resourceType": "Nothing"}]],
)
def test_malformed_contained_resources_are_not_indexed(contained: object) -> None:
    plain = {"resourceType": "Basic", "id": "b"}
    assert INDEXER.terms({**plain, "contained": contained}) == INDEXER.terms(plain)
    assert in_slot(contained, "Patient", 0) is None


def test_what_is_contained_contains_nothing() -> None:
    nested = {**PATIENT, "contained": [PATIENT]}
    assert terms(nested) == terms(PATIENT)
