"""The server as a process: how it starts, what it says, how it stops."""

import json
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from tests.support.process import Served, command, free_port, serving

MEBIBYTE = 1024 * 1024


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


def _transaction(entries: int) -> dict[str, Any]:
    resource = {"resourceType": "Basic", "code": {"text": "drained"}}
    request = {"method": "POST", "url": "Basic"}
    entry = {"resource": resource, "request": request}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [entry] * entries}


def _resident(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_a_fresh_start_is_small_and_says_where_it_listens(served: Served) -> None:
    resident = _resident(served.process.pid)

    metadata = httpx.get(f"{served.base}/metadata")

    assert metadata.json()["resourceType"] == "CapabilityStatement"
    said = served.log.read_text()
    assert served.base in said
    assert "NO SIGN-IN" in said
    assert resident < 130 * MEBIBYTE


def test_health_tells_live_ready_and_counts(served: Served) -> None:
    httpx.get(f"{served.base}/Patient/none")

    assert httpx.get(f"{served.url}/livez").status_code == 200
    assert httpx.get(f"{served.url}/readyz").status_code == 200
    counted = httpx.get(f"{served.url}/metrics").text
    assert 'fhir_requests_total{interaction="read",status="4xx",type="Patient"} 1.0' in counted


def test_a_request_is_logged_with_its_id_and_nothing_of_the_patient(served: Served) -> None:
    answer = httpx.get(f"{served.base}/Patient", params={"name": "Bartholomew"})

    logged = _logged_request(served)
    assert logged["request"] == answer.headers["x-request-id"]
    assert (logged["interaction"], logged["parameters"]) == ("search-type", "name")
    assert "Bartholomew" not in served.log.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve"], "only with --open"),
        (["serve", "--open", "--host", "0.0.0.0"], "a loopback address only"),
        (["serve", "--open", "--port", "99999"], "FHIR_SERVER_PORT is 99999"),
        (["serve", "--open", "--store", "mysql:x"], "FHIR_SERVER_STORE is wrong"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    ended = command(*arguments, folder=tmp_path)

    assert ended.returncode == 2
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        ended = command("serve", "--open", "--port", port, folder=tmp_path)

    assert ended.returncode == 2
    assert ended.stderr == (
        f"fhir-server: cannot listen on 127.0.0.1, port {port}: address already in use."
        " Choose another with --port or --host.\n"
    )


def test_a_store_of_a_newer_program_is_refused_in_words(tmp_path: Path) -> None:
    _make_newer(tmp_path / "fhir.db")

    ended = command(
        "serve", "--open", "--port", str(free_port()), "--store", "sqlite:fhir.db", folder=tmp_path
    )

    assert ended.returncode not in {0, None}
    assert "schema 1000" in ended.stderr
    assert "most recent call last" not in ended.stderr


def test_a_request_in_flight_is_answered_whole_when_the_server_is_told_to_stop(
    served: Served, tmp_path: Path
) -> None:
    entries = 2000
    body = json.dumps(_transaction(entries)).encode()
    with _connected(served) as line:
        line.sendall(_head("", len(body)) + body[: len(body) // 2])
        _until(served, "/metrics", lambda answer: "fhir_requests_in_flight 1.0" in answer.text)

        served.process.send_signal(signal.SIGTERM)
        _until_refused(served)
        line.sendall(body[len(body) // 2 :])
        status, _, content = _answer(line.makefile("rb"))

    assert status == 200
    statuses = [entry["response"]["status"][:3] for entry in json.loads(content)["entry"]]
    assert statuses == ["201"] * entries
    served.process.wait(30)
    with serving(tmp_path) as again:
        total = httpx.get(f"{again.base}/Basic", params={"_summary": "count"})
        assert total.json()["total"] == entries


def test_a_batch_that_would_outlast_the_end_is_answered_whole(tmp_path: Path) -> None:
    """What it began is stored, and of the rest it is said that it was not begun."""
    entries = 5000
    body = json.dumps(_transaction(entries) | {"type": "batch"}).encode()
    short = {"drain_timeout": "5", "request_deadline": "5"}
    with serving(tmp_path, **short) as served, _connected(served) as line:
        line.sendall(_head("", len(body)) + body)
        _until(served, "/fhir/Basic?_summary=count", lambda answer: answer.json()["total"] > 0)
        served.process.send_signal(signal.SIGTERM)
        status, _, content = _answer(line.makefile("rb"))
        served.process.wait(30)

    assert status == 200
    statuses = [entry["response"]["status"][:3] for entry in json.loads(content)["entry"]]
    stored = statuses.count("201")
    assert 0 < stored < entries
    assert statuses.count("503") == entries - stored
    with serving(tmp_path) as again:
        total = httpx.get(f"{again.base}/Basic", params={"_summary": "count"})
        assert total.json()["total"] == stored


def test_work_on_a_batch_ends_when_its_caller_hangs_up(served: Served) -> None:
    entries = 5000
    body = json.dumps(_transaction(entries) | {"type": "batch"}).encode()
    with _connected(served) as line:
        line.sendall(_head("", len(body)) + body)
        _until(served, "/fhir/Basic?_summary=count", lambda answer: answer.json()["total"] > 0)
    _until(served, "/metrics", lambda answer: "fhir_requests_in_flight 0.0" in answer.text)

    total = httpx.get(f"{served.base}/Basic", params={"_summary": "count"}).json()["total"]
    assert 0 < total < entries


def test_no_answer_is_broken_by_the_end_and_what_was_acknowledged_is_stored(
    served: Served, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(_create_until_closed, served) for _ in range(8)]
        sleep(1)
        served.stop()
        stored = [location for locations in asked for location in locations.result()]

    assert len(stored) > 8
    with serving(tmp_path) as again, httpx.Client() as client:
        for path in stored:
            assert client.get(f"{again.base}/{path}").status_code == 200


def test_behind_a_load_balancer_it_serves_on_while_it_is_not_ready(tmp_path: Path) -> None:
    with serving(tmp_path, drain_delay="2") as served:
        began = monotonic()
        served.process.send_signal(signal.SIGTERM)
        _until(served, "/readyz", lambda answer: answer.status_code == 503)

        assert httpx.get(f"{served.base}/metadata").status_code == 200
        served.process.wait(30)
        assert monotonic() - began >= 2


def test_workers_share_port_store_and_counts(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2") as served:
        for _ in range(20):  # new connections, so that both workers get some
            answer = httpx.post(
                f"{served.base}/Basic",
                json={"resourceType": "Basic", "code": {"text": "x"}},
                headers={"content-type": "application/fhir+json"},
            )
            assert answer.status_code == 201
            location = answer.headers["location"].partition("/_history")[0]
            assert httpx.get(location).status_code == 200
        counted = httpx.get(f"{served.url}/metrics").text
        assert served.stop() == 0

    assert 'fhir_requests_total{interaction="create",status="2xx",type="Basic"} 20.0' in counted


def _create_until_closed(served: Served) -> list[str]:
    """Create over one connection until the server closes it; returns the paths it acknowledged."""
    stored: list[str] = []
    body = b'{"resourceType":"Basic","code":{"text":"x"}}'
    with _connected(served) as line:
        reader = line.makefile("rb")
        while True:
            try:
                line.sendall(_head("/Basic", len(body)) + body)
                if not reader.peek(1):
                    return stored  # closed before an answer began: nothing was promised
            except ConnectionError:
                return stored
            status, headers, content = _answer(reader)
            assert (status, json.loads(content)["resourceType"]) == (201, "Basic")
            stored.append(headers["location"].partition("/fhir/")[2])


def _connected(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), timeout=60)


def _head(path: str, length: int) -> bytes:
    return (
        f"POST /fhir{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def _answer(reader: BufferedReader) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and the whole body: as long as was announced, or the test fails."""
    status = int(reader.readline().split()[1])
    headers = {}
    while line := reader.readline().strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    content = reader.read(int(headers["content-length"]))
    assert len(content) == int(headers["content-length"])
    return status, headers, content


def _logged_request(served: Served) -> dict[str, Any]:
    """The first request's line, which is written after its answer."""
    end = monotonic() + 10
    while monotonic() < end:
        lines = [line for line in served.log.read_text().splitlines() if line.startswith("{")]
        events: list[dict[str, Any]] = list(map(json.loads, lines))
        if found := [event for event in events if event["event"] == "request"]:
            return found[0]
        sleep(0.02)
    raise AssertionError("no request was logged")


def _until(served: Served, path: str, holds: Callable[[httpx.Response], bool]) -> None:
    end = monotonic() + 10
    while monotonic() < end:
        if holds(httpx.get(f"{served.url}{path}")):
            return
    raise AssertionError(f"{path} did not come to say what was waited for")


def _until_refused(served: Served) -> None:
    """Wait until no new connections are taken: the signal has arrived."""
    end = monotonic() + 10
    while monotonic() < end:
        try:
            _connected(served).close()
        except ConnectionRefusedError:
            return
        sleep(0.02)
    raise AssertionError("the server went on taking connections")


def _make_newer(path: Path) -> None:
    """A store as a program of a later schema would have left it."""
    with serving(path.parent, "--store", f"sqlite:{path}"):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = 1000 WHERE name = 'schema'")
    connection.close()
