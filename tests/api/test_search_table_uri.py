"""https://hl7.org/fhir/R4/search.html#uri"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.search_tables import Loaded, Row, labelled, load
from tests.support.server import Server

pytestmark = pytest.mark.anyio

ROOT = "http://acme.org/fhir"
VALUE_SETS: Mapping[str, Mapping[str, Any]] = {
    "root": {"url": ROOT},
    "inner": {"url": f"{ROOT}/ValueSet/123"},
    "deeper": {"url": f"{ROOT}/ValueSet/123/_history/5"},
    "sibling": {"url": f"{ROOT}/ValueSet/1234"},
    "elsewhere": {"url": "http://other.org/fhir/ValueSet/123"},
    "secure": {"url": "https://acme.org/fhir/ValueSet/123"},
    "capital": {"url": "http://acme.org/fhir/ValueSet/ABC"},
    "oid": {"url": "urn:oid:1.2.3"},
    "longer-oid": {"url": "urn:oid:1.2.3.4"},
    "separators": {"url": "http://acme.org/a,b|c$d"},
    "query": {"url": "http://acme.org/x?a=1&b=2#f"},
    "nothing": {},
}
EQUAL: list[Row] = [
    (f"ValueSet?url={ROOT}/ValueSet/123", "inner"),
    (f"ValueSet?url={ROOT}", "root"),
    (f"ValueSet?url={ROOT}/", ""),
    (f"ValueSet?url={ROOT}/ValueSet/12", ""),
    ("ValueSet?url=http://acme.org/fhir/ValueSet/abc", ""),
    ("ValueSet?url=HTTP://acme.org/fhir", ""),
    ("ValueSet?url=urn:oid:1.2.3", "oid"),
    (r"ValueSet?url=http://acme.org/a\,b\|c\$d", "separators"),
    (r"ValueSet?url=http://acme.org/a\,b|c$d", "separators"),
    ("ValueSet?url=http://acme.org/x?a%3D1%26b%3D2%23f", "query"),
    (f"ValueSet?url={ROOT},urn:oid:1.2.3", "root oid"),
    (f"ValueSet?url={ROOT}&url=urn:oid:1.2.3", ""),
    ("ValueSet?url:missing=true", "nothing"),
]
BELOW: list[Row] = [
    (f"ValueSet?url:below={ROOT}/ValueSet/123", "inner deeper"),
    (f"ValueSet?url:below={ROOT}/", "inner deeper sibling capital"),
    ("ValueSet?url:below=http://acme.org/fhir/ValueSet/abc", ""),
    ("ValueSet?url:below=https://acme.org/fhir/ValueSet", "secure"),
]
ABOVE: list[Row] = [
    (f"ValueSet?url:above={ROOT}/ValueSet/123/_history/5", "root inner deeper"),
    (f"ValueSet?url:above={ROOT}/ValueSet/1234", "root sibling"),
    ("ValueSet?url:above=http://other.org/fhir", ""),
]
PROFILE, OTHER = "http://example.org/StructureDefinition/p", "http://example.org/other"
PATIENTS: Mapping[str, Mapping[str, Any]] = {
    "plain": {"meta": {"profile": [PROFILE], "source": "http://example.org/source#1"}},
    "versioned": {"meta": {"profile": [OTHER, f"{PROFILE}|1.0"]}},
    "none": {"active": True},
}
CANONICALS: list[Row] = [
    (f"Patient?_profile={PROFILE}", "plain versioned"),
    (f"Patient?_profile={PROFILE}|1.0", "versioned"),
    (f"Patient?_profile={PROFILE}|2.0", ""),
    (f"Patient?_profile={OTHER}", "versioned"),
    (f"Patient?_profile={OTHER},{PROFILE}", "plain versioned"),
    ("Patient?_profile:missing=true", "none"),
    ("Patient?_source=http://example.org/source%231", "plain"),
    ("Patient?_source=http://example.org/source", ""),
    ("Patient?_source:missing=false", "plain"),
]
REFUSED = [
    "ValueSet?url=",
    "ValueSet?url=a,",
    "ValueSet?url:exact=http://acme.org",
    "ValueSet?url:contains=http://acme.org",
    "ValueSet?url:not=http://acme.org",
    "ValueSet?url:missing=x",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    value_sets = {label: {"status": "active", **each} for label, each in VALUE_SETS.items()}
    return await load(server, [*labelled("ValueSet", value_sets), *labelled("Patient", PATIENTS)])


@pytest.mark.parametrize("row", EQUAL + BELOW + ABOVE + CANONICALS, ids=lambda row: row[0])
async def test_a_uri_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_a_uri_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
