"""Files to load, in the order to load them, cut into bundles.

https://hl7.org/fhir/R4/bundle.html and https://ndjson.org

Transactions and batches go as they are. A collection becomes a transaction, so that it may
refer within itself; single resources become batches, so that a bad one stops no other.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from fhir_server.errors import MalformedContent
from fhir_server.fhir import json_format
from fhir_server.interactions.request import Resource

BATCH_SIZE = 500
BATCH_BYTES = 8 * 1024 * 1024
"""A batch of single resources ends at whichever comes first."""

_LINES = (".ndjson", ".jsonl")
_SUFFIXES = (".json", *_LINES)
_FIRST = ("hospital", "practitioner")
"""What other bundles refer to: their files go before all others, in this order."""
_SENT_AS = {"transaction": None, "batch": None, "collection": "transaction", "searchset": "batch"}


@dataclass(frozen=True, slots=True)
class Source:
    """One file, and whether it was named or found in a folder that was."""

    path: Path
    named: bool

    @property
    def size(self) -> int:
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class Parcel:
    """A bundle to send, where it comes from and how far into the file that is, in bytes."""

    place: str
    bundle: Resource
    position: int
    is_gathered: bool = False
    """Whether the bundle is a batch only because single resources were gathered into it."""

    def halves(self) -> Sequence["Parcel"]:
        """The same entries in two parcels, in order."""
        entries = self.bundle["entry"]
        middle = len(entries) // 2
        return [
            replace(self, bundle={**self.bundle, "entry": part})
            for part in (entries[:middle], entries[middle:])
        ]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place that holds nothing to send, and why."""

    place: str
    reason: str
    position: int
    matters: bool = True
    """Whether somebody expects it to load: not what merely lies in a folder, like a manifest."""


def find(paths: Sequence[Path]) -> list[list[Source]]:
    """Every file under the paths, once, in stages: the next begins when the one before is done.

    Paths keep their order and each folder is a data set of its own: what another one brings
    must not stand in the way of what its files refer to.
    """
    seen: set[Path] = set()
    stages: dict[tuple[int, Path, int], list[Source]] = {}
    for order, path in enumerate(paths):
        for source in sorted(_sources(path), key=lambda source: source.path):
            if source.path.resolve() not in seen:
                seen.add(source.path.resolve())
                stage = order, source.path.parent, _stage(source.path.name)
                stages.setdefault(stage, []).append(source)
    return [stages[stage] for stage in sorted(stages)]


def _sources(path: Path) -> list[Source]:
    if not path.is_dir():
        return [Source(path, named=True)]
    inside = (file for file in path.rglob("*") if file.is_file() and _is_ours(file))
    return [Source(file, named=False) for file in inside]


def read(source: Source) -> Iterator[Parcel | Unreadable]:
    """The bundles of a file, one after the other; a large NDJSON file never whole in memory."""
    place = source.path.name
    try:
        with source.path.open("rb") as raw:
            zipped = source.path.suffix == ".gz"
            content = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if zipped else raw
            if _kind(source.path) in _LINES:
                yield from _of_lines(place, content, raw)
            else:
                yield _of_whole(source, content.read())
    except (OSError, EOFError, zlib.error) as error:
        yield Unreadable(place, f"cannot be read: {error}", source.size)


def _of_whole(source: Source, data: bytes) -> Parcel | Unreadable:
    place = source.path.name
    try:
        value = json_format.parse(data)
    except MalformedContent as error:
        return Unreadable(place, error.message, source.size)
    if not _is_resource(value):
        return Unreadable(place, _NOT_A_RESOURCE, source.size, matters=source.named)
    if reason := _damage(value):
        return Unreadable(place, reason, source.size)
    return Parcel(place, _as_bundle(value) or _batch([value]), source.size)


def _of_lines(place: str, lines: Iterable[bytes], raw: BinaryIO) -> Iterator[Parcel | Unreadable]:
    waiting = _Waiting(place)
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        value = _of_line(line)
        if isinstance(value, str):
            yield Unreadable(f"{place} line {number}", value, raw.tell())
        elif bundle := _as_bundle(value):
            yield from waiting.taken(raw.tell())
            yield Parcel(f"{place} line {number}", bundle, raw.tell())
        else:
            waiting.add(number, value, len(line))
            if waiting.is_enough:
                yield from waiting.taken(raw.tell())
    yield from waiting.taken(raw.tell())


class _Waiting:
    """Single resources of a file until they are enough for a batch."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._resources: list[Resource] = []
        self._first = self._last = self._size = 0

    @property
    def is_enough(self) -> bool:
        return len(self._resources) >= BATCH_SIZE or self._size >= BATCH_BYTES

    def add(self, line: int, resource: Resource, size: int) -> None:
        self._first = self._first or line
        self._last = line
        self._size += size
        self._resources.append(resource)

    def taken(self, position: int) -> list[Parcel]:
        """What waited, as one parcel or none; nothing waits afterwards."""
        if not self._resources:
            return []
        place = f"{self._place} lines {self._first} to {self._last}"
        parcel = Parcel(place, _batch(self._resources), position, is_gathered=True)
        self._resources, self._first, self._size = [], 0, 0
        return [parcel]


def _of_line(line: bytes) -> Resource | str:
    """The resource, or why there is none."""
    try:
        value = json_format.parse(line)
    except MalformedContent as error:
        return error.message
    if not _is_resource(value):
        return _NOT_A_RESOURCE
    return _damage(value) or cast("Resource", value)


_NOT_A_RESOURCE = "is no FHIR resource: it has no resourceType"


def _is_resource(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


def _damage(resource: Resource) -> str:
    """Why a Bundle's entries cannot be told from one another; empty when they can."""
    if resource["resourceType"] != "Bundle":
        return ""
    entries = resource.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return "is a Bundle whose entry is not a list of objects"
    return ""


def _as_bundle(resource: Resource) -> Resource | None:
    """What to send of a Bundle of a kind that stands for its entries; None for all else."""
    type_ = resource.get("type")
    if resource["resourceType"] != "Bundle" or not isinstance(type_, str) or type_ not in _SENT_AS:
        return None
    sent_as = _SENT_AS[type_]
    if sent_as is None:
        return resource
    entries = [entry for entry in resource.get("entry", ()) if _is_resource(entry.get("resource"))]
    return {
        "resourceType": "Bundle",
        "type": sent_as,
        "entry": [_entry(entry["resource"], entry.get("fullUrl")) for entry in entries],
    }


def _batch(resources: Iterable[Resource]) -> Resource:
    return {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [_entry(resource, None) for resource in resources],
    }


def _entry(resource: Resource, full_url: str | None) -> Resource:
    """An update where there is an id, so that loading twice adds nothing; else a create."""
    type_, id_ = resource["resourceType"], resource.get("id")
    request = (
        {"method": "POST", "url": type_}
        if id_ is None
        else {"method": "PUT", "url": f"{type_}/{id_}"}
    )
    entry = {"resource": resource, "request": request}
    return {"fullUrl": full_url, **entry} if full_url else entry


def _is_ours(path: Path) -> bool:
    return _kind(path) in _SUFFIXES


def _kind(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _stage(name: str) -> int:
    lowered = name.lower()
    return next((n for n, begin in enumerate(_FIRST) if lowered.startswith(begin)), len(_FIRST))
