"""The form of each primitive type, by examples, and against the specification's own patterns."""

import gzip
import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.fhir.primitives import RULES, is_id, is_valid
from tests.support.data import data_folder

_RIGHT: dict[str, list[Any]] = {
    "base64Binary": ["YWJj", "YWJj\nYWI=", " YWJj "],
    "boolean": [True, False],
    "canonical": ["http://x.org/y|1#z", "#a"],
    "code": ["a", "a b", "entered-in-error"],
    "date": ["2024", "2024-02", "2024-02-29", "0001-01-01"],
    "dateTime": ["2024", "2024-02", "2024-02-29", "2024-02-29T23:59:60Z",
                 "2024-02-29T00:00:00.123456+14:00"],
    "decimal": [Decimal("1.00"), 1, -1, Decimal("1E+400"), Decimal("-0.0"), 10**30],
    "id": ["a", "A-1.b", "x" * 64],
    "instant": ["2024-02-29T23:59:59Z", "2024-02-29T23:59:59.1-05:30"],
    "integer": [0, -1, 2**31 - 1, -(2**31)],
    "markdown": ["# a\n\n\tb"],
    "oid": ["urn:oid:1.2.840", "urn:oid:2.0"],
    "positiveInt": [1, 2**31 - 1],
    "string": ["a", " ", "a\r\n\tb", "é😀", "\x85"],
    "time": ["00:00:00", "23:59:60.5"],
    "unsignedInt": [0, 1],
    "uri": ["http://x.org", "urn:oid:1", "x", "é"],
    "url": ["http://x.org"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
    "xhtml": ["<div xmlns='http://www.w3.org/1999/xhtml'>x</div>"],
}  # fmt: skip
_WRONG: dict[str, list[Any]] = {
    "base64Binary": ["", "YWJ", "YW Jj", "!!!!", 1],
    "boolean": ["true", 1, 0, None],
    "canonical": ["", "a b", 1],
    "code": ["", " a", "a ", "a  b", "a\n b", 1],
    "date": ["", "2023-02-29", "2024-13", "24", "2024-02-29T00:00:00Z", "0000", 2024, None,
             "2024-1"],
    "dateTime": ["2024-02-29T23:59Z", "2024-02-29T23:59:59", "2024-02-30T00:00:00Z",
                 "2024-02-29T24:00:00Z", "2024-02-29T00:00:00+14:01", "2024-02-29T00:00:00.Z"],
    "decimal": ["1.0", True, None, float("nan")],
    "id": ["", "a/b", "x" * 65, "a b", "é", "a_b", 1],
    "instant": ["2024", "2024-02-29", "2024-02-29T23:59:59", "2023-02-29T23:59:59Z"],
    "integer": [2**31, -(2**31) - 1, Decimal("1.0"), Decimal(1), "1", True],
    "markdown": ["", "a\x00", 1],
    "oid": ["1.2.3", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.02"],
    "positiveInt": [0, -1, True],
    "string": ["", "a\x00b", "a\x1fb", "a\x0b", "x" * (1024 * 1024 + 1), 1, None],
    "time": ["24:00:00", "10:00", "10:00:00Z", "1:00:00"],
    "unsignedInt": [-1, 2**31, False],
    "uri": ["", "a b", "a\n", 1],
    "url": ["", "a b"],
    "uuid": ["c757873d-ec9a-4326-a141-556f43239520",
             "urn:uuid:C757873D-ec9a-4326-a141-556f43239520"],
    "xhtml": ["", 1],
}  # fmt: skip


@pytest.mark.parametrize(("type_", "value"), [(t, v) for t, vs in _RIGHT.items() for v in vs])
def test_right_values_are_valid(type_: str, value: Any) -> None:
    assert is_valid(type_, value)


@pytest.mark.parametrize(("type_", "value"), [(t, v) for t, vs in _WRONG.items() for v in vs])
def test_wrong_values_are_not(type_: str, value: Any) -> None:
    assert not is_valid(type_, value)


@given(st.text(max_size=70))
def test_an_id_is_what_the_type_id_allows(text: str) -> None:
    assert is_id(text) == is_valid("id", text)


def _published() -> dict[str, str | None]:
    """Each primitive type of the specification with its pattern."""
    file = data_folder("r4/structuredefinitions-datatypes.ndjson.gz")
    found: dict[str, str | None] = {}
    for line in gzip.decompress(file.read_bytes()).decode().splitlines():
        definition = json.loads(line)
        if definition["kind"] != "primitive-type":
            continue
        value = next(e for e in definition["snapshot"]["element"] if e["path"].endswith(".value"))
        extensions = value["type"][0].get("extension", [])
        patterns = [e["valueString"] for e in extensions if e["url"].endswith("/regex")]
        found[definition["name"]] = patterns[0] if patterns else None
    return found


def test_every_primitive_type_of_the_specification_has_a_rule() -> None:
    assert set(_published()) == set(RULES)


def test_examples_agree_with_the_patterns_of_the_specification() -> None:
    for type_, pattern in _published().items():
        if pattern is None or type_ in {"boolean", "decimal"}:
            continue
        for value in _RIGHT[type_]:
            assert re.fullmatch(pattern, str(value), re.ASCII), (type_, value)
