"""What is counted and measured, served at `/metrics` for Prometheus.

https://prometheus.io/docs/instrumenting/exposition_formats/

Labels come from the interaction table and the definitions, never from a request's own words,
so their number is bounded. A request costs about 2 µs: children are resolved once and kept.
With several workers `serve` names a shared folder in PROMETHEUS_MULTIPROC_DIR before they
start, and any of them answers for all.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
_ENTRIES = (1, 5, 10, 50, 100, 500, 1000, 5000)


class Metrics:
    """The table of everything measured, and the few calls that feed it. One for each system."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = self._counter(
            "fhir_requests", "Requests answered.", "interaction", "type", "status"
        )
        self._seconds = self._histogram(
            "fhir_request_seconds", "Time an answer took.", _SECONDS, "interaction"
        )
        self._in_flight = self._gauge("fhir_requests_in_flight", "Requests being answered.")
        self._entries = self._histogram(
            "fhir_bundle_entries", "Entries of a batch or transaction.", _ENTRIES, "kind"
        )
        self._commits = self._counter(
            "fhir_store_commits", "Commits asked of the store.", "outcome"
        )
        self._shared = SHARED_FOLDER in os.environ
        _forget_dead_workers()
        self._open = 0
        self._answered: dict[tuple[str, str, int], Counter] = {}
        self._taken: dict[str, Histogram] = {}

    def request_began(self) -> None:
        self._open += 1

    def request_ended(self, interaction: str, type_: str, status: int, seconds: float) -> None:
        """Count an answer. `type_` is a resource type that exists, or "" for none."""
        self._open -= 1
        if self._shared:  # another worker may be asked, and can only read what was set
            self._in_flight.set(self._open)
        key = (interaction, type_, status // 100)
        answered = self._answered.get(key)
        if answered is None:
            answered = self._requests.labels(interaction, type_, f"{status // 100}xx")
            self._answered[key] = answered
        answered.inc()
        taken = self._taken.get(interaction)
        if taken is None:
            taken = self._taken[interaction] = self._seconds.labels(interaction)
        taken.observe(seconds)

    def bundle_received(self, kind: str, entries: int) -> None:
        """Count a bundle of a kind, `batch` or `transaction`, by its entries."""
        self._entries.labels(kind).observe(entries)

    def commit_ended(self, outcome: str) -> None:
        """Count a commit by how it went: `stored`, `conflict` or `failed`."""
        self._commits.labels(outcome).inc()

    def text(self) -> bytes:
        """Everything counted so far, by all workers, in the format of CONTENT_TYPE."""
        self._in_flight.set(self._open)
        registry = self._registry
        if self._shared:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # library without types
        return generate_latest(registry)

    def _gauge(self, name: str, words: str) -> Gauge:
        return Gauge(name, words, registry=self._registry, multiprocess_mode="livesum")

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(name, words, labels, registry=self._registry)

    def _histogram(
        self, name: str, words: str, buckets: Sequence[float], *labels: str
    ) -> Histogram:
        return Histogram(name, words, labels, buckets=buckets, registry=self._registry)


def _forget_dead_workers() -> None:
    """Drop what killed workers left in flight; this worker was started in place of one."""
    folder = os.environ.get(SHARED_FOLDER)
    for file in Path(folder).glob("gauge_live*_*.db") if folder else ():
        process = int(file.stem.rpartition("_")[2])
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            mark_process_dead(process)  # type: ignore[no-untyped-call]  # library without types
