"""https://hl7.org/fhir/R4/search.html#sort: in which order matches come, page by page"""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.asserts import assert_issue, link
from tests.support.builders import a_patient, an_observation, unique
from tests.support.server import Server, Start

pytestmark = pytest.mark.anyio

Members = dict[str, Any]
UCUM = "http://unitsofmeasure.org"


def name(family: str, *given: str) -> Members:
    return {"name": [{"family": family, **({"given": list(given)} if given else {})}]}


def amount(value: float, code: str | None = None) -> Members:
    unit = {"system": UCUM, "code": code} if code else {}
    return {"valueQuantity": {"value": value, **unit}}


def coded(*codes: str) -> Members:
    return {"code": {"coding": [{"system": "http://a", "code": code} for code in codes]}}


PATIENTS: Sequence[tuple[str, Sequence[Members], str]] = [
    # What each has, and the order of their places; those without a value are last either way.
    ("family", [name("b"), name("C"), name("ä"), {"name": []}], "2 0 1 3"),
    ("-family", [name("b"), name("C"), name("ä"), {"name": []}], "1 0 2 3"),
    ("name", [name("b", "z"), name("b", "a"), name("a", "x")], "2 1 0"),
    ("family,-given", [name("b", "z"), name("b", "a"), name("a", "x")], "2 0 1"),
    ("-family,given", [name("b", "z"), name("b", "a"), name("a", "x")], "1 0 2"),
    ("given", [name("x", "m"), name("x", "a", "z"), name("x", "n")], "1 0 2"),
    ("-given", [name("x", "m"), name("x", "a", "z"), name("x", "n")], "1 2 0"),
    ("gender", [{"gender": "male"}, {"gender": "female"}, {"gender": None}], "1 0 2"),
    ("-gender", [{"gender": "male"}, {"gender": "female"}, {"gender": None}], "0 1 2"),
    ("gender", [{"gender": "male"}] * 3, "0 1 2"),
    ("-gender", [{"gender": "male"}] * 3, "2 1 0"),
    ("active", [{"active": True}, {"active": False}, {}], "1 0 2"),
    ("deceased", [{"deceasedBoolean": False}, {"deceasedDateTime": "2020"}], "0 1"),
    (
        "birthdate",
        [{"birthDate": "1980-02"}, {"birthDate": "1980"}, {"birthDate": None},
         {"birthDate": "1979-12-31"}],
        "3 1 0 2",
    ),
    (
        "-birthdate",
        [{"birthDate": "1980-02"}, {"birthDate": "1980"}, {"birthDate": None},
         {"birthDate": "1979-12-31"}],
        "0 1 3 2",
    ),
    ("identifier", [{}, {}, {}], "0 1 2"),
    ("-_id", [{}, {}, {}], "2 1 0"),
    ("_id", [{}, {}, {}], "0 1 2"),
    ("_lastUpdated", [{}, {}, {}], "0 1 2"),
    ("-_lastUpdated", [{}, {}, {}], "2 1 0"),
    ("-_lastUpdated,gender", [{}, {}, {}], "2 1 0"),
    ("gender,-_id", [{}, {}, {"gender": "female"}], "2 1 0"),
    (
        "address",
        [{"address": [{"country": "DE", "city": "Ulm"}]}, {"address": [{"country": "DE"}]},
         {"address": [{"country": "CH", "city": "Zug"}]}],
        "2 1 0",
    ),
    (
        "organization",
        [{"managingOrganization": {"reference": f"Organization/{each}"}} for each in "bca"],
        "2 0 1",
    ),
    ("_profile", [{"meta": {"profile": [f"http://p/{each}"]}} for each in "ba"], "1 0"),
]  # fmt: skip

OBSERVATIONS: Sequence[tuple[str, Sequence[Members], str]] = [
    (
        "date",
        [{"effectiveDateTime": "2020-05"}, {}, {"effectivePeriod": {"start": "2019"}},
         {"effectiveDateTime": "2021"}, {"effectivePeriod": {"end": "2030"}}, {}],
        "4 2 0 3 1 5",
    ),
    (
        "-date",
        [{"effectiveDateTime": "2020-05"}, {}, {"effectivePeriod": {"start": "2019"}},
         {"effectiveDateTime": "2021"}, {"effectivePeriod": {"end": "2030"}}, {}],
        "3 0 2 4 5 1",
    ),
    (
        "-date,code",
        [coded("b") | {"effectiveDateTime": "2020"}, coded("a") | {"effectiveDateTime": "2020"},
         coded("a")],
        "1 0 2",
    ),
    (
        "value-quantity",
        [amount(2, "g"), amount(1500, "mg"), amount(0.1, "kg"), amount(1)],
        "3 1 0 2",
    ),
    ("-value-quantity", [amount(2, "g"), amount(1500, "mg"), amount(0.1, "kg")], "2 0 1"),
    ("value-quantity", [amount(10, "g"), amount(9, "g"), amount(-1, "g")], "2 1 0"),
    ("code", [coded("B"), coded("c", "a"), coded("b")], "1 0 2"),
    ("-code", [coded("B"), coded("c", "a"), coded("b")], "1 2 0"),
    ("status", [{"status": "preliminary"}, {"status": "final"}], "1 0"),
    ("subject", [{"subject": {"reference": f"Patient/{each}"}} for each in ("2", "1")], "1 0"),
    ("value-string", [{"valueString": each} for each in ("é", "f", "E")], "0 2 1"),
]  # fmt: skip

CASES = [
    *(("Patient", *case) for case in PATIENTS),
    *(("Observation", *case) for case in OBSERVATIONS),
]


@pytest.mark.parametrize(
    ("type_", "sort", "members", "expected"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES]
)
async def test_matches_come_in_the_order_asked_for(
    server: Server, type_: str, sort: str, members: Sequence[Members], expected: str
) -> None:
    mark = unique()
    stored = [await stored_with(server, type_, mark, each) for each in members]
    wanted = [stored[int(place)] for place in expected.split()]

    for count in (1, 2, 50):
        url = f"{type_}?identifier={mark}&_sort={sort}&_count={count}"
        assert await forward(server, url) == wanted
    assert await backward(server, f"{type_}?identifier={mark}&_sort={sort}&_count=2") == wanted


async def stored_with(server: Server, type_: str, mark: str, members: Members) -> str:
    made = a_patient(mark) if type_ == "Patient" else an_observation(mark=mark)
    if type_ == "Observation":
        del made["valueQuantity"]
    resource = {key: value for key, value in {**made, **members}.items() if value not in (None, [])}
    id_: str = (await server.create(resource))["id"]
    return id_


async def forward(server: Server, url: str) -> list[str]:
    """The ids of all pages, by following `next`."""
    return [id_ for page in await walk(server, url, "next") for id_ in page]


async def backward(server: Server, url: str) -> list[str]:
    """The ids of all pages, from the last one on by following `previous`."""
    at: str | None = url
    while at:
        last, response = at, await server.get(at)
        at = link(response, "next")
    return [id_ for page in (await walk(server, last, "previous"))[::-1] for id_ in page]


async def walk(server: Server, url: str, relation: str) -> list[list[str]]:
    pages: list[list[str]] = []
    at: str | None = url
    while at:
        response = await server.get(at)
        assert response.status_code == 200, response.text
        pages.append([entry["resource"]["id"] for entry in response.json().get("entry", ())])
        at = link(response, relation)
    return pages


SORTS = ["", "_id", "-_id", "_lastUpdated", "-_lastUpdated", "date", "-date", "status"]
SORTS += ["-code,date", "date,-status"]


@pytest.mark.parametrize("sort", SORTS)
async def test_there_and_back_is_the_same_page(server: Server, sort: str) -> None:
    mark = unique()
    for number in range(7):
        dated = {"effectiveDateTime": f"2020-01-0{number % 3 + 1}"} if number % 4 else {}
        await stored_with(server, "Observation", mark, dated)
    order = f"&_sort={sort}" if sort else ""
    first = await server.get(f"Observation?identifier={mark}&_count=3{order}")
    second = await server.get(link(first, "next") or "")
    third = await server.get(link(second, "next") or "")

    assert link(first, "previous") is None
    assert link(third, "next") is None
    again = await server.get(link(third, "previous") or "")
    assert again.json()["entry"] == second.json()["entry"]
    back = await server.get(link(again, "previous") or "")
    assert back.json()["entry"] == first.json()["entry"]
    assert link(back, "previous") is None
    forth = await server.get(link(back, "next") or "")
    assert forth.json()["entry"] == second.json()["entry"]
    for page in (first, second, third, again, back):
        begun = await server.get(link(page, "first") or "")
        assert begun.json()["entry"] == first.json()["entry"]


@pytest.mark.parametrize("sort", ["", "_id", "_lastUpdated", "birthdate", "family", "-family"])
async def test_sorted_pages_hold_still_while_others_write(server: Server, sort: str) -> None:
    """What is deleted goes, what is created comes where it belongs, nothing repeats."""
    mark = unique()
    stored = [
        await stored_with(server, "Patient", mark, name(letter) | {"birthDate": f"198{at}"})
        for at, letter in enumerate("abcdef")
    ]
    order = f"&_sort={sort}" if sort else ""
    url = f"Patient?identifier={mark}&_count=2{order}"
    wanted = await forward(server, url)
    first = await server.get(url)
    second = await server.get(link(first, "next") or "")

    for id_ in (wanted[1], wanted[2], wanted[4]):
        await server.delete(f"Patient/{id_}")

    rest = await forward(server, link(first, "next") or "")
    assert rest == [wanted[3], wanted[5]]
    before = await server.get(link(second, "previous") or "")
    assert [entry["resource"]["id"] for entry in before.json()["entry"]] == [wanted[0]]
    assert set(stored) == set(wanted)


@pytest.mark.parametrize("sort", ["", "&_sort=-_lastUpdated", "&_sort=family"])
async def test_from_a_page_that_became_empty_one_finds_back(server: Server, sort: str) -> None:
    mark = unique()
    for letter in "abc":
        await stored_with(server, "Patient", mark, name(letter))
    first = await server.get(f"Patient?identifier={mark}&_count=2{sort}")
    following = link(first, "next") or ""
    (last,) = await forward(server, following)
    await server.delete(f"Patient/{last}")

    empty = await server.get(following)
    back = await server.get(link(empty, "previous") or "")

    assert "entry" not in empty.json()
    assert link(empty, "next") is None
    assert back.json()["entry"] == first.json()["entry"]


REFUSED = [
    ("_sort=famly", "_sort: Patient has no search parameter 'famly'. Did you mean family?"),
    ("_sort=-zzz", "_sort: Patient has no search parameter 'zzz'."),
    ("_sort=name,birthDate", "_sort: Patient has no search parameter 'birthDate'. Did you mean"),
    ("_sort=_text", "_sort: Patient cannot be sorted by _text, which is a special parameter."),
    ("_sort=general-practitioner.name", "_sort: Patient has no search parameter"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "words"), REFUSED)
async def test_what_nothing_can_be_sorted_by_is_refused_by_name(
    server: Server, query: str, words: str
) -> None:
    response = await server.get(f"Patient?{query}")

    assert response.status_code == 400
    (issue,) = response.json()["issue"]
    assert issue["code"] == "not-supported"
    assert issue["diagnostics"].startswith(words)


async def test_a_composite_has_no_order(server: Server) -> None:
    assert_issue(
        await server.get("Observation?_sort=code-value-quantity"),
        400,
        "not-supported",
        "_sort: Observation cannot be sorted by code-value-quantity, which is a composite "
        "parameter.",
    )


async def test_lenient_handling_leaves_the_order_out(server: Server) -> None:
    response = await server.get("Patient?_sort=famly&_id=x", prefer="handling=lenient")

    assert (link(response, "self") or "").endswith("/Patient?_id=x")
    (told,) = response.json()["entry"]
    assert (
        told["resource"]["issue"][0]["diagnostics"] == "_sort is not known here and was left out."
    )


async def test_a_page_of_another_order_is_refused(server: Server) -> None:
    mark = unique()
    for _ in range(2):
        await server.create(a_patient(mark))
    first = await server.get(f"Patient?identifier={mark}&_count=1&_sort=family")
    following = link(first, "next") or ""

    assert (await server.get(following)).status_code == 200
    for wrong in (
        following.replace("_sort=family", "_sort=-family"),
        following.replace("&_sort=family", ""),
        following.replace("_sort=family", "_sort=_id"),
    ):
        assert_issue(
            await server.get(wrong),
            400,
            "invalid",
            "This _page does not belong to this search; start again from its first page.",
        )


async def test_more_than_can_be_sorted_is_too_costly(start: Start) -> None:
    async with start(max_sorted=3) as server:
        mark = unique()
        for _ in range(4):
            await server.create(a_patient(mark))

        refused = await server.get(f"Patient?identifier={mark}&_sort=family")
        indexed = await server.get(f"Patient?identifier={mark}&_sort=-_lastUpdated")

        assert indexed.status_code == 200
        assert_issue(
            refused,
            400,
            "too-costly",
            "_sort=family looks at every match, and there are more than 3: add a condition that "
            "narrows the search, such as a patient, a code or a date, or sort by _lastUpdated or "
            "_id alone, of which there is an index.",
        )
