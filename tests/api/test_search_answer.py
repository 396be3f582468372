"""https://hl7.org/fhir/R4/http.html#search: how a search is asked and answered"""

import asyncio
from typing import Any

import pytest

from tests.support.asserts import assert_issue, link, outcome
from tests.support.builders import SYSTEM, a_patient, unique
from tests.support.server import BASE, Server, Start

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"


async def several(server: Server, mark: str, number: int) -> list[str]:
    """Ids of so many patients with a mark, in the order of their creation."""
    return [(await server.create(a_patient(mark)))["id"] for _ in range(number)]


async def pages(server: Server, url: str) -> list[list[str]]:
    """The ids on every page, by following the links."""
    found: list[list[str]] = []
    following: str | None = url
    while following:
        response = await server.get(following)
        assert response.status_code == 200, response.text
        found.append([entry["resource"]["id"] for entry in response.json().get("entry", ())])
        following = link(response, "next")
    return found


async def test_matches_are_answered_by_a_searchset(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    response = await server.get(f"Patient?identifier={SYSTEM}|{mark}")

    assert response.status_code == 200
    assert response.json() == {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 1,
        "link": [
            {"relation": "self", "url": f"{BASE}/Patient?identifier={SYSTEM}%7C{mark}"},
        ],
        "entry": [
            {
                "fullUrl": f"{BASE}/Patient/{stored['id']}",
                "resource": stored,
                "search": {"mode": "match"},
            }
        ],
    }


async def test_no_match_is_an_empty_searchset(server: Server) -> None:
    response = await server.get(f"Patient?identifier={unique()}")

    assert response.status_code == 200
    assert response.json()["total"] == 0
    assert "entry" not in response.json()


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 10])
async def test_pages_have_every_match_once_in_order_of_creation(server: Server, count: int) -> None:
    mark = unique()
    stored = await several(server, mark, 7)

    found = await pages(server, f"Patient?identifier={mark}&_count={count}")

    assert [*sum(found, start=[])] == stored  # noqa: RUF017 -- seven of them
    assert all(len(page) == count for page in found[:-1])
    assert found[-1]


async def test_pages_hold_still_while_others_write(server: Server) -> None:
    mark = unique()
    stored = await several(server, mark, 6)
    first = await server.get(f"Patient?identifier={mark}&_count=2")

    await server.delete(f"Patient/{stored[0]}")
    await server.update(a_patient(mark, id=stored[1]))
    new = (await server.create(a_patient(mark)))["id"]
    await server.delete(f"Patient/{stored[3]}")
    rest = await pages(server, link(first, "next") or "")

    assert [*sum(rest, start=[])] == [stored[2], *stored[4:], new]  # noqa: RUF017 -- likewise


async def test_pages_hold_still_with_writers_in_between(server: Server) -> None:
    mark = unique()
    stored = await several(server, mark, 20)

    async def write() -> None:
        for id_ in stored:
            await server.update(a_patient(mark, id=id_, gender="other"))
            await server.create(a_patient(mark))

    found, _ = await asyncio.gather(pages(server, f"Patient?identifier={mark}&_count=3"), write())

    seen = [id_ for page in found for id_ in page]
    assert [id_ for id_ in seen if id_ in stored] == stored
    assert len(seen) == len(set(seen))


async def test_a_page_link_belongs_to_its_search(server: Server) -> None:
    mark = unique()
    await several(server, mark, 3)
    first = await server.get(f"Patient?identifier={mark}&_count=1")
    following = link(first, "next") or ""

    for wrong in (
        following.replace(mark, unique()),
        following.replace("/Patient?", "/Person?"),
        f"{following}x",
        following.replace("_page=", "_page=A"),
    ):
        response = await server.get(wrong)
        assert_issue(
            response,
            400,
            "invalid",
            "This _page does not belong to this search; start again from its first page.",
        )


async def test_a_page_link_works_on_every_process_of_the_store(
    server: Server, start: Start
) -> None:
    mark = unique()
    stored = await several(server, mark, 2)
    first = await server.get(f"Patient?identifier={mark}&_count=1")

    async with start(store=server.settings.store) as other:
        assert await pages(other, link(first, "next") or "") == [stored[1:]]


async def test_a_page_is_never_larger_than_the_server_allows(start: Start) -> None:
    async with start(page_size=2, max_page_size=3) as server:
        mark = unique()
        await several(server, mark, 5)

        default = await pages(server, f"Patient?identifier={mark}")
        wished = await pages(server, f"Patient?identifier={mark}&_count=100")

        assert [len(page) for page in default] == [2, 2, 1]
        assert [len(page) for page in wished] == [3, 2]


TOTALS: list[tuple[str, int | None]] = [
    ("_count=2", None),
    ("_count=2&_total=none", None),
    ("_count=2&_total=estimate", 3),
    ("_count=2&_total=accurate", 3),
    ("_count=3", 3),
    ("_count=50", 3),
    ("_summary=count", 3),
    ("_count=0", 3),
]


@pytest.mark.parametrize(("query", "total"), TOTALS)
async def test_the_total_is_told_when_it_is_known_or_asked_for(
    server: Server, query: str, total: int | None
) -> None:
    mark = unique()
    await several(server, mark, 3)

    response = await server.get(f"Patient?identifier={mark}&{query}")

    assert response.json().get("total") == total
    only_count = query in {"_summary=count", "_count=0"}
    assert ("entry" in response.json()) is not only_count


async def test_the_total_is_of_all_pages_on_every_page(server: Server) -> None:
    mark = unique()
    await several(server, mark, 3)
    first = await server.get(f"Patient?identifier={mark}&_count=2&_total=accurate")

    second = await server.get(link(first, "next") or "")

    assert (first.json()["total"], second.json()["total"]) == (3, 3)


async def test_a_search_may_be_posted(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    response = await server.post(
        "Patient/_search", f"identifier={SYSTEM}%7C{mark}".encode(), content_type=FORM
    )

    assert [entry["resource"] for entry in response.json()["entry"]] == [stored]
    assert link(response, "self") == f"{BASE}/Patient?identifier={SYSTEM}%7C{mark}"


async def test_a_posted_search_adds_to_that_of_the_url(server: Server) -> None:
    mark = unique()
    await server.create(a_patient(mark))
    female = await server.create(a_patient(mark, gender="female"))

    response = await server.post(
        f"Patient/_search?identifier={mark}", b"gender=female", content_type=FORM
    )

    assert [entry["resource"]["id"] for entry in response.json()["entry"]] == [female["id"]]


async def test_a_posted_search_may_be_empty(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    response = await server.send("POST", f"Patient/_search?identifier={mark}")

    assert response.status_code == 200
    assert [entry["resource"] for entry in response.json()["entry"]] == [stored]


async def test_pages_of_a_posted_search_are_got(server: Server) -> None:
    mark = unique()
    stored = await several(server, mark, 3)

    first = await server.post(
        "Patient/_search", f"identifier={mark}&_count=1".encode(), content_type=FORM
    )

    assert await pages(server, link(first, "next") or "") == [[stored[1]], [stored[2]]]


async def test_a_posted_search_takes_a_form_only(server: Server) -> None:
    response = await server.post("Patient/_search", {"identifier": "x"})

    assert_issue(
        response,
        415,
        "not-supported",
        "The body must be application/x-www-form-urlencoded, not 'application/fhir+json'.",
    )


async def test_the_form_may_say_how_to_answer(server: Server) -> None:
    pretty = await server.post("Patient/_search", b"_id=x&_pretty=true", content_type=FORM)
    xml = await server.post("Patient/_search", b"_id=x&_format=xml", content_type=FORM)

    assert pretty.text.startswith('{\n  "resourceType"')
    assert_issue(
        xml,
        406,
        "not-supported",
        "This server answers in application/fhir+json, version 4.0, not in 'xml'.",
    )


async def test_an_unknown_parameter_is_refused_with_the_nearest_that_is_known(
    server: Server,
) -> None:
    response = await server.get("Patient?birtdate=1980")

    assert_issue(
        response,
        400,
        "not-supported",
        "Patient has no search parameter 'birtdate'. Did you mean birthdate?",
    )


async def test_lenient_handling_leaves_it_out_and_tells(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    response = await server.get(
        f"Patient?identifier={mark}&no-such=1&_elements=idd", prefer="handling=lenient"
    )

    bundle = response.json()
    match, told = bundle["entry"]
    assert match["resource"] == stored
    assert bundle["total"] == 1
    assert link(response, "self") == f"{BASE}/Patient?identifier={mark}"
    assert told["search"] == {"mode": "outcome"}
    expected = [
        outcome("not-supported", f"{name} is not known here and was left out.", severity="warning")
        for name in ("no-such", "_elements")
    ]
    assert told["resource"]["issue"] == [issue for each in expected for issue in each["issue"]]


REFUSED: list[tuple[str, str, str]] = [
    ("_count=x", "invalid", "_count is a number from 0 to 1000, not 'x'."),
    ("_count=-1", "invalid", "_count is a number from 0 to 1000, not '-1'."),
    ("_count=1&_count=2", "invalid", "_count is given twice."),
    ("_total=all", "invalid", "_total is one of none, estimate, accurate, not 'all'."),
    (
        "_summary=some",
        "invalid",
        "_summary is one of true, text, data, count, false, not 'some'.",
    ),
    ("_explain=yes", "invalid", "_explain is true or false, not 'yes'."),
    ("gender:exact=male", "not-supported", "Not supported: gender:exact."),
    ("=x", "invalid", "'' is not the name of a search parameter."),
    ("gender:=x", "invalid", "'gender:' is not the name of a search parameter."),
    ("gender=", "invalid", "gender has an empty value; leave the parameter out instead."),
    ("gender=male,", "invalid", "gender has an empty value; leave the parameter out instead."),
    (
        "birthdate=yesterday",
        "invalid",
        "'yesterday' is no value for the search parameter birthdate: write a date or time",
    ),
    (
        "birthdate=xx2020",
        "invalid",
        "'xx2020' is no value for the search parameter birthdate: write a date or time",
    ),
    (
        "active=maybe",
        "invalid",
        "'maybe' is no value for the search parameter active: it is either true or false.",
    ),
    ("name[$ne]=x", "not-supported", "Patient has no search parameter 'name[$ne]'."),
    ("_id[$regex]=x", "not-supported", "Patient has no search parameter '_id[$regex]'."),
]


@pytest.mark.parametrize(("query", "code", "words"), REFUSED)
async def test_a_search_is_strict(server: Server, query: str, code: str, words: str) -> None:
    response = await server.get(f"Patient?{query}")

    assert response.status_code == 400
    (issue,) = response.json()["issue"]
    assert (issue["severity"], issue["code"]) == ("error", code)
    assert issue["diagnostics"].startswith(words)


async def test_a_wrong_value_is_refused_even_when_lenient(server: Server) -> None:
    response = await server.get("Patient?birthdate=yesterday", prefer="handling=lenient")

    assert response.status_code == 400


async def test_more_parameters_and_values_than_allowed_are_refused(start: Start) -> None:
    async with start(max_parameters=3, max_values=2) as server:
        parameters = await server.get("Patient?gender=a&gender=b&gender=c&gender=d")
        values = await server.get("Patient?gender=a,b,c")

        assert_issue(parameters, 400, "invalid", "A query may have 3 parameters; this one has 4.")
        assert_issue(values, 400, "invalid", "gender may have 2 values; this one has 3.")


async def test_a_form_of_very_many_parameters_is_refused_at_once(server: Server) -> None:
    response = await server.post("Patient/_search", b"a=1&" * 500_000, content_type=FORM)

    assert_issue(response, 400, "invalid", "A query may have 10000 parameters at the very most.")


async def test_a_type_that_fhir_does_not_have_is_not_found(server: Server) -> None:
    get = await server.get("Patientt?name=x")
    post = await server.post("Patientt/_search", b"name=x", content_type=FORM)

    for response in (get, post):
        assert_issue(response, 404, "not-found", "'Patientt' is not a resource type of FHIR R4.")


async def test_every_type_may_be_searched(server: Server) -> None:
    statement = (await server.get("metadata")).json()

    async def total(type_: str) -> Any:
        return (await server.get(f"{type_}?_summary=count")).json().get("total")

    totals = {each["type"]: await total(each["type"]) for each in statement["rest"][0]["resource"]}

    assert len(totals) > 140
    assert set(map(type, totals.values())) == {int}
