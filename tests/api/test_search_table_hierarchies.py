"""https://hl7.org/fhir/R4/search.html#recursive and #versions: `:below`, `:above` of references."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.search_tables import Loaded, Resource, Row, labelled, load
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio

ELSEWHERE = "https://elsewhere.example/fhir/Location/far"


def parts(type_: str, element: str, of: Mapping[str, str], **members: Any) -> list[Resource]:
    """Resources by label, each with what it is a part of; an empty text for nothing."""
    return labelled(
        type_,
        {
            label: {**members, **({element: {"reference": upper}} if upper else {})}
            for label, upper in of.items()
        },
    )


LOCATIONS = parts(
    "Location",
    "partOf",
    {
        "hospital": "",
        "ward-a": "Location/hospital",
        "ward-b": f"{BASE}/Location/hospital",
        "room-a1": "Location/ward-a/_history/1",
        "bed-a1": "Location/room-a1",
        "orphan": "Location/nowhere",
        "remote": ELSEWHERE,
        # a circle, and a way into it
        "ring-1": "Location/ring-2",
        "ring-2": "Location/ring-3",
        "ring-3": "Location/ring-1",
        "ring-tail": "Location/ring-1",
        "ring-self": "Location/ring-self",
        # one more with the same id in another type
        "clinic": "",
    },
)
ORGANIZATIONS = parts("Organization", "partOf", {"group": "", "site": "Organization/group"})
STAYS = parts(
    "Encounter",
    "partOf",
    {"stay": "", "visit": "Encounter/stay", "look": "Encounter/visit"},
    status="finished",
    **{"class": {"code": "IMP"}},
)
SPECIMENS = labelled(
    "Specimen",
    {
        "blood": {},
        "urine": {},
        "pool": {"parent": [{"reference": "Specimen/blood"}, {"reference": "Specimen/urine"}]},
        "slide": {"parent": [{"reference": "Specimen/pool"}]},
    },
)


def procedures(**at: str) -> list[Resource]:
    found = {
        label: {
            "status": "completed",
            "subject": {"reference": "Patient/1"},
            "location": {"reference": place},
        }
        for label, place in at.items()
    }
    return labelled("Procedure", found)


PROCEDURES = procedures(
    **{
        "at-hospital": "Location/hospital",
        "at-ward-a": f"{BASE}/Location/ward-a",
        "at-ward-b": "Location/ward-b",
        "at-bed": "Location/bed-a1",
        "at-orphan": "Location/orphan",
        "at-nowhere": "Location/nowhere",
        "at-remote": "Location/remote",
        "at-elsewhere": ELSEWHERE,
        "at-ring-2": "Location/ring-2",
        "at-tail": "Location/ring-tail",
    }
)
GIVEN = labelled(
    "MedicationAdministration",
    {
        f"in-{at}": {
            "status": "completed",
            "medicationCodeableConcept": {"text": "x"},
            "effectiveDateTime": "2020",
            "subject": {"reference": "Patient/1"},
            "context": {"reference": f"Encounter/{at}"},
        }
        for at in ("stay", "visit", "look")
    },
)
OBSERVED = labelled(
    "Observation",
    {
        "of-ward": {
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": "Location/ward-a"},
        },
        "of-patient": {
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": "Patient/hospital"},
            "specimen": {"reference": "Specimen/slide"},
        },
    },
)
BELOW: list[Row] = [
    ("Procedure?location:below=hospital", "at-hospital at-ward-a at-ward-b at-bed"),
    ("Procedure?location:below=Location/hospital", "at-hospital at-ward-a at-ward-b at-bed"),
    (f"Procedure?location:below={BASE}/Location/ward-a", "at-ward-a at-bed"),
    ("Procedure?location:below=Location/ward-a/_history/7", "at-ward-a at-bed"),
    ("Procedure?location:below=bed-a1", "at-bed"),
    ("Procedure?location:below=ward-b,bed-a1", "at-ward-b at-bed"),
    # what is not there may be referred to all the same
    ("Procedure?location:below=nowhere", "at-nowhere at-orphan"),
    ("Procedure?location:below=never-heard-of", ""),
    (f"Procedure?location:below={ELSEWHERE}", "at-elsewhere at-remote"),
    # circles end
    ("Procedure?location:below=ring-1", "at-ring-2 at-tail"),
    ("Procedure?location:below=ring-tail", "at-tail"),
    ("Location?partof:below=ring-self", "ring-self"),
    # of the hierarchy itself: those whose parent is the value or below it
    ("Location?partof:below=hospital", "ward-a ward-b room-a1 bed-a1"),
    ("Organization?partof:below=group", "site"),
    # several parents
    ("Observation?specimen:below=blood", "of-patient"),
    ("Observation?specimen:below=urine", "of-patient"),
    ("Specimen?parent:below=blood", "pool slide"),
    # only some of its types have a hierarchy
    ("Observation?subject:below=Location/hospital", "of-ward"),
    ("Observation?subject:below=hospital", "of-ward"),
    # with another criterion, in a chain, reversed, and turned round by a type
    ("Procedure?location:below=hospital&location:below=ward-a", "at-ward-a at-bed"),
    ("Procedure?location.partof:below=ward-a", "at-bed"),
    ("Location?_has:Procedure:location:location:below=ward-a", "ward-a bed-a1"),
]
ABOVE: list[Row] = [
    ("MedicationAdministration?context:above=look", "in-stay in-visit in-look"),
    ("MedicationAdministration?context:above=Encounter/visit", "in-stay in-visit"),
    ("MedicationAdministration?context:above=stay", "in-stay"),
    ("Procedure?location:above=bed-a1", "at-hospital at-ward-a at-bed"),
    ("Procedure?location:above=orphan", "at-orphan at-nowhere"),
    ("Procedure?location:above=remote", "at-remote at-elsewhere"),
    ("Procedure?location:above=ring-tail", "at-ring-2 at-tail"),
    ("Procedure?location:above=bed-a1,ward-b", "at-hospital at-ward-a at-ward-b at-bed"),
    ("Location?partof:above=bed-a1", "ward-a ward-b room-a1 bed-a1"),
    ("Specimen?parent:above=slide", "pool slide"),
]
Q, PROFILE = "http://example.org/q", "http://example.org/p"
ANSWERS = labelled(
    "QuestionnaireResponse",
    {
        label: {"status": "completed", "questionnaire": canonical}
        for label, canonical in {
            "any": Q,
            "one": f"{Q}|1",
            "one-zero": f"{Q}|1.0",
            "one-one-three": f"{Q}|1.1.3",
            "two": f"{Q}|2.0",
            "eleven": f"{Q}|11",
            "other": f"{Q}x|1.0",
            "typed": "http://example.org/Questionnaire/t",
            "deep": f"{Q}-deep|" + ".".join(["1"] * 40),
        }.items()
    },
)
PROFILED = labelled(
    "Basic",
    {
        label: {"code": {"text": "x"}, "meta": {"profile": [profile]}}
        for label, profile in {
            "p-any": PROFILE,
            "p-one": f"{PROFILE}|1",
            "p-one-zero": f"{PROFILE}|1.0",
            "p-eleven": f"{PROFILE}|11",
            "p-inner": f"{PROFILE}/x",
        }.items()
    },
)
LIBRARIES = labelled(
    "Library",
    {
        label: {
            "status": "active",
            "type": {"text": "x"},
            "relatedArtifact": [{"type": kind, "resource": canonical}],
        }
        for label, kind, canonical in (
            ("on-one", "depends-on", "http://example.org/Library/l|1.2"),
            ("on-two", "depends-on", "http://example.org/Library/l|2"),
            ("after", "successor", "http://example.org/Library/l|1.2"),
        )
    },
)
VERSIONS: list[Row] = [
    ("Library?depends-on:below=http://example.org/Library/l", "on-one on-two"),
    ("Library?depends-on:below=http://example.org/Library/l|1", "on-one"),
    ("Library?successor:below=http://example.org/Library/l|1", "after"),
    (
        f"QuestionnaireResponse?questionnaire:below={Q}",
        "any one one-zero one-one-three two eleven",
    ),
    (f"QuestionnaireResponse?questionnaire:below={Q}|1", "one one-zero one-one-three"),
    (f"QuestionnaireResponse?questionnaire:below={Q}|1.1", "one-one-three"),
    (f"QuestionnaireResponse?questionnaire:below={Q}|1.0", "one-zero"),
    (f"QuestionnaireResponse?questionnaire:below={Q}|3", ""),
    (f"QuestionnaireResponse?questionnaire:below={Q}-deep|1.1.1", "deep"),
    ("QuestionnaireResponse?questionnaire:below=http://example.org/Questionnaire/t", "typed"),
    # without the modifier a version is the whole version
    (f"QuestionnaireResponse?questionnaire={Q}|1", "one"),
    (f"Basic?_profile:below={PROFILE}|1", "p-one p-one-zero"),
    (f"Basic?_profile:below={PROFILE}", "p-any p-one p-one-zero p-eleven p-inner"),
]
REFUSED: list[tuple[str, str]] = [
    ("Procedure?subject:below=Patient/1", "subject takes :missing or :identifier"),
    ("Observation?subject:below=Patient/1", "Patient has no :below; Location may have one"),
    ("Procedure?location:below=a b", "write an id, Type/id, or an absolute url"),
    ("Procedure?location:below=Organization/1", "Organization has no :below; Location may"),
    ("QuestionnaireResponse?questionnaire:above=http://example.org/q", "takes :missing or"),
    (f"QuestionnaireResponse?questionnaire:below={Q}|" + ".".join("1" * 17), "at most 16 parts"),
    ("Library?depends-on:above=http://example.org/Library/l|1", "depends-on takes :missing or"),
    ("Patient?_id:below=1", "_id takes :missing or :not"),
    ("Patient?_lastUpdated:not=2020", "_lastUpdated takes :missing"),
    ("Patient?_id:missing=1", "_id:missing is either true or false"),
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    resources = [*LOCATIONS, *ORGANIZATIONS, *STAYS, *SPECIMENS, *PROCEDURES, *GIVEN, *OBSERVED]
    return await load(server, [*resources, *ANSWERS, *PROFILED, *LIBRARIES])


@pytest.mark.parametrize("row", BELOW + ABOVE + VERSIONS, ids=lambda row: row[0])
async def test_what_is_above_or_below_is_found(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize(("url", "advice"), REFUSED)
async def test_what_has_no_hierarchy_is_refused_with_what_would_be_right(
    loaded: Loaded, url: str, advice: str
) -> None:
    response = await loaded.server.get(url.replace(" ", "%20"))
    assert response.status_code == 400, response.text
    assert advice in response.json()["issue"][0]["diagnostics"]


STORED: list[Row] = [
    ("Organization?_id:not=site", "group"),
    ("Organization?_id:not=site,group", ""),
    ("Organization?_id:missing=true", ""),
    ("Organization?_id:missing=false", "group site"),
    ("Organization?_lastUpdated:missing=true", ""),
    ("Organization?_lastUpdated:missing=false", "group site"),
    ("Organization?_lastUpdated:missing=false&_id:not=group", "site"),
]


@pytest.mark.parametrize("row", STORED, ids=lambda row: row[0])
async def test_every_resource_has_an_id_and_a_time(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


async def test_a_hierarchy_that_goes_on_for_too_long_is_too_costly(server: Server) -> None:
    levels = {f"t{n}": f"Task/t{n - 1}" for n in range(1, 120)}
    chain = parts("Task", "partOf", levels, status="draft", intent="plan")
    for each in chain:
        each["partOf"] = [each["partOf"]]
    await load(server, chain)
    assert await server.count("Task?part-of:below=t60") == 59
    response = await server.get("Task?part-of:below=t1")
    assert response.status_code == 400
    (issue,) = response.json()["issue"]
    assert issue["code"] == "too-costly"
    assert "Task goes on for over 100 levels" in issue["diagnostics"]
