"""https://hl7.org/fhir/R4/http.html#search: several types at once, and compartments"""

from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from tests.support.asserts import assert_issue, link
from tests.support.builders import a_batch, a_patient, an_entry, an_observation, unique
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"
OWNERS = ("Device", "Encounter", "Patient", "Practitioner", "RelatedPerson")


def tagged(resource: dict[str, Any], mark: str) -> dict[str, Any]:
    return resource | {"meta": {"tag": [{"system": "http://example.org", "code": mark}]}}


async def walk(server: Server, url: str, relation: str = "next") -> list[list[str]]:
    """The names on each page, `Type/id`."""
    pages = []
    at: str | None = url
    while at:
        response = await server.get(at)
        assert response.status_code == 200, response.text
        pages.append(names(response.json()))
        at = link(response, relation)
    return pages


def names(bundle: dict[str, Any]) -> list[str]:
    resources = [entry["resource"] for entry in bundle.get("entry", ())]
    return [f"{each['resourceType']}/{each['id']}" for each in resources]


async def several(server: Server, mark: str) -> list[str]:
    """A few resources of three types, in the order of their creation."""
    made = []
    for number in range(3):
        for resource in (
            a_patient(),
            an_observation(),
            {"resourceType": "Organization", "name": f"{number}"},
        ):
            stored = await server.create(tagged(resource, mark))
            made.append(f"{stored['resourceType']}/{stored['id']}")
    return made


@pytest.mark.parametrize("count", [1, 2, 4, 9, 10])
@pytest.mark.parametrize("types", ["", "&_type=Organization,Observation,Patient"])
async def test_several_types_are_one_result(server: Server, types: str, count: int) -> None:
    mark = unique()
    made = await several(server, mark)

    pages = await walk(server, f"?_tag={mark}{types}&_count={count}")

    assert [name for page in pages for name in page] == made
    assert all(len(page) == count for page in pages[:-1])


ORDERS = [("_lastUpdated", 1), ("-_lastUpdated", -1), ("-_tag", -1), ("_tag,_lastUpdated", 1)]


@pytest.mark.parametrize(("sort", "way"), ORDERS)
async def test_several_types_are_sorted_together_both_ways(
    server: Server, sort: str, way: int
) -> None:
    mark = unique()
    made = (await several(server, mark))[::way]
    url = f"?_tag={mark}&_type=Patient,Observation,Organization&_sort={sort}&_count=4"

    there = await walk(server, url)
    assert [name for page in there for name in page] == made
    last = await server.get(url)
    while following := link(last, "next"):
        last = await server.get(following)
    back = await walk(server, link(last, "previous") or "", "previous")
    assert back[::-1] == there[:-1]


async def test_ids_sort_across_types(server: Server) -> None:
    mark = unique()
    for type_, id_ in (("Patient", "b"), ("Organization", "a"), ("Organization", "c")):
        body = a_patient() if type_ == "Patient" else {"resourceType": type_, "name": "x"}
        await server.update(tagged(body, mark) | {"id": f"{mark}-{id_}"})

    pages = await walk(server, f"?_tag={mark}&_sort=-_id&_count=1")

    assert [page[0].rpartition("-")[2] for page in pages] == ["c", "b", "a"]


async def test_a_search_of_several_types_is_counted_and_posted(server: Server) -> None:
    mark = unique()
    made = await several(server, mark)

    assert await server.count(f"?_tag={mark}&_type=Patient,Observation") == 6
    response = await server.post(
        "_search", f"_tag={mark}&_type=Patient".encode(), content_type=FORM
    )
    assert names(response.json()) == [name for name in made if name.startswith("Patient/")]
    assert link(response, "self") == f"{BASE}?_type=Patient&_tag={mark}"
    batch = await server.post("", a_batch(an_entry("GET", f"?_tag={mark}&_type=Patient")))
    assert len(batch.json()["entry"][0]["resource"]["entry"]) == 3
    assert (await server.get(f"?_tag={mark}&_total=estimate&_count=2")).json()["total"] == 9


async def test_what_refers_to_several_types_comes_with_them(server: Server) -> None:
    mark = unique()
    patient = (await server.create(tagged(a_patient(), mark)))["id"]
    found = (await server.create(tagged(an_observation(f"Patient/{patient}"), mark)))["id"]
    other = (await server.create(an_observation(f"Patient/{patient}")))["id"]

    url = f"?_tag={mark}&_type=Patient,Observation&_revinclude=Observation:subject&_include=*"
    bundle = (await server.get(url)).json()

    assert names(bundle) == [f"Patient/{patient}", f"Observation/{found}", f"Observation/{other}"]
    assert [each["search"]["mode"] for each in bundle["entry"]] == ["match", "match", "include"]


REFUSED = [
    ("?_type=Patientt", 400, "invalid", "_type: 'Patientt' is not a resource type of FHIR R4. Did"),
    ("?_type=", 400, "invalid", "_type: '' is not a resource type of FHIR R4."),
    ("?_type=Patient&_type=Device", 400, "invalid", "_type is given twice; several types are wr"),
    (
        "?_type=Patient,Device&birthdate=1980",
        400,
        "not-supported",
        "Device has no search parameter",
    ),
    ("?_type=Patient,Device&_sort=name", 400, "not-supported", "_sort: Device has no search para"),
    ("?_type=Patient&_include=Device:patient", 400, "invalid", "_include: Device:patient does n"),
    ("Patient/1/Organization", 404, "not-found", "Organization is never in the compartment of a"),
    ("Patient/1/Observatio", 404, "not-found", "'Observatio' is not a resource type of FHIR R4."),
    ("Organization/1/Observation", 404, "not-found", "Organization is not the type of a compart"),
    ("Organization/1/*", 404, "not-found", "Organization is not the type of a compartment; Devi"),
    ("Foo/1/Observation", 404, "not-found", "'Foo' is not a resource type of FHIR R4."),
    ("Patient/1/*?_type=Organization", 400, "invalid", "_type: 'Organization' is not a type that"),
    (
        "Patient/1/Observation?cod=1",
        400,
        "not-supported",
        "Observation has no search parameter 'co",
    ),
]


@pytest.mark.parametrize(("url", "status", "code", "words"), REFUSED)
async def test_a_wrong_scope_is_refused(
    server: Server, url: str, status: int, code: str, words: str
) -> None:
    response = await server.get(url)

    (issue,) = response.json()["issue"]
    assert (response.status_code, issue["code"]) == (status, code)
    assert issue["diagnostics"].startswith(words)


async def test_a_compartment_can_only_be_searched(server: Server) -> None:
    response = await server.delete("Patient/1/Observation")

    assert_issue(
        response, 405, "not-supported", "DELETE is not possible here. Possible: GET, HEAD."
    )


async def test_lenient_handling_leaves_out_what_one_type_lacks(server: Server) -> None:
    response = await server.get(
        "?_type=Patient,Device&birthdate=1980&_tag=none", prefer="handling=lenient"
    )

    assert link(response, "self") == f"{BASE}?_type=Patient,Device&_tag=none"


class Ward:
    """Two patients, and what belongs to the first, to its encounter, doctor and device."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.names: dict[str, str] = {}

    async def add(self, name: str, type_: str, **members: Any) -> str:
        stored = await self._server.create({"resourceType": type_, **members})
        self.names[f"{type_}/{stored['id']}"] = name
        return f"{type_}/{stored['id']}"

    async def found(self, url: str) -> str:
        response = await self._server.get(url)
        assert response.status_code == 200, response.text
        return " ".join(sorted(self.names.get(name, name) for name in names(response.json())))


def to(reference: str) -> dict[str, str]:
    return {"reference": reference}


async def test_a_compartment_has_what_belongs_to_its_owner(server: Server) -> None:
    ward = Ward(server)
    patient, other = [await ward.add(name, "Patient") for name in ("patient", "other")]
    doctor = await ward.add("doctor", "Practitioner")
    device = await ward.add("device", "Device", patient=to(patient))
    visit = await ward.add(
        "visit", "Encounter", status="finished", subject=to(patient),
        participant=[{"individual": to(doctor)}], **{"class": {"code": "AMB"}},
    )  # fmt: skip
    base = {"status": "final", "code": {"text": "x"}}
    await ward.add(
        "weight", "Observation", subject=to(patient), encounter=to(visit),
        performer=[to(doctor)], device=to(device), **base,
    )  # fmt: skip
    await ward.add("by-patient", "Observation", subject=to(other), performer=[to(patient)], **base)
    await ward.add("others", "Observation", subject=to(other), **base)
    await ward.add("relative", "RelatedPerson", patient=to(patient))

    for url, expected in {
        f"{patient}/Observation": "by-patient weight",
        f"{patient}/Observation?performer={doctor}": "weight",
        f"{patient}/Observation?_count=1&_sort=-_id": "by-patient",
        f"{patient}/Patient": "patient",
        f"{patient}/*": "by-patient patient relative visit weight",
        f"{patient}/*?_type=Encounter,Observation": "by-patient visit weight",
        f"{visit}/Observation": "weight",
        f"{visit}/*": "visit weight",
        f"{visit}/Encounter": "visit",
        f"{doctor}/*": "doctor visit weight",
        f"{doctor}/Observation?status=final": "weight",
        f"{doctor}/Observation?status=registered": "",
        f"{device}/*": "device weight",
        f"{other}/Observation": "by-patient others",
        "Patient/unheard-of/*": "",
    }.items():
        assert await ward.found(url) == expected, url
    assert await server.count(f"{patient}/*?_type=Observation") == 2


async def test_a_compartment_is_searched_by_post_and_page_by_page(server: Server) -> None:
    patient = f"Patient/{(await server.create(a_patient()))['id']}"
    for _ in range(3):
        await server.create(an_observation(patient))
    first = await server.get(f"{patient}/Observation?_count=2")

    assert link(first, "self") == f"{BASE}/{patient}/Observation?_count=2"
    assert [len(page) for page in await walk(server, f"{patient}/Observation?_count=2")] == [2, 1]
    form = b"_count=2&status=final"
    for path, number in ((f"{patient}/Observation/_search", 2), (f"{patient}/_search", 0),
                         (f"{patient}/*/_search", 0)):  # fmt: skip
        body = form if number else b"_count=10"
        response = await server.post(path, body, content_type=FORM)
        assert response.status_code == 200, response.text
        assert len(names(response.json())) == (number or 4)
    following = (link(first, "next") or "").replace(patient, "Patient/another")
    assert (await server.get(following)).status_code == 400


@pytest.mark.parametrize("start", ["embedded"], indirect=True, scope="module")
@pytest.mark.parametrize("owner", OWNERS)
async def test_every_type_of_every_compartment_can_be_searched(server: Server, owner: str) -> None:
    definition = load_definitions().compartment(owner)
    assert definition is not None
    for type_ in definition:
        response = await server.get(f"{owner}/nobody/{type_}")
        assert (response.status_code, response.json().get("total")) == (200, 0), type_
