"""https://hl7.org/fhir/R4/http.html#transaction, a Bundle of type batch"""

from typing import Any

import pytest

from tests.support.asserts import outcome
from tests.support.builders import (
    a_batch,
    a_create,
    a_patient,
    an_entry,
    an_observation,
    an_update,
    unique,
    urn,
)
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio


async def batch(server: Server, *entries: Any, **headers: str) -> list[dict[str, Any]]:
    """The entries of the answer to a batch of these."""
    response = await server.post("", a_batch(*entries), **headers)
    assert response.status_code == 200, response.text
    bundle = response.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "batch-response")
    answers: list[dict[str, Any]] = bundle.get("entry", [])
    return answers


async def test_each_entry_is_answered_in_its_place(server: Server) -> None:
    stored = await server.create(a_patient())
    doomed = await server.create(a_patient())

    created, read, deleted, updated = await batch(
        server,
        a_create(a_patient()),
        an_entry("GET", f"Patient/{stored['id']}"),
        an_entry("DELETE", f"Patient/{doomed['id']}"),
        an_update(stored),
    )

    assert created["response"]["status"] == "201 Created"
    assert read["resource"] == stored
    assert read["fullUrl"] == f"{BASE}/Patient/{stored['id']}"
    assert deleted["response"]["status"] == "204 No Content"
    assert updated["response"]["status"] == "200 OK"


async def test_an_answer_says_where_and_which_version(server: Server) -> None:
    (entry,) = await batch(server, a_create(a_patient()))

    answer = entry["response"]
    id_ = answer["location"].split("/")[-3]
    stored = (await server.get(f"Patient/{id_}")).json()
    assert entry == {
        "response": {
            "status": "201 Created",
            "location": f"{BASE}/Patient/{id_}/_history/1",
            "etag": 'W/"1"',
            "lastModified": stored["meta"]["lastUpdated"],
        }
    }


async def test_an_entry_that_fails_does_not_disturb_the_others(server: Server) -> None:
    first, failing, last = await batch(
        server, a_create(a_patient()), an_entry("GET", "Patient/never-was"), a_create(a_patient())
    )

    assert first["response"]["status"] == last["response"]["status"] == "201 Created"
    assert failing == {
        "response": {
            "status": "404 Not Found",
            "outcome": outcome(
                "not-found",
                "Entry 1, GET Patient/never-was: There is no Patient/never-was.",
                "Bundle.entry[1]",
            ),
        }
    }


async def test_an_error_in_a_resource_is_placed_in_the_bundle(server: Server) -> None:
    stored = await server.create(a_patient())
    wrong = an_entry("PUT", f"Patient/{stored['id']}", stored | {"id": "other"})

    (answer,) = await batch(server, wrong)

    assert answer["response"]["outcome"] == outcome(
        "invalid",
        f"Entry 0, PUT Patient/{stored['id']}: The id of the body, other, is not the id of the "
        f"URL, {stored['id']}.",
        "Bundle.entry[0].resource.id",
    )


async def test_entries_are_carried_out_in_the_order_sent(server: Server) -> None:
    id_ = unique("order")

    answers = await batch(
        server,
        an_entry("GET", f"Patient/{id_}"),
        an_update(a_patient(id=id_)),
        an_entry("GET", f"Patient/{id_}"),
        an_entry("DELETE", f"Patient/{id_}"),
        an_entry("GET", f"Patient/{id_}"),
    )

    assert [answer["response"]["status"] for answer in answers] == [
        "404 Not Found",
        "201 Created",
        "200 OK",
        "204 No Content",
        "410 Gone",
    ]


async def test_a_reference_to_another_entry_is_kept_and_told(server: Server) -> None:
    patient = urn()

    _, answer = await batch(
        server, a_create(a_patient(), patient), a_create(an_observation(patient))
    )

    assert answer["response"]["status"] == "201 Created"
    assert answer["response"]["outcome"] == outcome(
        "incomplete",
        f"Observation.subject.reference: {patient} names an entry of a bundle, which only a "
        "transaction resolves; it was stored as it is.",
        severity="warning",
    )
    path = answer["response"]["location"].removeprefix(f"{BASE}/")
    assert (await server.get(path)).json()["subject"] == {"reference": patient}


async def test_a_conditional_reference_is_resolved(server: Server) -> None:
    mark = unique()
    patient = await server.create(a_patient(mark))

    (answer,) = await batch(
        server,
        a_create(an_observation(f"Patient?identifier={mark}")),
        prefer="return=representation",
    )

    assert answer["resource"]["subject"] == {"reference": f"Patient/{patient['id']}"}


async def test_a_conditional_reference_that_cannot_be_resolved_fails_alone(server: Server) -> None:
    wanted = f"Patient?identifier={unique()}"

    failing, created = await batch(server, a_create(an_observation(wanted)), a_create(a_patient()))

    assert created["response"]["status"] == "201 Created"
    assert failing["response"] == {
        "status": "412 Precondition Failed",
        "outcome": outcome(
            "not-found",
            f"Entry 0, POST Observation: The reference {wanted} matches nothing.",
            "Bundle.entry[0].resource.subject.reference",
        ),
    }


async def test_conditions_of_entries_hold(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))
    url = f"Patient/{stored['id']}"

    answers = await batch(
        server,
        a_create(a_patient(mark), ifNoneExist=f"identifier={mark}"),
        an_update(stored, ifMatch='W/"7"'),
        an_update(stored, ifMatch='W/"1"'),
        an_entry("GET", url, ifNoneMatch='W/"2"'),
        an_entry("PUT", f"Patient?identifier={mark}", a_patient(mark)),
        an_entry("DELETE", f"Patient?identifier={mark}"),
    )

    assert [answer["response"]["status"] for answer in answers] == [
        "200 OK",
        "412 Precondition Failed",
        "200 OK",
        "304 Not Modified",
        "200 OK",
        "204 No Content",
    ]


async def test_searches_are_answered_by_bundles(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))

    by_get, by_history = await batch(
        server,
        an_entry("GET", f"Patient?identifier={mark}"),
        an_entry("GET", f"Patient/{stored['id']}/_history"),
    )

    assert by_get["resource"]["type"] == "searchset"
    assert [entry["resource"] for entry in by_get["resource"]["entry"]] == [stored]
    assert by_history["resource"]["type"] == "history"


async def test_lenient_handling_reaches_the_searches(server: Server) -> None:
    search = an_entry("GET", f"Patient?identifier={unique()}&no-such=1")

    (strict,) = await batch(server, search)
    (lenient,) = await batch(server, search, prefer="handling=lenient")

    assert strict["response"]["status"] == "400 Bad Request"
    assert lenient["response"]["status"] == "200 OK"


async def test_a_head_entry_shows_no_resource(server: Server) -> None:
    stored = await server.create(a_patient())

    (answer,) = await batch(server, an_entry("HEAD", f"Patient/{stored['id']}"))

    assert answer["response"]["etag"] == 'W/"1"'
    assert "resource" not in answer


PREFERENCES: list[tuple[str, set[str]]] = [
    ("", set()),
    ("return=minimal", set()),
    ("return=representation", {"resource", "fullUrl"}),
    ("return=no-such", set()),
]


@pytest.mark.parametrize(("prefer", "members"), PREFERENCES)
async def test_an_entry_shows_what_the_batch_prefers(
    server: Server, prefer: str, members: set[str]
) -> None:
    (answer,) = await batch(server, a_create(a_patient()), prefer=prefer)

    assert set(answer) == {"response"} | members


async def test_an_outcome_is_shown_to_who_prefers_it(server: Server) -> None:
    patient = urn()

    (answer,) = await batch(
        server, a_create(an_observation(patient)), prefer="return=OperationOutcome"
    )

    told, warning = answer["response"]["outcome"]["issue"]
    assert (told["severity"], warning["severity"]) == ("information", "warning")
    assert patient in warning["diagnostics"]


async def test_an_absolute_url_of_this_server_is_understood(server: Server) -> None:
    stored = await server.create(a_patient())

    for url in (f"{BASE}/Patient/{stored['id']}", f"/Patient/{stored['id']}"):
        (answer,) = await batch(server, an_entry("GET", url))
        assert answer["resource"] == stored


async def test_neighbours_do_not_disturb_each_other_and_are_answered_in_their_places(
    server: Server,
) -> None:
    """Most of these are carried out at once."""
    mark = unique()
    wanted = f"Patient?identifier={mark}"

    answers = await batch(
        server,
        *[an_update(a_patient(id=f"{mark}.{n}")) for n in range(5)],
        an_update(a_patient(id=f"{mark}.3", gender="other")),
        an_update(a_patient(id="x") | {"id": "not an id"}),
        an_entry("GET", f"Patient/{mark}.3"),
        a_create(an_observation(wanted)),
        a_create(a_patient(mark)),
        a_create(an_observation(wanted)),
        a_create(an_observation()),
        prefer="return=representation",
    )

    codes = [answer["response"]["status"][:3] for answer in answers]
    assert codes == [*["201"] * 5, "200", "400", "200", "412", "201", "201", "201"]
    assert [answer["resource"]["id"] for answer in answers[:6]] == [
        *[f"{mark}.{n}" for n in range(5)],
        f"{mark}.3",
    ]
    assert answers[7]["resource"]["gender"] == "other"
    patient = answers[9]["resource"]["id"]
    assert answers[10]["resource"]["subject"] == {"reference": f"Patient/{patient}"}
