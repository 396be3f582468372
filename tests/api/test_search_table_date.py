"""https://hl7.org/fhir/R4/search.html#date"""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.brute_force.dates import Clock
from tests.support.search_tables import Loaded, Row, labelled, load
from tests.support.server import Server, Start

pytestmark = pytest.mark.anyio

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
EFFECTIVE: Mapping[str, Mapping[str, Any]] = {
    "year": {"effectiveDateTime": "2020"},
    "month": {"effectiveDateTime": "2020-02"},
    "day": {"effectiveDateTime": "2020-02-29"},
    "second": {"effectiveDateTime": "2020-02-29T10:00:00Z"},
    "milli": {"effectiveInstant": "2020-02-29T10:00:00.500Z"},
    # 23:30 on the 29th in UTC
    "east": {"effectiveDateTime": "2020-03-01T00:30:00+01:00"},
    # 03:00 on March 1st in UTC
    "west": {"effectiveDateTime": "2020-02-29T22:00:00-05:00"},
    "period": {"effectivePeriod": {"start": "2020-02-28", "end": "2020-03-02"}},
    "since": {"effectivePeriod": {"start": "2020-02-29"}},
    "until": {"effectivePeriod": {"end": "2020-02-29"}},
    # from 08:00 on the 29th
    "timing": {"effectiveTiming": {"event": ["2020-03-02T08:00:00Z", "2020-02-29T08:00:00Z"]}},
    "unknown": {
        "_effectiveDateTime": {"extension": [{"url": ABSENT, "valueCode": "unknown"}]},
    },
    "nothing": {},
}
OBSERVATIONS = {
    label: {"status": "final", "code": {"text": "x"}, **members}
    for label, members in EFFECTIVE.items()
}

PRECISIONS: list[Row] = [
    (
        "Observation?date=2020",
        "year month day second milli east west period timing",
    ),
    ("Observation?date=eq2020-02", "month day second milli east"),
    ("Observation?date=2020-03", "west"),
    ("Observation?date=2020-02-29", "day second milli east"),
    ("Observation?date=2020-02-29T10:00Z", "second milli"),
    ("Observation?date=2020-02-29T10:00:00Z", "second milli"),
    ("Observation?date=2020-02-29T10:00:00.5Z", "milli"),
    ("Observation?date=2020-02-29T10:00:00.50Z", "milli"),
    ("Observation?date=2020-02-29T10:00:00.500Z", "milli"),
    ("Observation?date=2020-02-29T10:00:00.501Z", ""),
    ("Observation?date=2020-02-29T10:01Z", ""),
    ("Observation?date=2019", ""),
    ("Observation?date=0001", ""),
    ("Observation?date=9999-12-31", ""),
]
PREFIXES: list[Row] = [
    ("Observation?date=ne2020", "since until"),
    ("Observation?date=ne2020-02-29", "year month west period since until timing"),
    (
        "Observation?date=ne2020-02-29T10:00:00.500Z",
        "year month day second east west period since until timing",
    ),
    ("Observation?date=gt2020", "since"),
    ("Observation?date=gt2020-02", "year west period since timing"),
    ("Observation?date=gt2020-02-29", "year west period since timing"),
    (
        "Observation?date=gt2020-02-29T10:00:00.500Z",
        "year month day second east west period since until timing",
    ),
    ("Observation?date=gt2020-03-02", "year since"),
    ("Observation?date=ge2020", "year month day second milli east west period since until timing"),
    ("Observation?date=ge2020-03-01", "year west period since timing"),
    ("Observation?date=ge2020-03-03", "year since"),
    ("Observation?date=ge2021", "since"),
    ("Observation?date=lt2020", "until"),
    ("Observation?date=lt2020-02-28", "year month until"),
    ("Observation?date=lt2020-02-29", "year month period until"),
    (
        "Observation?date=lt2020-02-29T10:00:00.500Z",
        "year month day second period since until timing",
    ),
    ("Observation?date=le2019", "until"),
    ("Observation?date=le2020", "year month day second milli east west period since until timing"),
    ("Observation?date=le2020-02-29", "year month day second milli east period since until timing"),
    ("Observation?date=le2020-02-28", "year month period until"),
    ("Observation?date=sa2020-02-27", "day second milli east west period since timing"),
    ("Observation?date=sa2020-02-28", "day second milli east west since timing"),
    ("Observation?date=sa2020-02-29", "west"),
    ("Observation?date=sa2020-02-29T10:00:00Z", "east west"),
    ("Observation?date=eb2020-03-01", "month day second milli east until"),
    ("Observation?date=eb2020-02-29T23:30:00Z", "second milli"),
    ("Observation?date=eb2020-02-29", ""),
    ("Observation?date=eb2021", "year month day second milli east west period until timing"),
    # a tenth of the years since then, at least one of its own length
    ("Observation?date=ap2020", "year month day second milli east west period since until timing"),
    ("Observation?date=ap2010", "until"),
]
ZONES: list[Row] = [
    ("Observation?date=2020-03-01T00:30:00%2B01:00", "east"),
    # a plus sign that nobody escaped arrives as a blank
    ("Observation?date=2020-03-01T00:30:00+01:00", "east"),
    ("Observation?date=2020-02-29T23:30:00Z", "east"),
    ("Observation?date=2020-02-29T23:30:00-00:00", "east"),
    ("Observation?date=2020-02-29T18:30:00-05:00", "east"),
    ("Observation?date=2020-02-29T22:00:00-05:00", "west"),
    ("Observation?date=2020-03-01T17:00:00%2B14:00", "west"),
    ("Observation?date=2020-02-29T10:00:00", "second milli"),
    ("Observation?date=2020-02-29T12:00%2B02:00", "second milli"),
]
SEVERAL: list[Row] = [
    ("Observation?date=2020-03,2020-02-29T10:00:00Z", "west second milli"),
    (
        "Observation?date=ge2020-02-29T10:00:00Z&date=lt2020-02-29T10:00:01Z",
        "year month day second milli period since until timing",
    ),
    ("Observation?date=sa2020-02-28&date=eb2020-03-01", "day second milli east"),
    ("Observation?date=gt2020-02&date=lt2020-02", "year"),
]
MISSING: list[Row] = [
    ("Observation?date:missing=true", "unknown nothing"),
    (
        "Observation?date:missing=false",
        "year month day second milli east west period since until timing",
    ),
]
IN_BERLIN: list[Row] = [
    # the days of Berlin end an hour before those of UTC
    ("Observation?date=2020-02-29", "day second milli"),
    ("Observation?date=2020-03-01", "east west"),
    ("Observation?date=2020-02-29T11:00:00", "second milli"),
    ("Observation?date=2020-02-29T10:00:00", ""),
    ("Observation?date=2020-02-29T10:00:00Z", "second milli"),
    ("Observation?date=2020-02", "month day second milli"),
]
BIRTHS = {
    "first": {"birthDate": "0001-01-01"},
    "leap": {"birthDate": "2000-02-29"},
    "century": {"birthDate": "1900"},
    "month-end": {"birthDate": "1999-12"},
    "last": {"birthDate": "9999-12-31"},
}
EDGES: list[Row] = [
    ("Patient?birthdate=0001", "first"),
    ("Patient?birthdate=lt1900", "first"),
    ("Patient?birthdate=9999", "last"),
    ("Patient?birthdate=9999-12", "last"),
    ("Patient?birthdate=ge9999-12-31", "last"),
    ("Patient?birthdate=gt9999-12-31", ""),
    ("Patient?birthdate=eb2000-01", "first century month-end"),
    ("Patient?birthdate=2000-02", "leap"),
    ("Patient?birthdate=sa1999-12-31", "leap last"),
    ("Patient?birthdate=1900", "century"),
    ("Patient?birthdate=1900-01", ""),
    ("Patient?birthdate=gt1900-06", "century leap month-end last"),
    ("Patient?birthdate=ap9999-12-31", "last"),
]
REFUSED = [
    "Observation?date=",
    "Observation?date=2020-13",
    "Observation?date=2020-00",
    "Observation?date=2019-02-29",
    "Observation?date=1900-02-29",
    "Observation?date=2020-02-30",
    "Observation?date=2020-2-9",
    "Observation?date=20200229",
    "Observation?date=20",
    "Observation?date=0000",
    "Observation?date=12020",
    "Observation?date=2020-02-29T10Z",
    "Observation?date=2020-02-29T24:00:00Z",
    "Observation?date=2020-02-29T10:60:00Z",
    "Observation?date=2020-02-29T10:00:00.Z",
    "Observation?date=2020-02-29T10:00:00+15:00",
    "Observation?date=2020-02-29T10:00:00+1:00",
    "Observation?date=2020-02Z",
    "Observation?date=today",
    "Observation?date=gt",
    "Observation?date=gtgt2020",
    "Observation?date=GT2020",
    "Observation?date=gt 2020",
    "Observation?date=2020,",
    "Observation?date=2020|",
    "Observation?date=\uff12\uff10\uff12\uff10",
    "Observation?date:exact=2020",
    "Observation?date:not=2020",
    "Observation?date:missing=2020",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    resources = [*labelled("Observation", OBSERVATIONS), *labelled("Patient", BIRTHS)]
    return await load(server, resources)


@pytest.fixture(scope="module")
async def in_berlin(start: Start, anyio_backend: str) -> AsyncIterator[Loaded]:
    async with start(zone="Europe/Berlin") as server:
        clock = Clock(ZoneInfo("Europe/Berlin"))
        yield await load(server, labelled("Observation", OBSERVATIONS), clock=clock)


@pytest.mark.parametrize(
    "row", PRECISIONS + PREFIXES + ZONES + SEVERAL + MISSING + EDGES, ids=lambda row: row[0]
)
async def test_a_date_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("row", IN_BERLIN, ids=lambda row: row[0])
async def test_a_date_without_a_zone_is_one_of_the_servers(in_berlin: Loaded, row: Row) -> None:
    await in_berlin.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_a_date_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
