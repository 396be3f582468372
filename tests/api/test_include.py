"""https://hl7.org/fhir/R4/search.html#include: what comes with the matches"""

from typing import Any

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient, an_observation, unique
from tests.support.server import BASE, Server, Start

pytestmark = pytest.mark.anyio

Entries = list[tuple[str, str]]


async def entries(server: Server, query: str) -> Entries:
    """Each entry's mode and `Type/id`, in order; the fullUrl must say the same."""
    response = await server.get(query)
    assert response.status_code == 200, response.text
    found = []
    for entry in response.json().get("entry", ()):
        resource, mode = entry["resource"], entry["search"]["mode"]
        if mode == "outcome":
            found.append((mode, resource["issue"][0]["diagnostics"]))
            continue
        name = f"{resource['resourceType']}/{resource['id']}"
        assert entry["fullUrl"] == f"{BASE}/{name}"
        found.append((mode, name))
    return found


async def stored(server: Server, type_: str, **members: Any) -> str:
    """`Type/id` of a new resource, with an id of ours if one is given."""
    resource = {"resourceType": type_, **members}
    made = await (server.update(resource) if "id" in members else server.create(resource))
    return f"{type_}/{made['id']}"


def to(reference: str) -> dict[str, str]:
    return {"reference": reference}


class World:
    """An encounter with a patient, an organisation and practitioners, and who refers to it."""

    def __init__(self, mark: str, names: dict[str, str]) -> None:
        self.mark = mark
        self.names = names

    def named(self, found: Entries) -> list[str]:
        """Modes and short names, such as `match e`."""
        short = {name: key for key, name in self.names.items()}
        return [f"{mode} {short.get(name, name)}" for mode, name in found]


async def world(server: Server) -> World:
    mark = unique()
    names: dict[str, str] = {}
    names["o1"] = await stored(server, "Organization", name="above")
    names["o2"] = await stored(server, "Organization", name="middle", partOf=to(names["o1"]))
    names["o3"] = await stored(server, "Organization", name="below", partOf=to(names["o2"]))
    patient = a_patient(mark, managingOrganization=to(names["o3"]))
    names["p"] = f"Patient/{(await server.create(patient))['id']}"
    names["d"] = await stored(server, "Practitioner")
    for name in ("e", "f"):
        names[name] = await stored(
            server,
            "Encounter",
            identifier=[{"system": "https://example.org/tests", "value": mark}],
            status="finished",
            subject=to(f"{BASE}/{names['p']}"),
            serviceProvider=to(names["o3"]),
            participant=[{"individual": to(names["d"])}, {"individual": to("Practitioner/gone")}],
            **{"class": {"code": "AMB"}},
        )
    names["x"] = f"Observation/{(await server.create(an_observation(names['p'])))['id']}"
    names["y"] = await stored(
        server, "Observation", status="final", code={"text": "y"}, subject=to(names["p"]),
        encounter=to(names["e"]), hasMember=[to(names["x"])],
    )  # fmt: skip
    names["v"] = await stored(
        server, "Provenance", target=[to(names["y"])], recorded="2020-01-01T00:00:00Z",
        agent=[{"who": to(names["d"])}],
    )  # fmt: skip
    return World(mark, names)


CASES = [
    ("_include=Encounter:patient", "match e, match f, include p"),
    ("_include=Encounter:subject", "match e, match f, include p"),
    ("_include=Encounter:subject:Patient", "match e, match f, include p"),
    ("_include=Encounter:subject:Group", "match e, match f"),
    (
        "_include=Encounter:patient&_include=Encounter:service-provider",
        "match e, match f, include p, include o3",
    ),
    ("_include=Encounter:participant", "match e, match f, include d"),
    ("_include=Encounter:*", "match e, match f, include d, include p, include o3"),
    ("_include=*", "match e, match f, include d, include p, include o3"),
    ("_include=Encounter:*:Patient", "match e, match f, include p"),
    ("_count=1&_include=Encounter:patient", "match e, include p"),
    ("_revinclude=Observation:encounter", "match e, match f, include y"),
    ("_revinclude=Observation:*", "match e, match f, include y"),
    ("_revinclude=*", "match e, match f, include y"),
    ("_revinclude=Observation:encounter:Encounter", "match e, match f, include y"),
    (
        "_revinclude=Observation:encounter&_revinclude:iterate=Provenance:target",
        "match e, match f, include y, include v",
    ),
    (
        "_include=Encounter:patient&_include:iterate=Patient:organization",
        "match e, match f, include p, include o3",
    ),
    (
        "_include=Encounter:patient&_include:recurse=Patient:organization",
        "match e, match f, include p, include o3",
    ),
    (
        "_include:iterate=Organization:partof&_include=Encounter:service-provider",
        "match e, match f, include o3, include o2, include o1",
    ),
    (
        "_include=Encounter:patient&_include=Patient:organization",
        (
            "_include: Patient:organization does not begin at Encounter, which is searched for; to "
            "follow what was included, write _include:iterate."
        ),
    ),
    (
        "_include=Encounter:patient&_revinclude:iterate=Observation:subject",
        "match e, match f, include p, include x, include y",
    ),
]


@pytest.mark.parametrize("start", ["embedded", "mongodb"], indirect=True, scope="module")
async def test_what_is_linked_comes_with_the_matches(server: Server) -> None:
    here = await world(server)
    for query, expected in CASES:
        url = f"Encounter?identifier={here.mark}&{query}"
        if expected.startswith("_"):
            assert_issue(await server.get(url), 400, "invalid", expected)
            continue
        found = here.named(await entries(server, url))
        assert found == expected.split(", "), query
    turned = await entries(server, f"Patient?identifier={here.mark}&_revinclude=Encounter:patient")
    assert here.named(turned) == ["match p", "include e", "include f"]
    both = f"Observation?patient={here.names['p']}&_include=Observation:has-member"
    assert here.named(await entries(server, both)) == ["match x", "match y"]


async def test_what_a_new_version_refers_to_is_included_for_each_parameter(server: Server) -> None:
    """Whatever was asked before, of the version before or by another parameter."""
    before = await stored(server, "Patient", active=True)
    after = await stored(server, "Patient", active=False)
    place = await stored(server, "Organization", name="place")
    encounter = await stored(
        server,
        "Encounter",
        status="finished",
        subject=to(before),
        serviceProvider=to(place),
        **{"class": {"code": "AMB"}},
    )
    _, id_ = encounter.split("/")
    query = f"Encounter?_id={id_}&_include=Encounter:"
    for _ in range(2):
        assert await entries(server, f"{query}patient") == [
            ("match", encounter),
            ("include", before),
        ]
        assert await entries(server, f"{query}service-provider") == [
            ("match", encounter),
            ("include", place),
        ]
    resource = (await server.get(encounter)).json()
    await server.update(resource | {"subject": to(after)})
    assert await entries(server, f"{query}patient") == [("match", encounter), ("include", after)]
    assert await entries(server, f"{query}service-provider") == [
        ("match", encounter),
        ("include", place),
    ]


async def test_iterating_ends_at_its_depth_and_says_so(server: Server) -> None:
    mark = unique()
    above, found = "", []
    for number in range(5):
        part = {"partOf": to(above)} if above else {}
        above = await stored(server, "Organization", name=f"{mark}-{number}", **part)
        found.append(above)
    following = "&_include:iterate=Organization:partof"

    *included, told = await entries(server, f"Organization?name={mark}-4{following}")

    assert [name for _, name in included] == found[:0:-1]
    assert told == (
        "outcome",
        "What is more than 3 links away from a match was not included.",
    )
    whole = await entries(server, f"Organization?name={mark}-3{following}")
    assert [name for _, name in whole] == found[3::-1]


async def test_a_circle_is_walked_once(server: Server) -> None:
    one, two = unique(), unique()
    await stored(server, "Organization", id=one, name=one, partOf=to(f"Organization/{two}"))
    await stored(server, "Organization", id=two, name=two, partOf=to(f"Organization/{one}"))

    found = await entries(server, f"Organization?name={one}&_include:iterate=Organization:partof")

    assert found == [("match", f"Organization/{one}"), ("include", f"Organization/{two}")]


async def test_no_more_is_included_than_allowed_and_the_answer_says_so(start: Start) -> None:
    async with start(max_included=3) as server:
        patient = f"Patient/{(await server.create(a_patient()))['id']}"
        for _ in range(4):
            await server.create(an_observation(patient))

        found = await entries(
            server, f"{patient.replace('/', '?_id=')}&_revinclude=Observation:subject"
        )
        fewer = await entries(server, "Observation?_count=3&_include=Observation:subject")

    assert [mode for mode, _ in found] == ["match", "include", "include", "include", "outcome"]
    assert found[-1][1] == (
        "More than 3 resources would have been included; the rest was left out. Ask for fewer "
        "matches at once with _count, or follow fewer links."
    )
    assert [mode for mode, _ in fewer] == ["match", "match", "match", "include"]


async def test_a_reference_to_a_version_includes_that_version(server: Server) -> None:
    id_ = unique()
    await server.update(a_patient(id=id_, gender="male"))
    await server.update(a_patient(id=id_, gender="female"))
    mark = unique()
    await server.create(an_observation(f"Patient/{id_}/_history/1", mark))
    await server.create(an_observation(f"Patient/{id_}/_history/7", mark))

    response = await server.get(f"Observation?identifier={mark}&_include=Observation:subject")

    (included,) = [e for e in response.json()["entry"] if e["search"]["mode"] == "include"]
    assert (included["resource"]["gender"], included["resource"]["meta"]["versionId"]) == (
        "male",
        "1",
    )
    await server.create(an_observation(f"Patient/{id_}", mark))
    response = await server.get(f"Observation?identifier={mark}&_include=Observation:subject")
    included = [e["resource"] for e in response.json()["entry"] if e["search"]["mode"] == "include"]
    assert sorted(each["meta"]["versionId"] for each in included) == ["1", "2"]


async def test_what_cannot_be_resolved_is_left_out(server: Server) -> None:
    mark = unique()
    gone = (await server.create(a_patient()))["id"]
    await server.delete(f"Patient/{gone}")
    for reference in (
        f"Patient/{gone}", "Patient/never-there", "https://elsewhere.example/Patient/1",
        "#inside", "urn:uuid:6f0f0a4e-6a5c-4f6e-8d2a-0a3d5c1b2e3f", "Unheard/1",
    ):  # fmt: skip
        resource = an_observation(
            mark=mark, contained=[{"resourceType": "Patient", "id": "inside"}]
        )
        await server.create(resource | {"subject": to(reference)})
    await server.create(an_observation(mark=mark) | {"subject": {"display": "somebody"}})

    found = await entries(server, f"Observation?identifier={mark}&_include=*")

    assert [mode for mode, _ in found] == ["match"] * 7


async def test_a_canonical_is_resolved_by_its_url(server: Server) -> None:
    url, mark = f"http://example.org/q/{unique()}", unique()
    one = await stored(server, "Questionnaire", url=url, version="1", status="active")
    two = await stored(server, "Questionnaire", url=url, version="2", status="active")
    answers = {
        stated: await stored(
            server, "QuestionnaireResponse", questionnaire=f"{url}{stated}", status="completed",
            identifier={"system": "https://example.org/tests", "value": mark},
        )
        for stated in ("|2", "|3", "")
    }  # fmt: skip
    found = {
        stated: {
            name
            for mode, name in await entries(
                server,
                f"QuestionnaireResponse?_id={answer.partition('/')[2]}"
                "&_include=QuestionnaireResponse:questionnaire",
            )
            if mode == "include"
        }
        for stated, answer in answers.items()
    }
    assert found == {"|2": {two}, "|3": set(), "": {one, two}}

    turned = await entries(
        server, f"Questionnaire?url={url}&_revinclude=QuestionnaireResponse:questionnaire"
    )
    assert {name for mode, name in turned if mode == "include"} == set(answers.values())


REFUSED = [
    ("_include=Encounter", "invalid", "_include=Encounter is not understood. Write Type:parameter"),
    ("_include=Encountr:subject", "invalid", "_include: 'Encountr' is not a resource type of"),
    ("_include=Encounter:subjct", "not-supported", "_include: Encounter has no search parameter "),
    ("_include=Encounter:status", "not-supported", "_include: Encounter has a token parameter 's"),
    ("_include=Encounter:subject:Device", "invalid", "_include: Encounter:subject refers to Group"),
    ("_include=Encounter:subject:Devce", "invalid", "_include: 'Devce' is not a resource type"),
    ("_revinclude=Patient:organization", "invalid", "_revinclude: Patient:organization never ref"),
    ("_revinclude=Provenance:recorded", "not-supported", "_revinclude: Provenance has a date par"),
    ("_include:all=Encounter:subject", "invalid", "_include does not take :all. Write Type:"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "code", "words"), REFUSED)
async def test_an_inclusion_that_can_include_nothing_is_refused(
    server: Server, query: str, code: str, words: str
) -> None:
    response = await server.get(f"Encounter?{query}")

    assert response.status_code == 400, response.text
    (issue,) = response.json()["issue"]
    assert (issue["code"], issue["diagnostics"][: len(words)]) == (code, words)
