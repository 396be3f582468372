"""https://hl7.org/fhir/R4/search.html#subsumption: `:in`, `:not-in`, `:below`, `:above`."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.search_tables import Loaded, Row, labelled, load, quoted
from tests.support.server import BASE, Server
from tests.support.terminologies import (
    SETS,
    chosen,
    code_system,
    concept,
    observed,
    of,
    value_set,
)

pytestmark = pytest.mark.anyio

NESTED, GRAPH, PLAIN = (f"http://example.org/cs/{name}" for name in ("nested", "graph", "plain"))
RING, PART, CASED = (f"http://example.org/cs/{name}" for name in ("ring", "part", "cased"))
ENCOUNTER = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
GENDERS = "http://hl7.org/fhir/ValueSet/administrative-gender"
GENDER = "http://hl7.org/fhir/administrative-gender"


CODE_SYSTEMS: Mapping[str, Mapping[str, Any]] = {
    "nested": code_system(
        NESTED,
        concept(
            "animal",
            concept("dog", concept("poodle"), concept("beagle")),
            concept("cat"),
            notSelectable=True,
        ),
        concept("plant", concept("oak")),
    ),
    "graph": code_system(
        GRAPH,
        concept("top", child="left"),
        concept("left"),
        concept("right", parent="top"),
        # below both sides
        concept("both", parent="left", subsumedBy="right"),
        concept("alone"),
    ),
    "plain": code_system(PLAIN, concept("p1"), concept("p2")),
    "ring": code_system(RING, concept("r1", parent="r2"), concept("r2", parent="r1")),
    "part": code_system(PART, concept("known"), content="fragment"),
    "cased": code_system(CASED, concept("Upper", concept("Lower")), caseSensitive=True),
}
VALUE_SETS: Mapping[str, Mapping[str, Any]] = {
    "listed": value_set("listed", of(NESTED, "dog", "oak"), of(PLAIN, "p1")),
    "unknown-listed": value_set("unknown-listed", of("http://example.org/nowhere", "x")),
    "whole": value_set("whole", of(NESTED)),
    "dogs": value_set("dogs", chosen(NESTED, "is-a", "dog")),
    "puppies": value_set("puppies", chosen(NESTED, "descendent-of", "dog")),
    "no-dogs": value_set("no-dogs", chosen(NESTED, "is-not-a", "dog")),
    "outer": value_set("outer", {"valueSet": [f"{SETS}/dogs"]}, of(PLAIN, "p2")),
    "both": value_set("both", {"valueSet": [f"{SETS}/whole", f"{SETS}/listed"]}),
    "narrowed": value_set("narrowed", {**of(NESTED), "valueSet": [f"{SETS}/listed"]}),
    "without": value_set("without", of(NESTED), exclude=[chosen(NESTED, "is-a", "dog")]),
    "less": value_set("less", of(PLAIN), exclude=[{"valueSet": [f"{SETS}/listed"]}]),
    "published": value_set("published", {"valueSet": [GENDERS]}, exclude=[of(GENDER, "male")]),
    "expanded": {
        "url": f"{SETS}/expanded",
        "status": "active",
        "expansion": {
            "timestamp": "2020",
            "contains": [
                {"display": "a heading", "contains": [{"system": PLAIN, "code": "p1"}]},
                {"system": NESTED, "code": "animal", "abstract": True},
            ],
        },
    },
    "page": value_set(
        "page",
        of(PLAIN, "p2"),
        expansion={
            "timestamp": "2020",
            "total": 2,
            "contains": [{"system": PLAIN, "code": "p1"}],
        },
    ),
    "old": value_set("versions", of(PLAIN, "p1"), version="1", status="retired"),
    "new": value_set("versions", of(PLAIN, "p2"), version="2"),
    "circle": value_set("circle", {"valueSet": [f"{SETS}/circle"]}),
    "long-circle": value_set("long-circle", {"valueSet": [f"{SETS}/back"]}),
    "back": value_set("back", {"valueSet": [f"{SETS}/long-circle"]}),
    "loinc": value_set("loinc", of("http://loinc.org")),
    "nested-loinc": value_set("nested-loinc", {"valueSet": [f"{SETS}/loinc"]}),
    "pattern": value_set("pattern", chosen(PLAIN, "regex", "p.*", "colour")),
    "bare": {"url": f"{SETS}/bare", "status": "active"},
}


OBSERVATIONS = [
    *observed(
        {
            "animal": [(NESTED, "animal")],
            "dog": [(NESTED, "dog")],
            "poodle": [(NESTED, "POODLE")],
            "cat": [(NESTED, "cat")],
            "oak": [(NESTED, "oak")],
            "p1": [(PLAIN, "p1")],
            "p2": [(PLAIN, "p2")],
            "two": [(PLAIN, "p2"), (NESTED, "beagle")],
            "top": [(GRAPH, "top")],
            "left": [(GRAPH, "left")],
            "right": [(GRAPH, "right")],
            "down": [(GRAPH, "both")],
            "ring": [(RING, "r1")],
            "lower": [(CASED, "lower")],
            "no-system": [(None, "dog")],
            "other-system": [("http://example.org/other", "dog")],
        }
    ),
    {"resourceType": "Observation", "id": "text", "status": "final", "code": {"text": "dog"}},
]
EVERYONE = {each["id"] for each in OBSERVATIONS}


def all_but(labels: str) -> str:
    return " ".join(sorted(EVERYONE - set(labels.split())))


def by_set(name: str, labels: str, modifier: str = "in") -> Row:
    return f"Observation?code:{modifier}={SETS}/{name}", labels


IN: list[Row] = [
    by_set("listed", "dog oak p1"),
    by_set("unknown-listed", ""),
    by_set("whole", "dog poodle cat oak two"),
    by_set("dogs", "dog poodle two"),
    by_set("puppies", "poodle two"),
    by_set("no-dogs", "cat oak"),
    by_set("outer", "dog poodle p2 two"),
    by_set("both", "dog oak"),
    by_set("narrowed", "dog oak"),
    by_set("without", "cat oak"),
    by_set("less", "p2 two"),
    by_set("expanded", "p1"),
    # a page is not the whole, the rules are
    by_set("page", "p2 two"),
    # by version; without one what is in force comes first
    by_set("versions|1", "p1"),
    by_set("versions|2", "p2 two"),
    by_set("versions", "p2 two"),
    # by address
    ("Observation?code:in=ValueSet/listed", "dog oak p1"),
    (f"Observation?code:in={BASE}/ValueSet/listed", "dog oak p1"),
    # several, and together with others
    (f"Observation?code:in={SETS}/puppies,{SETS}/versions|1", "poodle two p1"),
    (f"Observation?code:in={SETS}/whole&code:in={SETS}/versions", "two"),
    (f"Observation?code:in={SETS}/whole&code:not=dog", "poodle cat oak two"),
    (f"Observation?combo-code:in={SETS}/dogs", "dog poodle two"),
    by_set("listed", all_but("dog oak p1"), "not-in"),
    by_set("unknown-listed", all_but(""), "not-in"),
    (f"Observation?code:not-in={SETS}/whole,{SETS}/versions", all_but("dog poodle cat oak two p2")),
    # published ones; a code alone is of the system its element is bound to
    (f"Patient?gender:in={GENDERS}", "female male"),
    (f"Patient?gender:in={GENDERS}|4.0.1", "female male"),
    (f"Patient?gender:not-in={GENDERS}", "no-gender"),
    (f"Patient?gender:in={SETS}/published", "female"),
    (f"Patient?gender:not-in={SETS}/published", "male no-gender"),
    (f"Observation?status:in={GENDERS}", ""),
    # joined
    (f"Encounter?patient.gender:in={SETS}/published", "inpatient acute"),
    ("Patient?_has:Encounter:patient:class:below=" + ENCOUNTER + "|IMP", "female"),
]
BELOW: list[Row] = [
    (f"Observation?code:below={NESTED}|animal", "animal dog poodle cat two"),
    (f"Observation?code:below={NESTED}|dog", "dog poodle two"),
    (f"Observation?code:below={NESTED}|DOG", "dog poodle two"),
    (f"Observation?code:below={NESTED}|poodle", "poodle"),
    (f"Observation?code:below={NESTED}|dog,{NESTED}|plant", "dog poodle two oak"),
    (f"Observation?code:above={NESTED}|poodle", "animal dog poodle"),
    (f"Observation?code:above={NESTED}|animal", "animal"),
    # by properties, with several above one
    (f"Observation?code:below={GRAPH}|top", "top left right down"),
    (f"Observation?code:below={GRAPH}|left", "left down"),
    (f"Observation?code:above={GRAPH}|both", "top left right down"),
    (f"Observation?code:above={GRAPH}|alone", ""),
    # circles end
    (f"Observation?code:below={RING}|r2", "ring"),
    (f"Observation?code:above={RING}|r2", "ring"),
    # nothing lies below or above the others
    (f"Observation?code:below={PLAIN}|p2", "p2 two"),
    (f"Observation?code:below={CASED}|upper", "lower"),
    # published ones
    (f"Encounter?class:below={ENCOUNTER}|IMP", "inpatient acute"),
    (f"Encounter?class:below={ENCOUNTER}|_ActEncounterCode", "inpatient acute ambulatory"),
    (f"Encounter?class:above={ENCOUNTER}|ACUTE", "inpatient acute"),
    ("Patient?gender:below=female", "female"),
    (f"Patient?gender:below={GENDER}|female", "female"),
]
TYPES: Mapping[str, str] = {
    "xml": "text/xml",
    "xml-utf8": "text/xml; charset=UTF-8",
    "xml-packed": "TEXT/XML;charset=latin1",
    "xmlish": "text/xml-external-parsed-entity",
    "pdf": "application/pdf",
}
MIME: list[Row] = [
    ("DocumentReference?contenttype=text/xml", "xml"),
    ("DocumentReference?contenttype:below=text/xml", "xml xml-utf8 xml-packed"),
    ("DocumentReference?contenttype:below=Text/XML", "xml xml-utf8 xml-packed"),
    ("DocumentReference?contenttype:below=urn:ietf:bcp:13|text/xml", "xml xml-utf8 xml-packed"),
    ("DocumentReference?contenttype:below=text/xml; charset=utf-8", "xml-utf8"),
    ("DocumentReference?contenttype:below=application/pdf,text/x", "pdf"),
    ("DocumentReference?contenttype:above=text/xml; charset=utf-8", "xml xml-utf8"),
    ("DocumentReference?contenttype:above=text/xml", "xml"),
    ("DocumentReference?contenttype:missing=true", ""),
]
PATIENTS: Mapping[str, Mapping[str, Any]] = {
    "female": {"gender": "female", "active": True},
    "male": {"gender": "male"},
    "no-gender": {},
}
ENCOUNTERS = labelled(
    "Encounter",
    {
        label: {
            "status": "finished",
            "class": {"system": ENCOUNTER, "code": code},
            "subject": {"reference": f"Patient/{patient}"},
        }
        for label, code, patient in (
            ("inpatient", "IMP", "female"),
            ("acute", "ACUTE", "female"),
            ("ambulatory", "AMB", "male"),
        )
    },
)
DOCUMENTS = labelled(
    "DocumentReference",
    {
        label: {"status": "current", "content": [{"attachment": {"contentType": mime_type}}]}
        for label, mime_type in TYPES.items()
    },
)
REFUSED: list[tuple[str, str, str]] = [
    # what is not here
    ("Observation?code:below=http://loinc.org|1", "not-supported",
     "code:below=http://loinc.org|1: No codes of http://loinc.org are loaded here."),
    ("Observation?code:above=http://snomed.info/sct|1", "not-supported",
     "The code system http://snomed.info/sct cannot be asked: Its codes are not loaded."),
    (f"Observation?code:below={PART}|known", "not-supported", "Only a part of its codes is here"),
    (f"Observation?code:below={NESTED}|wolf", "code-invalid", "has no code wolf."),
    (f"Observation?code:in={SETS}/none", "not-supported",
     f"There is no value set {SETS}/none here."),
    (f"Observation?code:in={SETS}/versions|3", "not-supported", "versions|3 here."),
    (f"Observation?code:in={GENDERS}|9", "not-supported", "There is no value set"),
    ("Observation?code:in=ValueSet/none", "not-supported", "There is no ValueSet/none here."),
    (f"Observation?code:in={BASE}/ValueSet/none", "not-supported", "There is no value set"),
    # what cannot be followed to the last code
    (f"Observation?code:in={SETS}/loinc", "not-supported",
     f"value set {SETS}/loinc cannot be expanded: No codes of http://loinc.org are loaded here."),
    (f"Observation?code:not-in={SETS}/nested-loinc", "not-supported", "cannot be expanded: The va"),
    (f"Observation?code:in={SETS}/pattern", "not-supported",
     f"Codes of {PLAIN} are chosen by colour regex p.*, which cannot be followed"),
    (f"Observation?code:in={SETS}/bare", "not-supported", "It has no rules by which it takes "),
    (f"Observation?code:in={SETS}/circle", "processing", "includes itself"),
    (f"Observation?code:in={SETS}/long-circle", "processing", "includes itself"),
    ("Observation?code:in=http://hl7.org/fhir/ValueSet/body-site", "not-supported",
     "snomed.info/sct cannot be asked"),
    (f"Encounter?patient.gender:in={SETS}/none", "not-supported", "gender:in="),
    # what is no value
    ("Observation?code:in=genders", "invalid", "write the url of a value set, or ValueSet/id"),
    ("Observation?code:in=Patient/1", "invalid", "write the url of a value set, or ValueSet/id"),
    ("Observation?code:below=dog", "invalid", "the system is needed as well, as in `system|code`"),
    (f"Observation?code:below={NESTED}|", "invalid", "the system is needed as well"),
    ("Observation?code:above=|dog", "invalid", "the system is needed as well"),
    ("DocumentReference?contenttype:below=text", "invalid", "a mime type is needed, such as text/"),
    # what has no codes of a system
    (f"Patient?identifier:in={GENDERS}", "not-supported",
     "identifier takes :missing or :not or :text or :of-type."),
    (f"Patient?telecom:below={NESTED}|dog", "not-supported", "telecom takes :missing or :not."),
    (f"Patient?active:in={GENDERS}", "not-supported", "active takes :missing or :not."),
    (f"Patient?name:in={GENDERS}", "not-supported",
     "name takes :missing or :exact or :contains."),
    (f"Patient?birthdate:below={GENDERS}", "not-supported", "birthdate takes :missing."),
]  # fmt: skip


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    definitions = [*labelled("CodeSystem", CODE_SYSTEMS), *labelled("ValueSet", VALUE_SETS)]
    people = [*labelled("Patient", PATIENTS), *ENCOUNTERS]
    return await load(server, [*definitions, *OBSERVATIONS, *people, *DOCUMENTS])


@pytest.mark.parametrize("row", IN + BELOW + MIME, ids=lambda row: row[0])
async def test_codes_are_found_by_what_they_mean(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize(("url", "code", "advice"), REFUSED, ids=[each[0] for each in REFUSED])
async def test_what_cannot_be_told_is_refused_with_the_reason(
    loaded: Loaded, url: str, code: str, advice: str
) -> None:
    response = await loaded.server.get(quoted(url))
    assert response.status_code == 400, response.text
    (issue,) = response.json()["issue"]
    assert issue["code"] == code
    assert advice in issue["diagnostics"]
