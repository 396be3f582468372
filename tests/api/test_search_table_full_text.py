"""https://hl7.org/fhir/R4/search.html#content"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.support.builders import a_basic
from tests.support.search_tables import Loaded, Row, labelled, load
from tests.support.server import Server, Start

pytestmark = pytest.mark.anyio


def narrative(inside: str) -> dict[str, Any]:
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'
    return {"text": {"status": "generated", "div": div}}


SUBJECT = {"subject": {"reference": "Patient/1"}}
CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "bone": narrative("Bone <b>metastases</b>, left hip"),
    "liver": narrative("<p>Metastases in the liver.</p>"),
    "only-liver": narrative("<p>liver</p><p>enlarged</p>"),
    "table": narrative("<table><tr><td>hip</td><td>joint</td></tr></table>"),
    "accents": narrative("Crohn: Iléo-colite aiguë, Straße, ﬁbrosis, \uff21\uff22\uff23"),
    "entities": narrative("A &amp; B: &lt;b&gt; &#233;t&eacute; 3&nbsp;&lt;&nbsp;5"),
    "attribute": narrative('<p title="a &gt; hidden" class="unseen">seen > here</p>'),
    "comment": narrative("<!-- secret <b>words</b> -->open"),
    "japanese": narrative("肝臓に転移ABC"),
    "arabic": narrative("كَبِد"),
    "hindi": narrative("यकृत में"),
    "numbers": narrative("HbA1c 6.5% 120/80 snake_case co-trimoxazole ½"),
    "content": {
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "94222008"}]},
        "note": [{"text": "Possibly benign"}, {"text": "Zweitmeinung über Fußpilz"}],
        "subject": {"reference": "Patient/unknown"},
    },
    "contained": {
        "contained": [{"resourceType": "Patient", "id": "p", "name": [{"family": "Wellington"}]}],
        "subject": {"reference": "#p"},
        "extension": [
            {"url": "http://example.org/x", "valueBase64Binary": "QmFzZTY0"},
            {"url": "http://example.org/y", "valueString": "deeply"},
        ],
    },
    "nothing": {"recordedDate": "2020-05-17"},
}
TEXT: list[Row] = [
    ("Condition?_text=metastases", "bone liver"),
    ("Condition?_text=METASTASES", "bone liver"),
    ("Condition?_text=metastas", ""),
    ("Condition?_text=(bone OR liver) and metastases", "bone liver"),
    ("Condition?_text=bone or liver and metastases", "bone liver"),
    ("Condition?_text=liver or bone and metastases", "bone liver only-liver"),
    ("Condition?_text=liver metastases", "liver"),
    ("Condition?_text=metastases AND liver", "liver"),
    ("Condition?_text=liver&_text=metastases", "liver"),
    ("Condition?_text=bone,enlarged", "bone only-liver"),
    ("Condition?_text=bone hip,liver enlarged", "bone only-liver"),
    ("Condition?_text=((liver))", "liver only-liver"),
    ("Condition?_text=(hip (joint or bone))", "bone table"),
    ("Condition?_text=hip and (joint or bone) and left", "bone"),
    ("Condition?_text=hipjoint", ""),
    ("Condition?_text=liver, bone", "bone liver only-liver"),
    (r"Condition?_text=hip\, left", "bone"),
    ("Condition?_text=ileo-colite AIGUE", "accents"),
    ("Condition?_text=strasse", "accents"),
    ("Condition?_text=Fibrosis abc", "accents"),
    ("Condition?_text=b a ete 3 5", "entities"),
    ("Condition?_text=seen here", "attribute"),
    ("Condition?_text=hidden", ""),
    ("Condition?_text=unseen", ""),
    ("Condition?_text=xmlns", ""),
    ("Condition?_text=div", ""),
    ("Condition?_text=secret", ""),
    ("Condition?_text=words", ""),
    ("Condition?_text=open", "comment"),
    ("Condition?_text=肝臓", "japanese"),
    ("Condition?_text=転移 abc", "japanese"),
    ("Condition?_text=肺", ""),
    ("Condition?_text=كبد", "arabic"),
    ("Condition?_text=यकृत", "hindi"),
    ("Condition?_text=हृदय", ""),
    ("Condition?_text=hba1c 6.5%25", "numbers"),
    ("Condition?_text=120/80", "numbers"),
    ("Condition?_text=snake", "numbers"),
    ("Condition?_text=trimoxazole %26 co", "numbers"),
    ("Condition?_text=benign", ""),
    ("Condition?_text=liver&_id=only-liver,table", "only-liver"),
    ("Observation?focus:Condition._text=liver metastases", "of-liver"),
    ("Condition?_has:Observation:focus:_text=enzymes", "liver"),
]
CONTENT: list[Row] = [
    ("Condition?_content=benign", "content"),
    ("Condition?_content=fusspilz uber", "content"),
    ("Condition?_content=94222008 and snomed.info", "content"),
    ("Condition?_content=unknown", "content"),
    ("Condition?_content=metastases", "bone liver"),
    ("Condition?_content=wellington or table", "contained table"),
    ("Condition?_content=deeply", "contained"),
    ("Condition?_content=QmFzZTY0", ""),
    ("Condition?_content=unseen", ""),
    ("Condition?_content=2020-05-17", "nothing"),
    ("Condition?_content=xhtml", ""),
    ("Condition?_content=japanese", "japanese"),
    ("Condition?_content=肝臓", "japanese"),
]
REFUSED = [
    "Condition?_text=",
    "Condition?_text=()",
    "Condition?_text=(liver",
    "Condition?_text=liver)",
    "Condition?_text=and",
    "Condition?_text=liver or",
    "Condition?_text=or liver",
    "Condition?_text=liver and or bone",
    "Condition?_text=!",
    'Condition?_text="liver metastases"',
    "Condition?_text=metas*",
    "Condition?_text:exact=liver",
    "Condition?_content:contains=liver",
    "Binary?_text=liver",
    "Condition?_text=" + "(" * 65,
    "Condition?_text=" + "liver " * 65,
]


@pytest.fixture(scope="module")
async def server(start: Start, anyio_backend: str) -> AsyncIterator[Server]:
    async with start(full_text="content") as server:
        yield server


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    finding = {
        "status": "final",
        "code": {"text": "x"},
        "focus": [{"reference": "Condition/liver"}],
        **narrative("Raised enzymes"),
    }
    resources = labelled(
        "Condition", {label: {**SUBJECT, **each} for label, each in CONDITIONS.items()}
    ) + labelled("Observation", {"of-liver": finding})
    return await load(server, resources)


@pytest.mark.parametrize("row", [*TEXT, *CONTENT], ids=lambda row: row[0])
async def test_words_find_those_they_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_what_asks_for_more_than_words_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)


async def test_what_is_wrong_with_words_is_told(server: Server) -> None:
    response = await server.get('Condition?_text="liver metastases"')
    assert response.json()["issue"][0]["diagnostics"] == (
        "'\"liver metastases\"' is no value for the search parameter _text: phrases are not"
        " indexed, only words: leave the quotes out to ask for all of the words. Write words, such"
        " as (bone OR liver) AND metastases."
    )


async def test_words_are_those_of_the_current_version(server: Server) -> None:
    stored = await server.create(a_basic(**narrative("before")))
    assert await server.count("Basic?_text=before") == 1
    await server.update({**stored, **narrative("after")})
    assert await server.count("Basic?_text=before") == 0
    assert await server.count("Basic?_text=after") == 1
    await server.delete(f"Basic/{stored['id']}")
    assert await server.count("Basic?_text=after") == 0


async def test_what_is_not_indexed_is_refused_until_it_is(start: Start) -> None:
    resource = {"resourceType": "Basic", "code": {"text": "said"}, **narrative("told")}
    async with start(full_text="none") as server:
        store = server.settings.store
        await server.create(resource)
        for code in ("_text", "_content"):
            response = await server.get(f"Basic?{code}=told")
            assert response.status_code == 400
            assert response.json()["issue"][0]["diagnostics"] == (
                f"{code} is not indexed here. Whoever runs the server turns it on with the setting"
                f" FHIR_SERVER_FULL_TEXT={code[1:]}; all that is stored is then indexed again."
            )
        assert "_text" not in await _listed(server)
    async with start(store=store) as server:
        assert await server.count("Basic?_text=told") == 1
        assert (await server.get("Basic?_content=said")).status_code == 400
        assert {"_text", "_content"} & await _listed(server) == {"_text"}
    async with start(store=store, full_text="content") as server:
        assert await server.count("Basic?_text=told") == 1
        assert await server.count("Basic?_content=said") == 1
        assert {"_text", "_content"} <= await _listed(server)
    async with start(store=store) as server:
        await server.create(resource)
    async with start(store=store, full_text="content") as server:
        assert await server.count("Basic?_content=said") == 2


async def _listed(server: Server) -> set[str]:
    (basic,) = (
        each
        for each in (await server.get("metadata")).json()["rest"][0]["resource"]
        if each["type"] == "Basic"
    )
    return {each["name"] for each in basic["searchParam"]}
