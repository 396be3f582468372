"""https://hl7.org/fhir/R4/http.html#ops: what a write returns"""

import httpx
import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient, an_observation, unique
from tests.support.server import Server

pytestmark = pytest.mark.anyio


async def write(server: Server, how: str, prefer: str) -> httpx.Response:
    """One write of each kind; the last is a conditional create that finds something."""
    mark = unique()
    stored = await server.create(a_patient(mark))
    match how:
        case "create":
            return await server.post("Patient", a_patient(), prefer=prefer)
        case "update":
            return await server.put(f"Patient/{stored['id']}", stored, prefer=prefer)
        case "conditional update":
            url = f"Patient?identifier={mark}"
            return await server.put(url, a_patient(mark), prefer=prefer)
        case _:
            condition = f"identifier={mark}"
            return await server.post("Patient", a_patient(), if_none_exist=condition, prefer=prefer)


WRITES = ["create", "update", "conditional update", "conditional create"]


@pytest.mark.parametrize("how", WRITES)
@pytest.mark.parametrize(
    "prefer",
    ["", "return=representation", "respond-async", "return=no-such", "RETURN=Representation"],
)
async def test_the_resource_is_returned_unless_something_else_is_preferred(
    server: Server, how: str, prefer: str
) -> None:
    response = await write(server, how, prefer)

    assert response.status_code in {200, 201}
    assert response.json()["resourceType"] == "Patient"
    assert response.headers["content-type"] == "application/fhir+json;charset=utf-8"


@pytest.mark.parametrize("how", WRITES)
@pytest.mark.parametrize(
    "prefer",
    [
        "return=minimal",
        'return="minimal"',
        "handling=strict; return=minimal",
        "wait=1, return=minimal",
    ],
)
async def test_nothing_is_returned_when_that_is_preferred(
    server: Server, how: str, prefer: str
) -> None:
    response = await write(server, how, prefer)

    assert response.status_code in {200, 201}
    assert response.content == b""
    assert "content-type" not in response.headers
    assert "content-location" not in response.headers
    assert "location" in response.headers
    assert "etag" in response.headers


async def test_an_outcome_is_returned_when_that_is_preferred(server: Server) -> None:
    created = await write(server, "create", "return=OperationOutcome")
    updated = await write(server, "update", "return=OperationOutcome")

    for response, status, words in (
        (created, 201, "created as version 1"),
        (updated, 200, "stored as version 2"),
    ):
        id_ = response.headers["location"].split("/")[-3]
        assert_issue(
            response, status, "informational", f"Patient/{id_} {words}.", severity="information"
        )


async def test_an_outcome_of_a_create_that_stored_nothing_says_so(server: Server) -> None:
    response = await write(server, "conditional create", "return=OperationOutcome")

    id_ = response.headers["location"].split("/")[-3]
    assert_issue(
        response,
        200,
        "informational",
        f"Patient/{id_} was there already in version 1; nothing was stored.",
        severity="information",
    )


async def test_warnings_of_a_write_are_in_the_outcome_that_is_asked_for(server: Server) -> None:
    observation = an_observation("urn:uuid:00000000-0000-4000-8000-000000000000")

    created = await server.post("Observation", observation, prefer="return=OperationOutcome")
    id_ = created.headers["location"].split("/")[-3]
    updated = await server.put(
        f"Observation/{id_}", observation | {"id": id_}, prefer="return=OperationOutcome"
    )

    for response in (created, updated):
        done, warning = response.json()["issue"]
        assert done["severity"] == "information"
        assert warning["severity"] == "warning"
        assert "urn:uuid:00000000-0000-4000-8000-000000000000" in warning["diagnostics"]
