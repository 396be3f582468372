"""Whole patients of Synthea: each resource reads back as it was sent, each link leads somewhere"""

import gzip
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.data import data_folder
from tests.support.server import BASE, Server, Start

pytestmark = pytest.mark.anyio

FIRST = ("hospitalInformation", "practitionerInformation")
"""What patients refer to by criteria has to be there before them."""


def bundles(folder: str) -> list[bytes]:
    """A patient in the middle of all by size, behind what it refers to by criteria."""
    files = sorted(data_folder(f"synthea/{folder}").glob("*.json.gz"))
    first = [file for file in files if file.name.startswith(FIRST)]
    patients = [file for file in files if file not in first]
    patients.sort(key=lambda file: file.stat().st_size)
    patient = unpacked(patients[len(patients) // 2])
    return [*(only_needed(unpacked(file), patient) for file in first), patient]


def unpacked(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes())


def only_needed(bundle: bytes, patient: bytes) -> bytes:
    """The bundle without what the patient does not name."""
    whole = json.loads(bundle)
    whole["entry"] = [
        entry
        for entry in whole["entry"]
        if any(i["value"].encode() in patient for i in entry["resource"].get("identifier", ()))
    ]
    return json.dumps(whole).encode()


def exact(data: bytes) -> Any:
    return json.loads(data, parse_float=Decimal)


def differences(sent: Any, got: Any, moved: dict[str, str], path: str) -> list[str]:
    """Where what came back is neither what was sent nor the link that became of it."""
    if isinstance(sent, dict) and isinstance(got, dict):
        if list(sent) != list(got):
            return [f"{path}: {list(sent)} became {list(got)}"]
        found = [differences(sent[name], got[name], moved, f"{path}.{name}") for name in sent]
        return [each for some in found for each in some]
    if isinstance(sent, list) and isinstance(got, list) and len(sent) == len(got):
        pairs = enumerate(zip(sent, got, strict=True))
        found = [differences(one, other, moved, f"{path}[{n}]") for n, (one, other) in pairs]
        return [each for some in found for each in some]
    if isinstance(sent, Decimal) and isinstance(got, Decimal):
        return [] if str(sent) == str(got) else [f"{path}: {sent} became {got}"]
    conditional = re.match(r"(\w+)\?identifier=", sent) if isinstance(sent, str) else None
    if conditional and path.endswith(".reference"):
        is_one = re.fullmatch(rf"{conditional[1]}/[0-9a-f-]{{36}}", got)
        return [] if is_one else [f"{path}: {sent} became {got}"]
    expected = moved.get(sent, sent) if path.endswith((".reference", "Url")) else sent
    return [] if type(sent) is type(got) and got == expected else [f"{path}: {sent} became {got}"]


async def post(server: Server, bundle: bytes) -> list[dict[str, Any]]:
    response = await server.post("", bundle)
    assert response.status_code == 200, response.text[:1000]
    answers: list[dict[str, Any]] = response.json()["entry"]
    return answers


async def read(server: Server, types: set[str]) -> dict[str, Any]:
    """Every resource of these types, by `Type/id`."""
    found = {}
    for type_ in types:
        following: str | None = f"{type_}?_count=1000"
        while following:
            bundle = exact((await server.get(following)).content)
            for entry in bundle.get("entry", ()):
                found[f"{type_}/{entry['resource']['id']}"] = entry["resource"]
            links = {each["relation"]: each["url"] for each in bundle["link"]}
            following = links.get("next")
    return found


@pytest.mark.parametrize("folder", ["2019-plain", "2021-uscore3"])
async def test_a_whole_patient_reads_back_as_it_was_sent(start: Start, folder: str) -> None:
    async with start() as server:
        for bundle in bundles(folder):
            answers = await post(server, bundle)

            entries = exact(bundle)["entry"]
            assert {answer["response"]["status"] for answer in answers} == {"201 Created"}
            targets = [
                answer["response"]["location"].removeprefix(f"{BASE}/").partition("/_history")[0]
                for answer in answers
            ]
            moved = dict(zip((entry.get("fullUrl") for entry in entries), targets, strict=True))
            stored = await read(server, {entry["resource"]["resourceType"] for entry in entries})
            for entry, target in zip(entries, targets, strict=True):
                sent, got = without_ids(entry["resource"]), without_ids(stored[target])
                assert differences(sent, got, moved, target) == []


def without_ids(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in {"id", "meta"}}
