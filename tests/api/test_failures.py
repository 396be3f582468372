"""What nobody foresaw: the caller learns an incident's id, the log the rest, nobody the content"""

import asyncio
import json
import re
from typing import Any

import pytest

from fhir_server import system
from fhir_server.storage.base import Conflict, DeadlineExceeded, StoreError
from fhir_server.storage.opening import Storage, open_store
from tests.support.asserts import assert_issue
from tests.support.builders import a_batch, a_create, a_patient, a_transaction, an_entry, unique
from tests.support.server import PUBLIC_URL, Server, Start

pytestmark = pytest.mark.anyio

SECRET = "Chalmers, born 1974-12-25"
INCIDENT = re.compile(r"[0-9a-f]{16}")


class Failing:
    """A part of a store, until it is told how to fail."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        if self.error is None or name in {"close", "facts"}:
            return getattr(self._part, name)

        async def fail(*_: object, **__: object) -> None:
            assert self.error is not None
            raise self.error

        return fail


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[Failing]:
    """The parts of every store that is opened from now on."""
    parts: list[Failing] = []

    async def open_failing(*arguments: Any, **named: Any) -> Storage:
        storage = await open_store(*arguments, **named)
        parts.extend([Failing(storage.store), Failing(storage.key_value)])
        return Storage(parts[0], parts[1], storage.blobs)

    monkeypatch.setattr(system, "open_store", open_failing)
    return parts


ASKED: list[tuple[str, str, Any]] = [
    ("GET", "Patient/1", None),
    ("GET", "Patient/1/_history/1", None),
    ("GET", "Patient/1/_history", None),
    ("GET", "Patient?name=x", None),
    ("POST", "Patient", a_patient()),
    ("PUT", "Patient/1", a_patient(id="1")),
    ("DELETE", "Patient/1", None),
    ("POST", "", a_transaction(a_create(a_patient()))),
]


async def test_a_strange_failure_tells_an_incident_and_nothing_else(
    start: Start, failing: list[Failing], capfd: pytest.CaptureFixture[str]
) -> None:
    async with start() as server:
        failing[0].error = ZeroDivisionError(SECRET)
        for method, path, body in ASKED:
            capfd.readouterr()
            response = await server.send(method, path, body)

            (issue,) = response.json()["issue"]
            incident = INCIDENT.findall(issue["diagnostics"])
            assert response.status_code == 500
            assert issue == {
                "severity": "fatal",
                "code": "exception",
                "diagnostics": "The server failed unexpectedly. Tell the operator this incident: "
                f"{incident[0]}",
            }
            logged = capfd.readouterr().err
            assert SECRET not in response.text + logged
            (line,) = (each for each in map(json.loads, logged.splitlines()) if "incident" in each)
            assert line["incident"] == incident[0]
            assert line["request"] == response.headers["x-request-id"]
            assert line["exception"][0] == "ZeroDivisionError"


async def test_a_strange_failure_of_an_entry_leaves_the_others_alone(
    start: Start, failing: list[Failing], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as server:
        failing[0].error = ZeroDivisionError(SECRET)
        response = await server.post(
            "", a_batch(an_entry("GET", "Patient/1"), an_entry("GET", "metadata"))
        )

    failed, well = response.json()["entry"]
    assert failed["response"]["status"] == "500 Internal Server Error"
    assert failed["response"]["outcome"]["issue"][0]["code"] == "exception"
    assert well["response"]["status"] == "200 OK"
    assert SECRET not in response.text


async def test_a_store_that_fails_is_told_as_a_passing_trouble(
    start: Start, failing: list[Failing], capfd: pytest.CaptureFixture[str]
) -> None:
    async with start() as server:
        failing[0].error = StoreError("the disk is full")
        for method, path, body in ASKED:
            response = await server.send(method, path, body)

            (issue,) = response.json()["issue"]
            assert response.status_code == 503
            assert issue["code"] == "transient"
            assert issue["diagnostics"].startswith("The store failed; try again later.")
            assert "disk" not in response.text
    assert "the disk is full" in capfd.readouterr().err


TOO_SLOW = [
    (
        "GET",
        "Patient?name=x",
        None,
        (400, "too-costly"),
        (
            "The search took longer than allowed; add a condition that narrows it. It asks by "
            "name. Add a condition on identifier or birthdate or _lastUpdated."
        ),
    ),
    (
        "GET",
        "Patient/_history",
        None,
        (503, "timeout"),
        "The history took longer than allowed; narrow it by _since.",
    ),
    (
        "POST",
        "Patient",
        a_patient(),
        (503, "timeout"),
        "The store did not answer in time, so that nothing was written; try again.",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "failure", "words"), TOO_SLOW)
async def test_what_takes_too_long_is_given_up(
    start: Start,
    failing: list[Failing],
    method: str,
    path: str,
    body: Any,
    failure: tuple[int, str],
    words: str,
) -> None:
    async with start() as server:
        failing[0].error = DeadlineExceeded(SECRET)

        assert_issue(await server.send(method, path, body), *failure, words)


async def test_a_write_that_others_always_overtake_is_given_up(
    start: Start, failing: list[Failing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fhir_server.interactions.deciding._PATIENCE", 0.3)
    async with start() as server:
        failing[0].error = Conflict(0)

        assert_issue(
            await server.post("Patient", a_patient()),
            409,
            "conflict",
            "Others kept writing the same resource; try again.",
        )


async def test_a_process_whose_store_does_not_answer_is_not_ready(
    start: Start, failing: list[Failing]
) -> None:
    async with start() as server:
        failing[1].error = ZeroDivisionError(SECRET)

        response = await server.client.get(f"{PUBLIC_URL}/readyz")

        assert response.status_code == 503
        assert response.json() == {"status": "the store does not answer"}


async def test_the_log_tells_of_requests_and_not_of_patients(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    await _all_is_logged(capfd)
    mark = unique("canary")
    patient = a_patient(mark, name=[{"family": "Canaryson"}])
    id_ = (await server.create(patient))["id"]
    responses = [
        await server.get(f"Patient/{id_}"),
        await server.get(f"Patient?identifier={mark}&name:exact=Canaryson"),
        await server.get(f"Patient?{mark}%20x=Canaryson"),
        await server.get(f"Patient/{mark}"),
        await server.get(f"{mark}/{mark}"),
        await server.put(f"Patient/{id_}", patient | {"id": mark}),
        await server.post("Patient", b'{"resourceType":"Canaryson"}'),
        await server.post("Patient", b'{"canary":1,"canary":2}'),
        await server.post("Patient", patient, if_none_exist=f"identifier={mark}"),
        await server.get(f"Patient/{id_}", if_none_match=mark),
        await server.post("", a_transaction(a_create(patient), an_entry("GET", mark))),
        await server.send("CANARY", f"Patient/{id_}"),
    ]

    lines = [json.loads(line) for line in (await _all_is_logged(capfd)).splitlines()]

    assert [line for line in lines if "canary" in json.dumps(line).lower()] == []
    assert [line["request"] for line in lines[1:]] == [
        response.headers["x-request-id"] for response in responses
    ]
    assert {"method", "interaction", "type", "status", "milliseconds"} <= set(lines[1])
    assert [line.get("parameters") for line in lines[2:4]] == ["identifier&name:exact", "?"]
    assert lines[-1]["method"] == "?"


async def test_requests_need_not_be_logged(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    await _all_is_logged(capfd)
    async with start(log_requests=False) as server:
        await server.create(a_patient())

        assert await _all_is_logged(capfd) == ""


async def _all_is_logged(capfd: pytest.CaptureFixture[str]) -> str:
    """What was logged since it was last asked for; lines may wait a twentieth of a second."""
    await asyncio.sleep(0.1)
    return capfd.readouterr().err
