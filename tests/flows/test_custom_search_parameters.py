"""Custom search parameters with real processes: killed, started again, and several of them."""

import json
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from tests.support.builders import a_transaction, an_update
from tests.support.custom_parameters import a_parameter
from tests.support.process import Served, command, serving

NICK = a_parameter("nick", "Patient.name.where(use = 'nickname').given", type="string")
FHIR = {"content-type": "application/fhir+json"}
THERE = 3000


def a_nicked(number: int) -> dict[str, Any]:
    name = [{"use": "nickname", "given": ["Bo"]}]
    return {"resourceType": "Patient", "id": f"p{number:05}", "name": name}


def fill(served: Served, first: int, number: int) -> None:
    patients = map(a_nicked, range(first, first + number))
    body = a_transaction(*map(an_update, patients))
    answer = httpx.post(served.base, json=body, headers=FHIR, timeout=120)
    assert answer.status_code == 200, answer.text


def define(served: Served) -> None:
    answer = httpx.put(f"{served.base}/SearchParameter/nick", json=NICK, headers=FHIR, timeout=60)
    assert answer.status_code == 201, answer.text


def wait_until_built(served: Served) -> None:
    end = monotonic() + 120
    while monotonic() < end:
        answer = httpx.get(f"{served.base}/Patient?nick=bo&_count=1", timeout=60)
        if answer.status_code == 200 and "is being built" not in answer.text:
            return
        sleep(0.1)
    raise AssertionError(served.log.read_text()[-2000:])


def count(served: Served) -> int:
    answer = httpx.get(f"{served.base}/Patient?nick=bo&_summary=count", timeout=60)
    total: int = answer.json()["total"]
    return total


def test_killed_while_it_builds_a_server_goes_on_when_it_is_started_again(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        fill(served, 0, THERE)
        define(served)
        served.kill()
    told = command("doctor", folder=tmp_path).stdout
    assert "nick of Patient (SearchParameter/nick) is being built" in told
    with serving(tmp_path) as again:
        fill(again, THERE, 10)
        wait_until_built(again)
        assert count(again) == THERE + 10
    told = command("doctor", folder=tmp_path).stdout
    assert "nick of Patient (SearchParameter/nick) is ready" in told


@pytest.mark.parametrize("arguments", [("--workers", "2")])
def test_all_workers_index_by_it(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with serving(tmp_path, *arguments) as served:
        fill(served, 0, 200)
        for at in range(5):  # new connections, so that both workers write
            fill(served, 1000 + at, 1)
        define(served)
        for at in range(40):
            fill(served, 2000 + at, 1)
        wait_until_built(served)
        for _ in range(10):
            assert count(served) == 245


def test_loaded_it_counts_for_what_is_loaded_with_it(tmp_path: Path) -> None:
    patients = [a_nicked(number) for number in range(300)]
    lines = map(json.dumps, [*patients[:150], NICK, *patients[150:]])
    (tmp_path / "all.ndjson").write_text("\n".join(lines))

    loaded = command("load", tmp_path / "all.ndjson", folder=tmp_path)

    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    with serving(tmp_path) as served:
        wait_until_built(served)
        assert count(served) == 300
