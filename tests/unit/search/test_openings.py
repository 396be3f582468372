"""Openings: remembered by the shape of a search, made anew of the values of each."""

from collections.abc import Sequence

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.search.catalog import Catalog
from fhir_server.search.planning import Candidate, Ways, candidates
from fhir_server.search.schemes import PATIENT, Scheme, scheme_of
from fhir_server.search.searching import Searching
from fhir_server.storage.query import DriverIs, Order
from tests.support.searching import plain_criteria

LOINC = "http://loinc.org"

Pairs = Sequence[tuple[str, str]]


@pytest.fixture(scope="module")
def searching() -> Searching:
    return Searching(load_definitions(), "http://h/fhir", b"0" * 16)


@pytest.fixture(scope="module")
def scheme() -> Scheme:
    definitions = load_definitions()
    catalog = Catalog(definitions).of("Observation")
    return scheme_of(catalog, definitions.compartment(PATIENT))


def _first(searching: Searching, scheme: Scheme, pairs: Pairs) -> Candidate:
    criteria = plain_criteria(searching, "Observation", pairs)
    return next(candidates(scheme, criteria, Order()))


def test_a_shape_that_was_met_before_keeps_no_values(searching: Searching, scheme: Scheme) -> None:
    """Each search begins with its own patient, code and date."""
    found = [
        _first(
            searching,
            scheme,
            [("patient", str(at)), ("code", f"{LOINC}|{at}"), ("date", f"ge{2000 + at}")],
        )
        for at in range(3)
    ]
    drives = [each.driver for each in found if isinstance(each.driver, DriverIs)]
    assert len({drive.drivers for drive in drives}) == 3
    assert len({drive.end for drive in drives}) == 3
    assert len({each.rest for each in found}) == 3


def test_more_criteria_than_are_remembered_have_openings_as_well(
    searching: Searching, scheme: Scheme
) -> None:
    pairs = [("code", f"{LOINC}|{at}") for at in range(20)]
    for _ in range(2):
        assert len(list(_ways(searching, scheme, pairs))) == 20
        assert len(list(_ways(searching, scheme, [*pairs, ("patient", "1")]))) == 41


def test_ways_are_made_once_though_two_ask_at_a_time(searching: Searching, scheme: Scheme) -> None:
    pairs = [("patient", "1"), ("code", f"{LOINC}|a"), ("date", "ge2000"), ("status", "final")]
    expected = list(_ways(searching, scheme, pairs))
    ways = _ways(searching, scheme, pairs)
    one, other = iter(ways), iter(ways)
    seen = [next(one), next(other), next(other), next(one), *other], [*one]
    assert len(expected) > 3
    assert list(ways) == expected
    assert seen[0] == [*expected[:1] * 2, *expected[1:2] * 2, *expected[2:]]
    assert seen[1] == expected[2:]
    assert all(a is b for a, b in zip(ways, ways, strict=True))


def _ways(searching: Searching, scheme: Scheme, pairs: Pairs) -> Ways:
    return Ways(scheme, plain_criteria(searching, "Observation", pairs), Order())
