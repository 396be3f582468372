"""https://hl7.org/fhir/R4/search.html#all"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.search_tables import Loaded, Row, labelled, load
from tests.support.server import Server

pytestmark = pytest.mark.anyio

SYSTEM = "http://example.org/tags"
PATIENTS: Mapping[str, Mapping[str, Any]] = {
    "tagged": {"meta": {"tag": [{"system": SYSTEM, "code": "blue"}, {"code": "plain"}]}},
    "labelled": {
        "meta": {
            "security": [
                {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
            ]
        }
    },
    "bare": {"active": True},
    "with.Dots-1": {"active": False},
}
ROWS: list[Row] = [
    ("Patient?", "tagged labelled bare with.Dots-1"),
    ("Patient?_id=bare", "bare"),
    ("Patient?_id=BARE", ""),
    ("Patient?_id=bar", ""),
    ("Patient?_id=bare,tagged", "bare tagged"),
    ("Patient?_id=bare,bare", "bare"),
    ("Patient?_id=bare&_id=tagged", ""),
    ("Patient?_id=bare&_id=bare,tagged", "bare"),
    ("Patient?_id=with.Dots-1", "with.Dots-1"),
    ("Patient?_id=Patient/bare", ""),
    ("Patient?_id=never", ""),
    ("Practitioner?_id=bare", ""),
    ("Patient?_tag=blue", "tagged"),
    (f"Patient?_tag={SYSTEM}|blue", "tagged"),
    (f"Patient?_tag={SYSTEM}|", "tagged"),
    ("Patient?_tag=|plain", "tagged"),
    ("Patient?_tag=|blue", ""),
    ("Patient?_tag=red,plain", "tagged"),
    ("Patient?_tag=blue&_tag=plain", "tagged"),
    ("Patient?_tag:missing=true", "labelled bare with.Dots-1"),
    ("Patient?_tag:not=blue", "labelled bare with.Dots-1"),
    ("Patient?_security=R", "labelled"),
    ("Patient?_security:missing=false", "labelled"),
    ("Patient?_lastUpdated=gt2020", "tagged labelled bare with.Dots-1"),
    ("Patient?_lastUpdated=ge2020-01-01T00:00:00Z&_id=bare", "bare"),
    ("Patient?_lastUpdated=lt2020", ""),
    ("Patient?_lastUpdated=2020", ""),
    ("Patient?_lastUpdated=ne2020", "tagged labelled bare with.Dots-1"),
    ("Patient?_lastUpdated=sa2020,eb2020", "tagged labelled bare with.Dots-1"),
    ("Patient?_lastUpdated=gt2020&_lastUpdated=lt2021", ""),
]
REFUSED = [
    "Patient?_id=",
    "Patient?_id=a,",
    "Patient?_id:exact=a",
    "Patient?_id:missing=maybe",
    "Patient?_lastUpdated=today",
    "Patient?_lastUpdated=2020-13",
    "Patient?_lastUpdated:not=2020",
    "Patient?_tag=|",
    "Patient?_tag:exact=blue",
    "Patient?_nonsense=1",
    "Patient?nonsense=1",
    "Patient?Name=a",
    "Patient?value-quantity=1",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    return await load(server, labelled("Patient", PATIENTS))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
async def test_what_all_types_have_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_what_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
