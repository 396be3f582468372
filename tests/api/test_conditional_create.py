"""https://hl7.org/fhir/R4/http.html#ccreate"""

import asyncio

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import SYSTEM, a_patient, an_observation, unique
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio


async def test_without_a_match_it_creates(server: Server) -> None:
    mark = unique()

    response = await server.post("Patient", a_patient(mark), if_none_exist=f"identifier={mark}")

    assert response.status_code == 201
    assert response.headers["etag"] == 'W/"1"'


async def test_with_a_match_it_stores_nothing_and_answers_with_the_match(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    response = await server.post(
        "Patient", a_patient(mark, gender="other"), if_none_exist=f"identifier={mark}"
    )

    assert response.status_code == 200
    assert response.json() == stored
    assert response.headers["etag"] == 'W/"1"'
    assert response.headers["location"] == f"{BASE}/Patient/{stored['id']}/_history/1"
    assert len(await server.found(f"Patient?identifier={mark}")) == 1


async def test_with_several_matches_it_is_refused(server: Server) -> None:
    mark = unique()
    for _ in range(2):
        await server.create(a_patient(mark))

    response = await server.post("Patient", a_patient(mark), if_none_exist=f"identifier={mark}")

    assert_issue(
        response,
        412,
        "multiple-matches",
        f"Several Patient resources match identifier={mark}; criteria must select at most one.",
    )


async def test_a_deleted_resource_is_no_match(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))
    await server.delete(f"Patient/{stored['id']}")

    response = await server.post("Patient", a_patient(mark), if_none_exist=f"identifier={mark}")

    assert response.status_code == 201


@pytest.mark.parametrize("form", ["?{}", "Patient?{}", f"{BASE}/Patient?{{}}", " {} "])
async def test_the_criteria_may_be_written_as_a_search(server: Server, form: str) -> None:
    mark = unique()
    await server.create(a_patient(mark))

    response = await server.post(
        "Patient", a_patient(mark), if_none_exist=form.format(f"identifier={mark}")
    )

    assert response.status_code == 200


async def test_a_question_mark_in_a_value_belongs_to_the_value(server: Server) -> None:
    mark = unique("a?b")
    await server.create(a_patient(mark))

    response = await server.post(
        "Patient", a_patient(mark), if_none_exist=f"identifier={SYSTEM}|{mark}"
    )

    assert response.status_code == 200


async def test_several_criteria_must_all_hold(server: Server) -> None:
    mark = unique()
    await server.create(a_patient(mark, gender="female"))

    response = await server.post(
        "Patient", a_patient(mark), if_none_exist=f"identifier={mark}&gender=male"
    )

    assert response.status_code == 201


@pytest.mark.parametrize("criteria", ["", "?", "Patient?"])
async def test_criteria_that_are_none_are_refused(server: Server, criteria: str) -> None:
    response = await server.post("Patient", a_patient(), if_none_exist=criteria)

    assert_issue(
        response,
        400,
        "invalid",
        "At least one criterion is needed, such as identifier=system|value.",
    )


async def test_unknown_criteria_are_refused_even_when_lenient(server: Server) -> None:
    response = await server.post(
        "Patient", a_patient(), if_none_exist="no-such=1", prefer="handling=lenient"
    )

    assert response.status_code == 400
    issue = response.json()["issue"][0]
    assert issue["code"] == "not-supported"
    assert "no-such" in issue["diagnostics"]


async def test_what_shapes_an_answer_is_no_criterion(server: Server) -> None:
    response = await server.post(
        "Patient", a_patient(), if_none_exist=f"identifier={unique()}&_count=1"
    )

    assert_issue(response, 400, "invalid", "_count is no criterion; leave it out here.")


async def test_of_racing_conditional_creates_one_wins(server: Server) -> None:
    mark = unique()

    responses = await asyncio.gather(
        *(
            server.post("Patient", a_patient(mark), if_none_exist=f"identifier={SYSTEM}|{mark}")
            for _ in range(20)
        )
    )

    assert sorted(r.status_code for r in responses) == [200] * 19 + [201]
    assert len({r.json()["id"] for r in responses}) == 1
    assert len(await server.found(f"Patient?identifier={mark}")) == 1


async def test_a_match_is_found_though_the_sent_resource_cannot_be_linked(server: Server) -> None:
    mark = unique()
    await server.create(an_observation(mark=mark))

    response = await server.post(
        "Observation",
        an_observation(f"Patient?identifier={unique()}", mark),
        if_none_exist=f"identifier={mark}",
    )

    assert response.status_code == 200


@pytest.mark.parametrize("form", ["Observation?{}", f"{BASE}/Observation?{{}}"])
async def test_criteria_of_another_type_are_refused(server: Server, form: str) -> None:
    response = await server.post(
        "Patient", a_patient(), if_none_exist=form.format(f"identifier={unique()}")
    )

    assert_issue(
        response,
        400,
        "invalid",
        "If-None-Exist looks for Observation, but a Patient is to be created; "
        "both must be of one type.",
    )
