"""https://hl7.org/fhir/R4/search.html#sort and https://hl7.org/fhir/R4/search.html#include"""

from typing import Any

import pytest

from tests.support.search_comparison import in_order
from tests.support.search_tables import Loaded, Row, load
from tests.support.server import Server

pytestmark = pytest.mark.anyio


def resource(type_: str, id_: str, **members: Any) -> dict[str, Any]:
    return {"resourceType": type_, "id": id_, **members}


def to(*places: str) -> list[dict[str, str]]:
    return [{"reference": place} for place in places]


def observation(id_: str, subject: str, **members: Any) -> dict[str, Any]:
    return resource(
        "Observation",
        id_,
        status="final",
        code={"coding": [{"system": "http://loinc.org", "code": "1"}]},
        subject={"reference": subject},
        **members,
    )


RESOURCES = [
    resource("Organization", "clinic", name="Clinic", partOf=to("Organization/trust")[0]),
    resource("Organization", "trust", name="Trust", partOf=to("Organization/crown")[0]),
    resource("Organization", "crown", name="Crown"),
    resource("Practitioner", "house", name=[{"family": "House"}]),
    resource(
        "Patient",
        "ann",
        name=[{"family": "Zola", "given": ["Ann"]}, {"family": "Abel"}],
        birthDate="1980",
        gender="female",
        managingOrganization=to("Organization/clinic")[0],
        generalPractitioner=to("Practitioner/house", "Organization/trust", "Practitioner/gone"),
    ),
    resource("Patient", "bob", name=[{"family": "\u00d6zil"}], birthDate="1980-05", gender="male"),
    resource("Patient", "cat", name=[{"family": "miller"}], birthDate="1979-12-31"),
    resource("Patient", "dan", name=[{"family": "Miller"}], gender="male"),
    resource("Patient", "eve"),
    observation("o1", "Patient/ann", performer=to("Practitioner/house")),
    observation("o2", "Patient/ann", hasMember=to("Observation/o3")),
    observation("o3", "Patient/bob", derivedFrom=to("Observation/o2")),
    resource(
        "Provenance",
        "p",
        target=to("Observation/o1", "Patient/bob"),
        recorded="2020-01-01T00:00:00Z",
        agent=[{"who": to("Practitioner/house")[0]}],
    ),
]
SORTED: list[Row] = [
    # of several values the least counts upwards, the greatest downwards; without any: last;
    # what is equal comes in the order of creation, backwards where the first key is
    ("Patient?_sort=family", "ann cat dan bob eve"),
    ("Patient?_sort=-family", "ann bob dan cat eve"),
    ("Patient?_sort=birthdate", "cat ann bob dan eve"),
    ("Patient?_sort=-birthdate", "bob ann cat eve dan"),
    ("Patient?_sort=gender,-family", "ann bob dan cat eve"),
    ("Patient?_sort=-gender,family", "dan bob ann cat eve"),
    ("Patient?_sort=-_id", "eve dan cat bob ann"),
    ("Patient?_sort=_id&gender=male", "bob dan"),
    ("Patient?_sort=_lastUpdated", "ann bob cat dan eve"),
]
INCLUDED: list[tuple[str, str, str]] = [
    ("Observation?_include=Observation:subject", "o1 o2 o3", "ann bob"),
    ("Observation?_id=o1&_include=Observation:subject", "o1", "ann"),
    ("Observation?_include=Observation:patient", "o1 o2 o3", "ann bob"),
    ("Observation?_include=Observation:subject:Patient", "o1 o2 o3", "ann bob"),
    ("Observation?_include=Observation:subject:Group", "o1 o2 o3", ""),
    ("Observation?_include=Observation:performer", "o1 o2 o3", "house"),
    ("Observation?_include=Observation:*&_id=o1", "o1", "ann house"),
    ("Observation?_include=*&_id=o1", "o1", "ann house"),
    # what matches is not included again
    ("Observation?_include=Observation:has-member", "o1 o2 o3", ""),
    ("Observation?_id=o2&_include=Observation:has-member", "o2", "o3"),
    # what is included brings nothing with it, unless it is asked to
    (
        "Patient?_id=ann&_include=Patient:organization&_include:iterate=Organization:partof",
        "ann",
        "clinic trust crown",
    ),
    ("Observation?_id=o2&_include:iterate=Observation:has-member", "o2", "o3"),
    (
        "Observation?_id=o1&_include=Observation:subject&_include:iterate=Patient:organization",
        "o1",
        "ann clinic",
    ),
    ("Patient?_id=ann&_include=Patient:general-practitioner", "ann", "house trust"),
    ("Patient?_id=ann&_include=Patient:general-practitioner:Organization", "ann", "trust"),
    ("Patient?_id=eve&_include=Patient:organization", "eve", ""),
    # the other way
    ("Patient?_id=ann&_revinclude=Observation:subject", "ann", "o1 o2"),
    ("Patient?_id=ann,bob&_revinclude=Observation:patient", "ann bob", "o1 o2 o3"),
    ("Patient?_id=bob&_revinclude=Provenance:target", "bob", "p"),
    ("Patient?_id=bob&_revinclude=Observation:*", "bob", "o3"),
    ("Patient?_id=eve&_revinclude=Observation:subject", "eve", ""),
    (
        "Patient?_id=ann&_revinclude=Observation:subject&_revinclude:iterate=Provenance:target",
        "ann",
        "o1 o2 p",
    ),
    (
        "Patient?_id=ann&_revinclude=Observation:subject&_include:iterate=Observation:performer",
        "ann",
        "o1 o2 house",
    ),
    (
        "Patient?_id=ann&_include=Patient:organization&_revinclude=Observation:subject",
        "ann",
        "clinic o1 o2",
    ),
    ("Organization?_id=crown&_revinclude:iterate=Organization:partof", "crown", "trust clinic"),
]
REFUSED = [
    "Patient?_include=Organization:partof&_id=ann",
    "Patient?_sort=nonsense",
    "Patient?_sort=",
    "Patient?_sort=family,",
    "Patient?_sort=--family",
    "Patient?_include=",
    "Patient?_include=Patient:nonsense",
    "Patient?_include=Patient:birthdate",
    "Patient?_include=Nonsense:subject",
    "Patient?_include=Patient:organization:Patient",
    "Patient?_include:nonsense=Patient:organization",
    "Patient?_revinclude=Observation:nonsense",
    "Patient?_revinclude=Observation",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    return await load(server, RESOURCES)


@pytest.mark.parametrize("row", SORTED, ids=lambda row: row[0])
async def test_matches_come_in_the_order_asked_for(loaded: Loaded, row: Row) -> None:
    url, labels = row
    expected = [f"Patient/{label}" for label in labels.split()]
    assert in_order(loaded, url, expected), "the evaluator is wrong"
    assert await loaded.asked(url) == expected


@pytest.mark.parametrize(("url", "matches", "included"), INCLUDED)
async def test_matches_bring_what_is_asked_for(
    loaded: Loaded, url: str, matches: str, included: str
) -> None:
    await loaded.check((url, matches))
    by_hand = sorted(place.partition("/")[2] for place in loaded.brute_force.included(url))
    assert by_hand == sorted(included.split()), "the evaluator is wrong"
    found = [place for place, mode in await loaded.entries(url) if mode == "include"]
    assert sorted(place.partition("/")[2] for place in found) == by_hand


@pytest.mark.parametrize("url", REFUSED)
async def test_a_wish_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
