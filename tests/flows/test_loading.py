"""`fhir-server load`: files in, and everything that went wrong told."""

import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from tests.support.data import data_folder
from tests.support.process import Served, command, serving

HOSPITAL = {"resourceType": "Organization", "identifier": [{"system": "urn:x", "value": "h"}]}


def _bundle(type_: str, *resources: dict[str, Any]) -> str:
    entries = [
        {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}
        for resource in resources
    ]
    return json.dumps({"resourceType": "Bundle", "type": type_, "entry": entries})


def _lines(count: int) -> str:
    return "".join(
        json.dumps({"resourceType": "Patient", "id": f"p{n}"}) + "\n" for n in range(count)
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with one of each kind: 1,206 resources, four things that fail, one to skip."""
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    patient = {
        "resourceType": "Patient",
        "managingOrganization": {"reference": "Organization?identifier=urn:x|h"},
    }
    (folder / "a_patient.json").write_text(_bundle("transaction", patient, patient))
    (folder / "hospital1.json").write_text(_bundle("batch", HOSPITAL))
    collection = _bundle("collection", {"resourceType": "Patient", "id": "c"})
    (folder / "deep" / "collection.json").write_text(collection)
    (folder / "single.json").write_text('{"resourceType": "Patient", "id": "s"}')
    (folder / "deep" / "many.ndjson.gz").write_bytes(gzip.compress(_lines(1200).encode()))
    lines = ['{"resourceType": "Patient"}', "nonsense", '{"resourceType": "Venusian"}']
    (folder / "some.ndjson").write_text("\n".join(lines))
    (folder / "broken.json").write_text("{")
    (folder / "refused.json").write_text(_bundle("transaction", {"resourceType": "Martian"}))
    (folder / "manifest.json").write_text("{}")
    return folder


def _assert_told(ended: subprocess.CompletedProcess[str]) -> None:
    assert ended.returncode == 1, ended.stderr
    said = ended.stdout
    assert "failed some.ndjson line 2: The content is not JSON" in said
    assert "failed broken.json: The content is not JSON" in said
    assert "failed refused.json: 404 Entry 0, POST Martian" in said
    assert "Martian" in said
    assert "9 files (1 without FHIR), 1,206 resources" in said
    assert "failed some.ndjson lines 1 to 3: 404 Not Found Entry …, POST Venusian" in said
    assert "4 errors" in said


def _total(served: Served, type_: str) -> int:
    answer = httpx.get(f"{served.base}/{type_}", params={"_summary": "count"}, timeout=60)
    return int(answer.json()["total"])


def test_files_are_loaded_without_a_server(files: Path, tmp_path: Path) -> None:
    _assert_told(command("load", files, folder=tmp_path))

    with serving(tmp_path) as served:
        assert (_total(served, "Patient"), _total(served, "Organization")) == (1205, 1)


def test_files_are_loaded_over_http(files: Path, tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        _assert_told(command("load", files, "--server", served.base, folder=tmp_path))

        assert (_total(served, "Patient"), _total(served, "Organization")) == (1205, 1)


def test_what_has_an_id_is_not_loaded_twice(tmp_path: Path) -> None:
    (tmp_path / "many.ndjson").write_text(_lines(30))

    first, second = (command("load", tmp_path / "many.ndjson", folder=tmp_path) for _ in range(2))

    assert (first.returncode, second.returncode) == (0, 0)
    assert "Patient │  30 │" in first.stdout
    assert "Patient │   0 │                       30" in second.stdout


def test_a_server_that_is_not_there_is_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")

    ended = command(
        "load", tmp_path / "x.json", "--server", "http://127.0.0.1:1/fhir", folder=tmp_path
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith("fhir-server: http://127.0.0.1:1/fhir/metadata does not answer")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    """A server on a store into which twenty whole patients were loaded, and what load said."""
    folder = tmp_path_factory.mktemp("loaded")
    ended = command("load", data_folder("synthea/2021-uscore3"), folder=folder)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    with serving(folder) as served:
        yield served, ended.stdout


def _counted() -> Counter[str]:
    """Resources by type in the bundles, read with nothing of ours."""
    types: Counter[str] = Counter()
    for path in data_folder("synthea/2021-uscore3").glob("*.json.gz"):
        entries = json.loads(gzip.decompress(path.read_bytes()))["entry"]
        types.update(entry["resource"]["resourceType"] for entry in entries)
    return types


def test_whole_patients_are_all_there(loaded: tuple[Served, str]) -> None:
    served, _ = loaded
    expected = _counted()

    assert {type_: _total(served, type_) for type_ in expected} == expected


def test_killed_in_the_middle_and_loaded_again_nothing_is_half_there(tmp_path: Path) -> None:
    folder = tmp_path / "patients"
    folder.mkdir()
    for file in sorted(data_folder("synthea/2019-plain").glob("*_*.json.gz"))[:8]:
        (folder / file.name).symlink_to(file)
    with serving(tmp_path) as served:
        loader = subprocess.Popen(
            [sys.executable, "-m", "fhir_server", "load", str(folder), "--server", served.base],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _until_some(served)
        served.kill()
        loader.kill()
        loader.wait()

    whole = _encounters_by_patient(folder)
    with serving(tmp_path) as again:
        _assert_whole(again, whole)
        assert command("load", folder, "--server", again.base, folder=tmp_path).returncode == 0
        _assert_whole(again, whole)


def _assert_whole(served: Served, whole: dict[str, int]) -> None:
    for patient, encounters in _stored_patients(served):
        assert encounters == whole[patient]


def _until_some(served: Served) -> None:
    end = monotonic() + 60
    while monotonic() < end:
        if _total(served, "Patient") >= 2:
            return
        sleep(0.02)
    raise AssertionError("nothing was loaded")


def _encounters_by_patient(folder: Path) -> dict[str, int]:
    """Encounters of each patient of the bundles, by the value of the first identifier."""
    found = {}
    for path in folder.glob("*_*.json.gz"):
        entries = json.loads(gzip.decompress(path.read_bytes()))["entry"]
        resources = [entry["resource"] for entry in entries]
        [patient] = [one for one in resources if one["resourceType"] == "Patient"]
        encounters = [one for one in resources if one["resourceType"] == "Encounter"]
        found[patient["identifier"][0]["value"]] = len(encounters)
    return found


def _stored_patients(served: Served) -> Iterator[tuple[str, int]]:
    page = httpx.get(f"{served.base}/Patient", params={"_count": "100"}, timeout=60).json()
    assert page["entry"]
    for entry in page["entry"]:
        patient = entry["resource"]
        query = {"subject": f"Patient/{patient['id']}", "_summary": "count"}
        answer = httpx.get(f"{served.base}/Encounter", params=query, timeout=60)
        yield patient["identifier"][0]["value"], answer.json()["total"]


def test_damaged_files_are_told_each_and_the_others_go_in(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    damaged = bytearray(gzip.compress(b'{"resourceType": "Patient"}' * 100))
    damaged[10:20] = b"\xff" * 10
    (folder / "a.json.gz").write_bytes(damaged)
    odd = {"b": ("collection", ["x"]), "c": (["transaction"], []), "d": ("transaction", 5)}
    for name, (type_, entry) in odd.items():
        bundle = {"resourceType": "Bundle", "type": type_, "entry": entry}
        (folder / f"{name}.json").write_text(json.dumps(bundle))
    entries = [{"resourceType": "Patient"}] * 5001
    (folder / "e.json").write_text(_bundle("collection", *entries))
    (folder / "z.json").write_text('{"resourceType": "Patient", "id": "good"}')

    ended = command("load", folder, folder=tmp_path)

    assert ended.returncode == 1, ended.stderr
    for said in ("failed a.json.gz: ", "failed b.json: ", "failed d.json: ", "failed e.json: 413"):
        assert said in ended.stdout
    assert "divide it where nothing refers across" in ended.stdout
    assert "6 files, " in ended.stdout


def test_lines_go_in_however_few_entries_a_bundle_may_have(tmp_path: Path) -> None:
    (tmp_path / "some.ndjson").write_text(_lines(25))

    ended = command(
        "load", tmp_path / "some.ndjson", folder=tmp_path, FHIR_SERVER_MAX_BUNDLE_ENTRIES="7"
    )

    assert ended.returncode == 0, ended.stdout
    assert "25 resources" in ended.stdout
