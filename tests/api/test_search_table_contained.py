"""https://hl7.org/fhir/R4/search.html#contained"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.builders import a_basic
from tests.support.search_tables import Loaded, Row, labelled, load, quoted
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio

DRUGS = "http://example.org/drugs"


def medication(id_: str, code: str, **members: Any) -> dict[str, Any]:
    coded = {"coding": [{"system": DRUGS, "code": code}]}
    return {"resourceType": "Medication", "id": id_, "code": coded, **members}


def organization(id_: str, name: str) -> dict[str, Any]:
    return {"resourceType": "Organization", "id": id_, "name": name}


def request(*contained: Mapping[str, Any]) -> dict[str, Any]:
    reference = {"medicationReference": {"reference": "#m"}}
    common = {"status": "active", "intent": "order", "subject": {"reference": "Patient/1"}}
    return {"contained": list(contained), **reference, **common}


def lot(number: str, day: str) -> dict[str, Any]:
    return {"batch": {"lotNumber": number, "expirationDate": day}}


REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "one": request(medication("m", "a", status="active")),
    "other": request(medication("m", "b", status="inactive", **lot("L1", "2020-05-17"))),
    "two": request(
        medication("m", "a", status="inactive"),
        organization("o", "Acme"),
        medication("n", "b", status="active"),
    ),
    "same": request(medication("m", "c"), medication("n", "c", **lot("L2", "2021-01-01"))),
    "none": {**request(organization("o", "Apotheke Süd")), "reasonCode": [{"text": "a"}]},
}
DISPENSES: Mapping[str, Mapping[str, Any]] = {
    "dispense": {
        "contained": [medication("d", "a", amount={"numerator": {"value": 5}})],
        "medicationReference": {"reference": "#m"},
        "status": "completed",
    },
}
MEDICATIONS: Mapping[str, Mapping[str, Any]] = {
    "alone": medication("", "a", status="active"),
    "mixture": {
        **medication("", "x", status="active"),
        "contained": [medication("i", "a", status="active"), medication("j", "y")],
        "ingredient": [{"itemReference": {"reference": "#i"}}],
    },
}
ROWS: list[Row] = [
    ("Medication?code=a", "alone"),
    ("Medication?code=a&_contained=false", "alone"),
    ("Medication?code=a&_contained=true", "one two dispense mixture"),
    ("Medication?code=a&_contained=both", "one two dispense mixture alone"),
    (f"Medication?code={DRUGS}|b&_contained=true", "other two"),
    (f"Medication?code={DRUGS}|&_contained=true", "one other two same dispense mixture"),
    ("Medication?code=x&_contained=true", ""),
    ("Medication?code=x&_contained=both", "mixture"),
    ("Medication?code=a,b&_contained=true", "one other two dispense mixture"),
    ("Medication?code=a&status=active&_contained=true", "one mixture"),
    ("Medication?code=b&status=active&_contained=true", "two"),
    ("Medication?code=b&status=inactive&_contained=true", "other"),
    ("Medication?code=a&code=b&_contained=true", ""),
    ("Medication?status:missing=true&_contained=true", "same dispense mixture"),
    ("Medication?code:not=a&_contained=true", "other two same mixture"),
    ("Medication?code:not=c&status:not=active&_contained=true", "other two dispense mixture"),
    ("Medication?lot-number=L1&_contained=true", "other"),
    ("Medication?lot-number:missing=false&_contained=true", "other same"),
    ("Medication?expiration-date=2020&_contained=true", "other"),
    ("Medication?expiration-date=ge2020&code=c&_contained=true", "same"),
    ("Medication?expiration-date=lt2020,gt2021&_contained=true", ""),
    ("Medication?_id=m&_contained=true", "one other two same"),
    ("Medication?_id=n&status=active&_contained=true", "two"),
    ("Medication?_id=alone&_contained=true", ""),
    ("Medication?_id=alone,m&_contained=both", "one other two same alone"),
    ("Medication?_contained=true", "one other two same dispense mixture"),
    ("Medication?_contained=both", "one other two same dispense mixture alone"),
    ("Organization?name=ac&_contained=true", "two"),
    ("Organization?name:contains=SUD&_contained=true", "none"),
    ("Organization?name:exact=Acme&_contained=true", "two"),
    ("Organization?_contained=both", "two none"),
    ("MedicationRequest?_contained=true", ""),
    ("MedicationRequest?_contained=both", "one other two same none"),
    ("Patient?_contained=true", ""),
]
ALONE: list[tuple[str, str]] = [
    (
        "Medication?code=a&_contained=true&_containedType=contained",
        (
            "MedicationRequest/one#m MedicationRequest/two#m MedicationDispense/dispense#d"
            " Medication/mixture#i"
        ),
    ),
    (
        "Medication?code=c&_contained=true&_containedType=contained",
        "MedicationRequest/same#m MedicationRequest/same#n",
    ),
    (
        "Medication?status=active&_contained=both&_containedType=contained",
        (
            "Medication/alone Medication/mixture MedicationRequest/one#m MedicationRequest/two#n"
            " Medication/mixture#i"
        ),
    ),
    ("Medication?code=z&_contained=true&_containedType=contained", ""),
    ("Patient?_contained=true&_containedType=contained", ""),
]
REFUSED = [
    "Medication?_contained=maybe",
    "Medication?_containedType=both",
    "Medication?_contained=true&_include=Medication:manufacturer",
    "Medication?_contained=true&_sort=code",
    "?_contained=true&_type=Medication",
    "Patient/1/MedicationRequest?_contained=true",
    "Medication?_contained=true&_has:MedicationRequest:medication:status=active",
    "Medication?_contained=true&_list=1",
    "Medication?_contained=true&_filter=_list eq 1",
    "Medication?_contained=true&_filter=status eq active or _list eq 1",
    "Medication?_contained=true&_filter=not(_has:MedicationRequest:medication:status eq active)",
    "Medication?_contained=true&_filter=status eq x and not(status eq y or not(_list eq 1))",
    "Medication?_contained=true&_explain=true",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    return await load(
        server,
        [
            *labelled("MedicationRequest", REQUESTS),
            *labelled("MedicationDispense", DISPENSES),
            *({**each, "id": label} for label, each in MEDICATIONS.items()),
        ],
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
async def test_what_is_contained_is_found_in_its_container(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize(("url", "expected"), ALONE)
@pytest.mark.parametrize("count", [1, 2, 50])
async def test_what_is_contained_is_found_alone_page_by_page(
    loaded: Loaded, url: str, expected: str, count: int
) -> None:
    assert sorted(loaded.brute_force.matches(url)) == sorted(expected.split())
    found, pages = await walked(loaded.server, f"{url}&_count={count}")
    assert sorted(found) == sorted(expected.split())
    assert max(map(len, pages)) <= count
    backward, _ = await walked(loaded.server, f"{url}&_count={count}", back=True)
    assert backward == found


async def walked(
    server: Server, url: str, *, back: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Places of all entries, from the first page to the last, or read from the last one back."""
    pages, links = [], {"next": quoted(url)}
    while "next" in links:
        page, links = await one_page(server, links["next"])
        pages.append(page)
    if back:
        pages = [pages[-1]]
        while "previous" in links:
            page, links = await one_page(server, links["previous"])
            pages.insert(0, page)
    return [place for page in pages for place in page], pages


async def one_page(server: Server, url: str) -> tuple[list[str], dict[str, str]]:
    response = await server.get(url)
    assert response.status_code == 200, response.text
    bundle = response.json()
    entries = bundle.get("entry", ())
    assert {each["search"]["mode"] for each in entries} <= {"match"}
    places = [each["fullUrl"].removeprefix(f"{BASE}/") for each in entries]
    for place, each in zip(places, entries, strict=True):
        assert each["resource"]["resourceType"] == urlsplit(url).path.rpartition("/")[2]
        assert each["resource"]["id"] == (place.partition("#")[2] or place.partition("/")[2])
    return places, {link["relation"]: link["url"] for link in bundle["link"]}


@pytest.mark.parametrize("url", REFUSED)
async def test_what_makes_no_sense_of_contained_resources_is_refused(
    server: Server, url: str
) -> None:
    response = await server.get(quoted(url))
    assert response.status_code == 400, response.text
    assert "_contained" in response.json()["issue"][0]["diagnostics"]


TOTALS = [
    ("Medication?code=c&_contained=true", 1),
    ("Medication?code=c&_contained=true&_containedType=contained", 2),
    ("Medication?code=a&_contained=both", 5),
    ("Medication?code=a&_contained=both&_containedType=contained", 5),
    ("Medication?status=active&_contained=both", 4),
    ("Medication?status=active&_contained=both&_containedType=contained", 5),
]


@pytest.mark.parametrize(("url", "total"), TOTALS)
async def test_the_total_counts_what_is_returned(loaded: Loaded, url: str, total: int) -> None:
    assert await loaded.server.count(url) == total
    counted = await loaded.server.get(f"{url}&_total=accurate&_count=1")
    assert counted.json()["total"] == total


async def test_a_contained_resource_is_shown_as_any_other(loaded: Loaded) -> None:
    url = "Medication?code=b&status=active&_contained=true&_containedType=contained"
    assert await loaded.server.found(url) == [REQUESTS["two"]["contained"][2]]
    (shown,) = await loaded.server.found(f"{url}&_elements=status")
    assert (shown["id"], shown["status"], "code" in shown) == ("n", "active", False)
    response = await loaded.server.get(f"{url}&_elements=code&_count=1")
    (own,) = (each for each in response.json()["link"] if each["relation"] == "self")
    assert "_contained=true&_containedType=contained" in own["url"]


async def test_containers_can_be_sorted_by_when_they_were_updated(loaded: Loaded) -> None:
    url = "Medication?_contained=true&_lastUpdated=gt2020&_sort="
    rising = await loaded.server.found(f"{url}_lastUpdated")
    times = [each["meta"]["lastUpdated"] for each in rising]
    assert len(times) == 6
    assert times == sorted(times)
    assert await loaded.server.found(f"{url}-_lastUpdated") == rising[::-1]
    by_id = [each["id"] for each in await loaded.server.found(f"{url}_id")]
    assert by_id == sorted(by_id)


async def test_more_contained_resources_than_are_looked_through_are_too_costly(
    server: Server,
) -> None:
    many = [{"resourceType": "Device", "id": f"d{number}"} for number in range(65)]
    await server.create(a_basic(contained=many))
    response = await server.get("Device?_contained=true")
    (issue,) = response.json()["issue"]
    assert issue["code"] == "too-costly"
    assert issue["diagnostics"].startswith("Some Basic contains more than 64 resources of type")
