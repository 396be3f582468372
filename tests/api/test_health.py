"""What whoever runs the server asks it: /livez, /readyz, /metrics"""

import signal

import pytest

from tests.support.builders import a_batch, a_create, a_patient, a_transaction, unique
from tests.support.server import PUBLIC_URL, Server, Start

pytestmark = pytest.mark.anyio


async def metric(server: Server, line: str) -> float:
    """The value of one line of the metrics; 0 when there is none."""
    text = (await server.client.get(f"{PUBLIC_URL}/metrics")).text
    for each in text.splitlines():
        if each.startswith(f"{line} "):
            return float(each.rpartition(" ")[2])
    return 0


async def test_the_process_lives(server: Server) -> None:
    response = await server.client.get(f"{PUBLIC_URL}/livez")

    assert (response.status_code, response.json()) == (200, {"status": "live"})


async def test_the_process_is_ready(server: Server) -> None:
    response = await server.client.get(f"{PUBLIC_URL}/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ready"})


async def test_a_process_asked_to_stop_serves_on_but_is_not_ready(start: Start) -> None:
    async with start() as server:
        signal.raise_signal(signal.SIGTERM)

        ready = await server.client.get(f"{PUBLIC_URL}/readyz")
        live = await server.client.get(f"{PUBLIC_URL}/livez")

        assert (ready.status_code, ready.json()) == (503, {"status": "stopping"})
        assert live.status_code == 200
        assert (await server.get("metadata")).status_code == 200


async def test_requests_are_counted_by_what_they_ask(server: Server) -> None:
    read = 'fhir_requests_total{interaction="read",status="2xx",type="Patient"}'
    missed = 'fhir_requests_total{interaction="read",status="4xx",type="Patient"}'
    before = await metric(server, read), await metric(server, missed)
    stored = await server.create(a_patient())

    await server.get(f"Patient/{stored['id']}")
    await server.get("Patient/never-was")

    assert (await metric(server, read), await metric(server, missed)) == (
        before[0] + 1,
        before[1] + 1,
    )


async def test_bundles_are_counted_by_their_entries(server: Server) -> None:
    lines = [f'fhir_bundle_entries_sum{{kind="{kind}"}}' for kind in ("batch", "transaction")]
    before = [await metric(server, line) for line in lines]

    await server.post("", a_batch(a_create(a_patient())))
    await server.post("", a_transaction(*[a_create(a_patient())] * 3))

    after = [await metric(server, line) for line in lines]
    assert after == [before[0] + 1, before[1] + 3]


async def test_commits_are_counted(server: Server) -> None:
    line = 'fhir_store_commits_total{outcome="stored"}'
    before = await metric(server, line)

    await server.create(a_patient())
    await server.post("", a_transaction(*[a_create(a_patient())] * 3))

    assert await metric(server, line) == before + 2


async def test_metrics_never_tell_what_is_stored_or_asked_for(server: Server) -> None:
    mark = unique("canary")
    await server.create(a_patient(mark))
    for path in (f"Patient?identifier={mark}", f"Patient/{mark}", mark, f"{mark}/{mark}"):
        await server.get(path)
    await server.send(f"X{mark}", "Patient")

    text = (await server.client.get(f"{PUBLIC_URL}/metrics")).text

    assert "canary" not in text
    assert "Chalmers" not in text


async def test_what_is_not_fhir_is_answered_elsewhere(server: Server) -> None:
    for path in ("/", "/fhirx", "/docs", "/redoc", "/fhi"):
        response = await server.client.get(f"{PUBLIC_URL}{path}")
        assert response.status_code == 404, path


async def test_no_description_of_the_routes_is_public(server: Server) -> None:
    for path in ("openapi.json", "docs", "redoc"):
        assert (await server.client.get(f"{PUBLIC_URL}/{path}")).status_code == 404
