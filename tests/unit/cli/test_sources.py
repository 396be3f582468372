"""Files to load: which, in what order, and as what bundles."""

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fhir_server.cli import sources
from fhir_server.cli.sources import Parcel, Source, Unreadable, find, read

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file below the test's folder, packed if its name ends in .gz."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


def _read(path: Path) -> list[Parcel | Unreadable]:
    return list(read(Source(path, named=True)))


def _bundles(path: Path) -> list[Any]:
    pieces = _read(path)
    assert all(isinstance(piece, Parcel) for piece in pieces), pieces
    return [piece.bundle for piece in pieces if isinstance(piece, Parcel)]


def test_in_each_folder_hospitals_go_first_then_practitioners_then_the_rest_by_name(
    write: Write, tmp_path: Path
) -> None:
    names = [
        "b/adam.json",
        "a/zoe.json.gz",
        "a/practitionerInformation1.json",
        "b/hospitalInformation2.json.gz",
        "a/hospitalInformation1.json",
        "a/lines.ndjson",
        "a/notes.txt",
        "a/picture.json.png",
    ]
    for name in names:
        write(name, "{}")

    stages = find([tmp_path])

    found = [[str(source.path.relative_to(tmp_path)) for source in stage] for stage in stages]
    assert found == [
        ["a/hospitalInformation1.json"],
        ["a/practitionerInformation1.json"],
        ["a/lines.ndjson", "a/zoe.json.gz"],
        ["b/hospitalInformation2.json.gz"],
        ["b/adam.json"],
    ]


def test_each_path_is_done_before_the_next(write: Write) -> None:
    names = ["b/zoe.json", "b/hospital.json", "a/adam.json", "a/hospital.json"]
    b, _, a, _ = (write(name, "{}").parent for name in names)

    stages = find([b, a])

    found = [[f"{s.path.parent.name}/{s.path.name}" for s in stage] for stage in stages]
    assert found == [["b/hospital.json"], ["b/zoe.json"], ["a/hospital.json"], ["a/adam.json"]]


def test_a_file_named_twice_is_loaded_once(write: Write) -> None:
    path = write("a/x.json", "{}")

    assert len(find([path, path.parent, path])) == 1
    assert [source.named for source in find([path, path.parent])[0]] == [True]


@pytest.mark.parametrize("name", ["x.json", "x.json.gz"])
@pytest.mark.parametrize("type_", ["transaction", "batch"])
def test_a_transaction_or_batch_goes_as_it_is(write: Write, name: str, type_: str) -> None:
    bundle = {"resourceType": "Bundle", "type": type_, "entry": [{"request": {"method": "GET"}}]}

    assert _bundles(write(name, json.dumps(bundle))) == [bundle]


def test_a_collection_becomes_a_transaction_that_may_refer_within_itself(write: Write) -> None:
    text = """{"resourceType": "Bundle", "type": "collection", "entry": [
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient"}},
        {"resource": {"resourceType": "Observation", "id": "o", "valueQuantity": {"value": 1.10}}},
        {"fullUrl": "urn:uuid:2"}]}"""

    [bundle] = _bundles(write("x.json", text))

    assert bundle == {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:1",
                "resource": {"resourceType": "Patient"},
                "request": {"method": "POST", "url": "Patient"},
            },
            {
                "resource": {
                    "resourceType": "Observation",
                    "id": "o",
                    "valueQuantity": {"value": Decimal("1.10")},
                },
                "request": {"method": "PUT", "url": "Observation/o"},
            },
        ],
    }
    assert str(bundle["entry"][1]["resource"]["valueQuantity"]["value"]) == "1.10"


@pytest.mark.parametrize("type_", ["document", "message", "history", None])
def test_a_bundle_that_is_a_record_itself_is_stored_as_one(write: Write, type_: str | None) -> None:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "id": "b", "type": type_, "entry": []}

    [sent] = _bundles(write("x.json", json.dumps(bundle)))

    [entry] = sent["entry"]
    assert (sent["type"], entry["resource"]) == ("batch", bundle)
    assert entry["request"] == {"method": "PUT", "url": "Bundle/b"}


@pytest.mark.parametrize("name", ["x.ndjson", "x.ndjson.gz", "x.jsonl"])
def test_lines_go_in_batches(write: Write, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BATCH_SIZE", 2)
    lines = [json.dumps({"resourceType": "Patient", "id": str(n)}) for n in range(5)]

    pieces = _read(write(name, "\n".join(lines) + "\n\n"))

    assert [piece.place for piece in pieces] == [
        f"{name} lines 1 to 2",
        f"{name} lines 3 to 4",
        f"{name} lines 5 to 5",
    ]
    sent = [piece.bundle for piece in pieces if isinstance(piece, Parcel)]
    assert [entry["request"]["url"] for bundle in sent for entry in bundle["entry"]] == [
        f"Patient/{n}" for n in range(5)
    ]
    positions = [piece.position for piece in pieces]
    assert positions == sorted(positions)


def test_a_batch_ends_before_it_grows_too_large(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "BATCH_BYTES", 100)
    line = json.dumps({"resourceType": "Binary", "data": "A" * 60})

    assert len(_bundles(write("x.ndjson", f"{line}\n" * 4))) == 2


def test_a_bundle_among_lines_goes_alone_and_in_its_place(write: Write) -> None:
    patient = '{"resourceType": "Patient"}'
    bundle = '{"resourceType": "Bundle", "type": "transaction", "entry": []}'

    sent = _bundles(write("x.ndjson", f"{patient}\n{bundle}\n{patient}\n{patient}"))

    assert [(one["type"], len(one["entry"])) for one in sent] == [
        ("batch", 1),
        ("transaction", 0),
        ("batch", 2),
    ]


def test_a_bad_line_is_named_and_the_others_go_on(write: Write) -> None:
    patient = '{"resourceType": "Patient"}'

    first, second, third = _read(write("x.ndjson", f"{patient}\n{{\n[]\n{patient}\n"))

    assert isinstance(first, Unreadable)
    assert first.place == "x.ndjson line 2"
    assert first.reason.startswith("The content is not JSON")
    assert isinstance(second, Unreadable)
    assert second.place == "x.ndjson line 3"
    assert second.reason == "is no FHIR resource: it has no resourceType"
    assert isinstance(third, Parcel)
    assert len(third.bundle["entry"]) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "The content is not JSON"),
        ("", "There is no content where JSON was expected."),
        ('{"a": 1, "a": 2}', "The name 'a' occurs twice"),
    ],
)
def test_a_bad_file_is_told(write: Write, text: str, reason: str) -> None:
    [piece] = _read(write("x.json", text))

    assert isinstance(piece, Unreadable)
    assert piece.reason.startswith(reason)
    assert piece.matters


def test_a_file_that_is_not_what_its_name_says_is_told(write: Write) -> None:
    path = write("x.json", "{}").rename(write("y.json", "{}").with_name("x.json.gz"))

    [piece] = _read(path)

    assert isinstance(piece, Unreadable)
    assert piece.reason.startswith("cannot be read")


def test_what_merely_lies_in_a_folder_need_not_be_fhir(write: Write) -> None:
    path = write("manifest.json", '{"patients": 60}')

    [found] = read(Source(path, named=False))
    [named] = read(Source(path, named=True))

    assert [piece.matters for piece in (found, named) if isinstance(piece, Unreadable)] == [
        False,
        True,
    ]


def test_folders_are_loaded_in_the_order_they_are_named(tmp_path: Path) -> None:
    for name in ("a/one.json", "b/hospitalInformation.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")

    stages = find([tmp_path / "b", tmp_path / "a"])

    assert [source.path.name for stage in stages for source in stage] == [
        "hospitalInformation.json",
        "one.json",
    ]


def test_a_damaged_packed_file_is_told_and_is_not_the_end(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(b'{"resourceType": "Patient"}' * 100))
    data[10:20] = b"\xff" * 10
    path = tmp_path / "damaged.json.gz"
    path.write_bytes(data)

    (piece,) = _read(path)

    assert isinstance(piece, Unreadable)
    assert "cannot be read" in piece.reason


@pytest.mark.parametrize("type_", ["collection", "searchset", "transaction", "batch"])
@pytest.mark.parametrize("entry", [["x"], 5, {"resource": {}}, [None]])
@pytest.mark.parametrize("name", ["odd.json", "odd.ndjson"])
def test_a_bundle_whose_entries_are_no_objects_is_told(
    write: Write, name: str, entry: object, type_: str
) -> None:
    bundle = {"resourceType": "Bundle", "type": type_, "entry": entry}

    (piece,) = _read(write(name, json.dumps(bundle)))

    assert isinstance(piece, Unreadable)
    assert piece.reason == "is a Bundle whose entry is not a list of objects"


def test_a_bundle_whose_type_is_no_word_is_left_to_the_server_to_judge(write: Write) -> None:
    odd = {"resourceType": "Bundle", "type": ["transaction"]}

    assert _bundles(write("odd.json", json.dumps(odd)))[0]["entry"][0]["resource"] == odd
