"""The public data sets as resources with ids, so that every store has the same.

Links between entries of a bundle become links to the ids they get; a link by a criterion leads to
the one resource that has the identifier.
"""

import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.data import data_folder

Resource = dict[str, Any]

_FIRST = ("hospitalInformation", "practitionerInformation")
_CRITERION = re.compile(r'"(\w+)\?identifier=([^"|]*)\|([^"]*)"')
SMALL_PATIENTS = (
    "2019-plain/Jacob_Larson",
    "2020-covid-batch/Pablo44_Sporer811",
    "2021-uscore3/Martine382_Waters156",
)


def synthea(names: Iterable[str] = SMALL_PATIENTS) -> list[Resource]:
    """Whole patients, each with the organizations and practitioners that it names."""
    found: dict[tuple[str, str], Resource] = {}
    for name in names:
        folder, _, patient = name.partition("/")
        files = sorted(data_folder(f"synthea/{folder}").glob("*.json.gz"))
        shared = [_unpacked(file) for file in files if file.name.startswith(_FIRST)]
        (own,) = (_unpacked(file) for file in files if file.name.startswith(patient))
        for resource in _linked(own, shared):
            found[resource["resourceType"], resource["id"]] = resource
    return list(found.values())


def lines(name: str) -> Iterator[Resource]:
    """The resources of a file with one a line; of one that is there twice the first."""
    seen = set()
    with gzip.open(data_folder(name), "rt", encoding="utf-8") as file:
        for line in file:
            resource = json.loads(line, parse_float=Decimal)
            place = resource["resourceType"], resource["id"]
            if place not in seen:
                seen.add(place)
                yield resource


def archived(name: str) -> dict[str, bytes]:
    """The files of an archive by their paths."""
    with tarfile.open(fileobj=io.BytesIO(data_folder(name).read_bytes())) as archive:
        files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        return {path: file.read() for path, file in files.items() if file}


def _unpacked(file: Path) -> str:
    return gzip.decompress(file.read_bytes()).decode()


def _linked(patient: str, shared: list[str]) -> Iterator[Resource]:
    wanted = {match[3] for match in _CRITERION.finditer(patient)}
    others = [entry["resource"] for text in shared for entry in _entries(text)]
    by_identifier = {
        (each["resourceType"], identifier["value"]): each
        for each in others
        for identifier in each.get("identifier", ())
        if identifier["value"] in wanted
    }
    places = {
        entry["fullUrl"]: f"{entry['resource']['resourceType']}/{_id(entry)}"
        for entry in _entries(patient)
    }
    text = re.sub(r'"(urn:uuid:[^"]*)"', lambda m: f'"{places.get(m[1], m[1])}"', patient)
    text = _CRITERION.sub(lambda m: f'"{m[1]}/{by_identifier[m[1], m[3]]["id"]}"', text)
    yield from by_identifier.values()
    for entry, linked in zip(_entries(patient), _entries(text), strict=True):
        yield {**linked["resource"], "id": _id(entry)}


def _entries(bundle: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(bundle, parse_float=Decimal)["entry"]
    return entries


def _id(entry: dict[str, Any]) -> str:
    return str(entry["fullUrl"]).removeprefix("urn:uuid:")
