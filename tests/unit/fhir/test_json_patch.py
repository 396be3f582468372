"""JSON Patch: https://www.rfc-editor.org/rfc/rfc6902."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.errors import BadRequest, TooCostly
from fhir_server.fhir.json_patch import MOST_COPIED, PatchFailed, apply_patch


def _op(op: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": op, "path": path, **more}


def _move(source: str, path: str) -> dict[str, Any]:
    return {"op": "move", "from": source, "path": path}


def _copy(source: str, path: str) -> dict[str, Any]:
    return {"op": "copy", "from": source, "path": path}


@pytest.mark.parametrize(
    ("document", "operation", "expected"),
    [
        ({"a": 1}, _op("add", "/b", value=2), {"a": 1, "b": 2}),
        ({"a": 1}, _op("add", "/a", value=2), {"a": 2}),
        ({"a": [1, 2]}, _op("add", "/a/0", value=0), {"a": [0, 1, 2]}),
        ({"a": [1, 2]}, _op("add", "/a/2", value=3), {"a": [1, 2, 3]}),
        ({"a": [1, 2]}, _op("add", "/a/-", value=3), {"a": [1, 2, 3]}),
        ({"a": 1}, _op("add", "", value=[1]), [1]),
        ({"a": 1}, _op("add", "/b", value=None), {"a": 1, "b": None}),
        ({"": 1}, _op("replace", "/", value=2), {"": 2}),
        ({"a/b": 1, "m~n": 2}, _op("remove", "/a~1b"), {"m~n": 2}),
        ({"~1": 1}, _op("remove", "/~01"), {}),
        ({"a": [1, 2, 3]}, _op("remove", "/a/1"), {"a": [1, 3]}),
        ({"a": [1, 2]}, _op("replace", "/a/1", value={}), {"a": [1, {}]}),
        ({"a": 1}, _op("replace", "", value=1), 1),
        ({"a": {"b": 1}, "c": {}}, _move("/a/b", "/c/d"), {"a": {}, "c": {"d": 1}}),
        ({"a": [1, 2, 3]}, _move("/a/0", "/a/2"), {"a": [2, 3, 1]}),
        ({"a": 1}, _move("/a", "/a"), {"a": 1}),
        ({"a": {"b": 1}}, _move("/a/b", "/a"), {"a": 1}),
        ({"a": {"b": 1}}, _copy("/a", "/c"), {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a": 1}, _copy("", "/b"), {"a": 1, "b": {"a": 1}}),
        ({"a": 1}, _op("test", "/a", value=Decimal("1.0")), {"a": 1}),
        ({"a": {"b": [1], "c": None}}, _op("test", "/a", value={"c": None, "b": [1]}), None),
        ({"a": 1}, _op("test", "", value={"a": 1}), {"a": 1}),
    ],
)
def test_an_operation_changes_what_it_names(document: Any, operation: Any, expected: Any) -> None:
    assert apply_patch(document, [operation]) == (document if expected is None else expected)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (_op("remove", "/x"), "(remove '/x'): there is no member 'x'."),
        (_op("replace", "/x", value=1), "(replace '/x'): there is no member 'x'."),
        (_op("add", "/x/y", value=1), "(add '/x/y'): there is no member 'x'."),
        (_op("add", "/a/4", value=1), "(add '/a/4'): there is no element '4' in an array of 3."),
        (_op("remove", "/a/3"), "(remove '/a/3'): there is no element '3' in an array of 3."),
        (_op("remove", "/a/-"), "(remove '/a/-'): there is no element '-' in an array of 3."),
        (_op("add", "/a/01", value=1), "(add '/a/01'): there is no element '01' in an array of 3."),
        (_op("add", "/a/-1", value=1), "(add '/a/-1'): there is no element '-1' in an array of 3."),
        (_op("add", "/b/c", value=1), "(add '/b/c'): there is nothing below a plain value."),
        (_op("test", "/b", value=1), "(test '/b'): the value is another one."),
        (_op("test", "/a", value=[1, 2]), "(test '/a'): the value is another one."),
        (_op("test", "/a", value=[1, 3, 2]), "(test '/a'): the value is another one."),
        (_op("remove", ""), "(remove ''): the whole document cannot be removed."),
        (_move("/o", "/o/p"), "(move '/o/p'): a value cannot be moved into itself."),
        (_move("/x", "/y"), "(move '/y'): there is no member 'x'."),
    ],
)
def test_what_does_not_fit_tells_operation_and_pointer(operation: Any, message: str) -> None:
    document = {"a": [1, 2, 3], "b": True, "o": {"p": 1}}
    with pytest.raises(PatchFailed) as caught:
        apply_patch(document, [_op("test", "/b", value=True), operation])
    assert caught.value.message == f"JSON Patch, operation 1 {message}"
    assert (caught.value.status, caught.value.issue) == (422, "processing")
    assert document == {"a": [1, 2, 3], "b": True, "o": {"p": 1}}


@pytest.mark.parametrize(
    "operations",
    [
        {},
        None,
        [1],
        [{}],
        [{"op": "delete", "path": "/a"}],
        [{"op": ["add"], "path": "/a"}],
        [{"op": "add", "value": 1}],
        [{"op": "add", "path": "/a"}],
        [{"op": "replace", "path": "/a"}],
        [{"op": "test", "path": "/a"}],
        [{"op": "move", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "add", "path": "/a~2", "value": 1}],
        [{"op": "add", "path": "/a~", "value": 1}],
        [{"op": "add", "path": "/a" * 65, "value": 1}],
    ],
)
def test_what_is_no_patch_is_a_bad_request(operations: Any) -> None:
    with pytest.raises(BadRequest):
        apply_patch({"a": 1}, operations)


def test_a_patch_shares_nothing_with_what_it_was_given() -> None:
    document: dict[str, Any] = {"a": {"b": []}}
    value: list[Any] = []
    patched = apply_patch(document, [_op("add", "/c", value=value), _op("add", "/c/-", value=1)])
    patched["a"]["b"].append(1)
    assert (document, value) == ({"a": {"b": []}}, [])


def test_copies_within_copies_and_endless_patches_are_refused() -> None:
    with pytest.raises(TooCostly):
        apply_patch({"a": [1]}, [_copy("", "/b")] + [_copy("", f"/c{i}") for i in range(40)])
    with pytest.raises(TooCostly):
        apply_patch({}, [_op("add", "/a", value=1)] * 1001)


def test_a_copied_text_counts_with_its_characters() -> None:
    copies = [_copy("/a", f"/b{i}") for i in range(4)]

    with pytest.raises(TooCostly):
        apply_patch({"a": "x" * (MOST_COPIED // 3)}, copies)
