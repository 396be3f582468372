"""https://hl7.org/fhir/R4/http.html#3.1.0.7.1"""

from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

import pytest

from fhir_server.interactions.repository import Repository
from tests.support.asserts import assert_issue
from tests.support.builders import a_patient, unique
from tests.support.server import Server, Start

pytestmark = pytest.mark.anyio


async def test_the_match_is_deleted(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    response = await server.delete(f"Patient?identifier={mark}")

    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["etag"] == 'W/"2"'
    assert (await server.get(f"Patient/{stored['id']}")).status_code == 410


async def test_without_a_match_it_succeeds(server: Server) -> None:
    response = await server.delete(f"Patient?identifier={unique()}")

    assert response.status_code == 204


async def test_several_matches_are_refused_where_one_is_deleted_at_a_time(server: Server) -> None:
    mark = unique()
    for _ in range(2):
        await server.create(a_patient(mark))

    response = await server.delete(f"Patient?identifier={mark}")

    assert_issue(
        response,
        412,
        "multiple-matches",
        "Several Patient resources match, and this server deletes one at a time. Make the "
        "criteria more selective.",
    )
    assert len(await server.found(f"Patient?identifier={mark}")) == 2


async def test_without_criteria_it_is_refused(server: Server) -> None:
    response = await server.delete("Patient")

    assert_issue(
        response,
        400,
        "invalid",
        "At least one criterion is needed, such as identifier=system|value.",
    )


async def test_unknown_criteria_are_refused_even_when_lenient(server: Server) -> None:
    mark = unique()
    await server.create(a_patient(mark))

    response = await server.delete(
        f"Patient?identifier={mark}&no-such=1", prefer="handling=lenient"
    )

    assert response.status_code == 400
    assert response.json()["issue"][0]["code"] == "not-supported"
    assert len(await server.found(f"Patient?identifier={mark}")) == 1


async def test_if_match_must_hold_for_the_match(server: Server) -> None:
    mark = unique()
    await server.create(a_patient(mark))

    response = await server.delete(f"Patient?identifier={mark}", if_match='W/"7"')

    assert_issue(
        response,
        412,
        "conflict",
        'If-Match: W/"7" was asked for, but the current version is W/"1". Read it again and '
        "apply your change to it.",
    )


async def test_an_operator_may_let_many_be_deleted(start: Start) -> None:
    mark = unique()
    async with start(conditional_delete="many") as server:
        for _ in range(3):
            await server.create(a_patient(mark))
        other = await server.create(a_patient(unique()))

        response = await server.delete(
            f"Patient?identifier={mark}", prefer="return=OperationOutcome"
        )

        assert_issue(
            response,
            200,
            "informational",
            "3 Patient resources deleted.",
            severity="information",
        )
        assert await server.found(f"Patient?identifier={mark}") == []
        assert (await server.get(f"Patient/{other['id']}")).status_code == 200


async def _another(server: Server, mark: str, _stored: dict[str, Any]) -> None:
    await server.create(a_patient(mark))


async def _no_match_any_more(server: Server, _mark: str, stored: dict[str, Any]) -> None:
    await server.update(a_patient(unique(), id=stored["id"]))


async def _another_in_its_place(server: Server, mark: str, stored: dict[str, Any]) -> None:
    await server.delete(f"Patient/{stored['id']}")
    await server.create(a_patient(mark))


@pytest.mark.parametrize(
    ("meanwhile", "status", "left"),
    [(_another, 412, 2), (_no_match_any_more, 204, 0), (_another_in_its_place, 204, 0)],
)
async def test_the_match_is_still_the_only_one_when_it_is_deleted(
    server: Server,
    meanwhile: Callable[[Server, str, dict[str, Any]], Awaitable[None]],
    status: int,
    left: int,
) -> None:
    """Somebody writes between the look and the deletion."""
    mark = unique()
    stored = await server.create(a_patient(mark))
    real, waiting = Repository.commit, [meanwhile]

    async def commit(self: Repository, *args: Any) -> Any:
        if waiting:
            await waiting.pop()(server, mark, stored)
        return await real(self, *args)

    with patch.object(Repository, "commit", commit):
        response = await server.delete(f"Patient?identifier={mark}")

    assert response.status_code == status
    assert len(await server.found(f"Patient?identifier={mark}")) == left
    current = await server.get(f"Patient/{stored['id']}")
    assert current.status_code == (410 if meanwhile is _another_in_its_place else 200)
