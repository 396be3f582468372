"""The layout of keys, and the ranges by which groups, parameters and beginnings are asked."""

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search import keys
from fhir_server.storage.versions import KEY_BYTES
from tests.support.data import data_folder

_TEXTS = st.text(max_size=30)


def _records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def _published_parameters() -> set[tuple[str, str]]:
    """Every (resource type, code) of R4, those of Resource and DomainResource for each type."""
    definitions = data_folder("r4/structuredefinitions-resources.ndjson.gz")
    types = {resource["type"] for resource in _records(definitions) if not resource["abstract"]}
    assert len(types) == 146
    parameters = data_folder("r4/searchparameters.ndjson.gz")
    found: set[tuple[str, str]] = set()
    for parameter in _records(parameters):
        for base in parameter.get("base", ()):
            bases = types if base in {"Resource", "DomainResource"} else {base}
            found.update((type_, parameter["code"]) for type_ in bases)
    return found


def test_no_two_parameters_of_r4_share_a_prefix() -> None:
    by_number = defaultdict(set)
    for type_, code in _published_parameters():
        by_number[keys.indexed(type_, code).number].add((type_, code))
    assert len(by_number) > 2000
    assert [shared for shared in by_number.values() if len(shared) > 1] == []


@given(_TEXTS, _TEXTS)
def test_a_prefix_is_the_same_as_bytes_number_and_text(type_: str, code: str) -> None:
    mark = keys.indexed(type_, code)
    assert len(mark.prefix) == keys.PREFIX_BYTES
    assert mark.number == int.from_bytes(mark.prefix)
    assert 0 <= mark.number < 2**31
    assert len(mark.text) == keys.TEXT_BYTES


@given(_TEXTS, st.integers(0, 2**32 - 1))
def test_interval_keys_are_positive_and_within_their_parameter(code: str, group: int) -> None:
    mark = keys.indexed("Type", code)
    key = keys.interval_key(mark, group)
    low, high = keys.intervals_of_parameter(mark).key
    assert 0 <= low <= key <= high < 2**63
    assert key >> 32 == mark.number


@given(_TEXTS, _TEXTS, _TEXTS)
def test_keys_lie_in_the_ranges_of_their_group_and_parameter(
    code: str, group: str, value: str
) -> None:
    mark = keys.indexed("Type", code)
    key = keys.key(mark.prefix, keys.group(group), keys.value(value))
    assert len(key) == KEY_BYTES
    for within in (keys.of_group(mark, keys.group(group)), keys.of_parameter(mark)):
        assert len(within.low) == len(within.high) == KEY_BYTES
        assert within.low <= key < within.high  # type: ignore[operator] # all are bytes


@pytest.mark.parametrize("group", [b"\0\0\0\0", b"\0\0\0\xff", b"\xff\xff\xff\xff"])
def test_the_range_of_a_group_holds_nothing_else(group: bytes) -> None:
    mark = keys.indexed("Type", "code")
    within = keys.of_group(mark, group)
    assert within.low == mark.prefix + group + bytes(8)
    first, last = mark.prefix + group + bytes(8), mark.prefix + group + b"\xff" * 8
    before = (int.from_bytes(first) - 1).to_bytes(KEY_BYTES)
    after = (int.from_bytes(last) + 1).to_bytes(KEY_BYTES)
    assert within.low <= first < within.high  # type: ignore[operator] # all are bytes
    assert within.low <= last < within.high  # type: ignore[operator] # likewise
    assert not within.low <= before < within.high  # type: ignore[operator] # likewise
    assert not within.low <= after < within.high  # type: ignore[operator] # likewise


@given(_TEXTS)
def test_no_name_falls_into_the_group_of_any(name: str) -> None:
    assert keys.group(name) != keys.ANY
    assert keys.group_number(name) != 0


def test_not_stated_and_none_are_different_groups() -> None:
    assert keys.group("") == keys.NONE
    assert keys.NONE != keys.ANY


_CHARACTERS = st.characters(exclude_categories=["Cs"])
_EDGES = st.sampled_from(["\ud7ff", "\ue000", "\U0010ffff", "\uffff", "z", "\x7f"])


@given(st.text(_CHARACTERS | _EDGES, max_size=4), st.text(_CHARACTERS | _EDGES, max_size=6))
def test_a_beginning_is_a_range_by_code_point(beginning: str, text: str) -> None:
    mark = keys.indexed("Type", "code").text
    within = keys.text_beginning(mark + beginning)
    inside = within.low <= mark + text < within.high  # type: ignore[operator] # all are text
    assert inside == text.startswith(beginning)
    # Ordered as UTF-8 is, and never a lone surrogate.
    encoded = [end.encode() for end in (within.low, within.high) if isinstance(end, str)]
    assert (encoded[0] <= (mark + text).encode() < encoded[1]) == inside


@given(_TEXTS)
def test_surrogates_in_a_value_do_not_break_its_key(text: str) -> None:
    assert len(keys.value(text + "\ud800")) == keys.VALUE_BYTES
