"""Metrics: what Prometheus reads is what happened."""

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fhir_server.observability.metrics import SHARED_FOLDER, Metrics

Samples = dict[tuple[str, tuple[str, ...]], float]
"""By name and values of the labels, in order of the labels' names."""


def _samples(text: bytes) -> Samples:
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_interaction_type_and_class_of_status() -> None:
    metrics = Metrics()
    for status in (200, 200, 304, 404):
        metrics.request_began()
        metrics.request_ended("read", "Patient", status, 0.0007)

    samples = _samples(metrics.text())

    assert samples["fhir_requests_total", ("read", "2xx", "Patient")] == 2
    assert samples["fhir_requests_total", ("read", "3xx", "Patient")] == 1
    assert samples["fhir_requests_total", ("read", "4xx", "Patient")] == 1
    assert samples["fhir_request_seconds_count", ("read",)] == 4
    assert samples["fhir_request_seconds_sum", ("read",)] == pytest.approx(0.0028)
    assert samples["fhir_request_seconds_bucket", ("read", "0.0005")] == 0
    assert samples["fhir_request_seconds_bucket", ("read", "0.001")] == 4


def test_a_request_is_in_flight_until_it_ends() -> None:
    metrics = Metrics()

    metrics.request_began()
    metrics.request_began()
    metrics.request_ended("create", "Patient", 201, 0.001)

    assert _samples(metrics.text())["fhir_requests_in_flight", ()] == 1


def test_bundles_and_commits_are_counted() -> None:
    metrics = Metrics()

    metrics.bundle_received("transaction", 120)
    metrics.commit_ended("stored")
    metrics.commit_ended("conflict")

    samples = _samples(metrics.text())
    assert samples["fhir_bundle_entries_bucket", ("transaction", "100.0")] == 0
    assert samples["fhir_bundle_entries_bucket", ("transaction", "500.0")] == 1
    assert samples["fhir_store_commits_total", ("stored",)] == 1
    assert samples["fhir_store_commits_total", ("conflict",)] == 1


def test_two_systems_in_one_process_count_apart() -> None:
    first, second = Metrics(), Metrics()

    first.commit_ended("stored")

    assert ("fhir_store_commits_total", ("stored",)) not in _samples(second.text())


_WORKER = """
import os, sys
from fhir_server.observability.metrics import Metrics
metrics = Metrics()
for _ in range(3):
    metrics.request_began()
metrics.request_ended("read", "Patient", 200, 0.001)
if sys.argv[1] == "show":
    sys.stdout.buffer.write(metrics.text())
sys.stdout.flush()
os._exit(0)
"""


def test_a_worker_answers_for_all_but_not_for_what_a_dead_one_had_in_flight(
    tmp_path: Path,
) -> None:
    def worker(what: str) -> bytes:
        return subprocess.run(
            [sys.executable, "-c", _WORKER, what],
            env={SHARED_FOLDER: str(tmp_path)},
            capture_output=True,
            check=True,
            timeout=30,
        ).stdout

    worker("stay silent")

    samples = _samples(worker("show"))
    assert samples["fhir_requests_total", ("read", "2xx", "Patient")] == 2
    assert samples["fhir_requests_in_flight", ()] == 2
