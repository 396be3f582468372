"""What is read from a folder, and what is left out."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from fhir_server.definitions.packing.source import LEFT_OUT, expansion_of, read_source

_LEFT_OUT = [
    {"resourceType": key.split("/")[0], "id": key.split("/")[1], "url": f"http://x/{key}"}
    for key in LEFT_OUT
]
_GENDER = {"resourceType": "ValueSet", "id": "gender", "url": "http://x/gender"}


def test_what_is_named_is_left_out_and_the_rest_is_kept_as_published(tmp_path: Path) -> None:
    _write(tmp_path / "all.ndjson.gz", [*_LEFT_OUT, {**_GENDER, "n": 1}])
    (only,) = read_source(tmp_path).definitions
    assert only.key == "ValueSet/gender"
    assert only.text == json.dumps({**_GENDER, "n": 1}).encode()


def test_a_source_without_what_should_be_left_out_is_not_the_core(tmp_path: Path) -> None:
    _write(tmp_path / "all.ndjson.gz", [each for each in _LEFT_OUT if each["id"] != "phr"])
    with pytest.raises(ValueError, match="has no CapabilityStatement/phr: is it the R4 core"):
        read_source(tmp_path)


def test_expansions_are_kept_apart_with_their_digits(tmp_path: Path) -> None:
    _write(tmp_path / "all.ndjson.gz", [*_LEFT_OUT, _GENDER])
    text = json.dumps({**_GENDER, "expansion": {"total": "?"}}).replace('"?"', "1.0")
    _write_lines(tmp_path / "valueset-expansions.ndjson.gz", [text])
    source = read_source(tmp_path)
    assert [each.resource for each in source.definitions] == [_GENDER]
    assert expansion_of(source.expansions[0]) == b'{"total": 1.0}'


def test_a_value_set_only_published_expanded_is_a_definition_too(tmp_path: Path) -> None:
    _write(tmp_path / "all.ndjson.gz", _LEFT_OUT)
    _write(tmp_path / "valueset-expansions.ndjson.gz", [{**_GENDER, "expansion": {"total": 1}}])
    assert [each.resource for each in read_source(tmp_path).definitions] == [_GENDER]


def _write(path: Path, resources: list[dict[str, Any]]) -> None:
    _write_lines(path, [json.dumps(each) for each in resources])


def _write_lines(path: Path, lines: list[str]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
