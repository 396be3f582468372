"""JSON Patch: a list of changes to a document, all of them or none.

https://www.rfc-editor.org/rfc/rfc6902 and https://hl7.org/fhir/R4/http.html#patch

Pure: what it is given stays as it is. Numbers are equal when their values are, true is not 1.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn

from fhir_server.errors import BadRequest, TooCostly, Unprocessable
from fhir_server.fhir.json_format import MAX_DEPTH

MOST_OPERATIONS: Final = 1000
MOST_COPIED: Final = 1_000_000
"""Values and their characters that all copies of one patch may make: copying a document into
itself doubles it."""

Json = Any

_is_index = re.compile(r"0|[1-9][0-9]{0,9}").fullmatch
_END: Final = "-"
"""The place behind an array's last element."""


class PatchFailed(Unprocessable):
    """The patch is well formed, but cannot be applied to this document."""

    issue = "processing"


def apply_patch(document: Json, operations: Json) -> Json:
    """The patched document, sharing nothing that is changed with the one given.

    Raises BadRequest when the patch itself is wrong, PatchFailed when it does not fit the
    document or a test fails, TooCostly; each tells the operation's place and its pointer.
    """
    if not isinstance(operations, list):
        raise BadRequest("A JSON Patch is an array of operations.")
    if len(operations) > MOST_OPERATIONS:
        raise TooCostly(
            f"A patch has at most {MOST_OPERATIONS} operations, this one {len(operations)}."
        )
    patch = _Patch(document)
    for index, operation in enumerate(operations):
        patch.apply(index, operation)
    return patch.document


class _Patch:
    def __init__(self, document: Json) -> None:
        self._copied = 0
        self._place = ""
        self.document = self._copy(document)
        self._copied = 0

    def apply(self, index: int, operation: Json) -> None:
        self._place = f"operation {index}"
        if not isinstance(operation, dict):
            self._refuse("is no object")
        name = operation.get("op")
        run = _OPERATIONS.get(name) if isinstance(name, str) else None
        if run is None:
            self._refuse(f"has no op of {', '.join(_OPERATIONS)}")
        path = self._pointer(operation, "path")
        self._place = f"operation {index} ({name} {operation['path']!r})"
        run(self, path, operation)

    def add(self, path: list[str], operation: Json) -> None:
        self._put(path, self._value(operation))

    def remove(self, path: list[str], _: Json) -> None:
        if not path:
            self._fail("the whole document cannot be removed")
        holder, name = self._holder(path)
        if isinstance(holder, dict):
            self._need(holder, name)
            del holder[name]
        else:
            del holder[self._index(holder, name)]

    def replace(self, path: list[str], operation: Json) -> None:
        value = self._value(operation)
        if not path:
            self.document = value
            return
        holder, name = self._holder(path)
        if isinstance(holder, dict):
            self._need(holder, name)
            holder[name] = value
        else:
            holder[self._index(holder, name)] = value

    def move(self, path: list[str], operation: Json) -> None:
        source = self._pointer(operation, "from")
        if path[: len(source)] == source and path != source:
            self._fail("a value cannot be moved into itself")
        value = self._at(source)
        if path != source:
            self.remove(source, operation)
            self._put(path, value)

    def copy(self, path: list[str], operation: Json) -> None:
        value = self._copy(self._at(self._pointer(operation, "from")))
        self._count(_characters(value))
        self._put(path, value)

    def test(self, path: list[str], operation: Json) -> None:
        if "value" not in operation:
            self._refuse("has no value")
        if not _same(self._at(path), operation["value"]):
            self._fail("the value is another one")

    def _put(self, path: list[str], value: Json) -> None:
        if not path:
            self.document = value
            return
        holder, name = self._holder(path)
        if isinstance(holder, dict):
            holder[name] = value
        else:
            holder.insert(len(holder) if name == _END else self._index(holder, name, 1), value)

    def _holder(self, path: list[str]) -> tuple[Json, str]:
        """The object or array a pointer's last part is in."""
        holder = self._at(path[:-1])
        if not isinstance(holder, dict | list):
            self._fail("there is nothing below a plain value")
        return holder, path[-1]

    def _at(self, path: list[str]) -> Json:
        value = self.document
        for name in path:
            if isinstance(value, dict):
                self._need(value, name)
                value = value[name]
            elif isinstance(value, list):
                value = value[self._index(value, name)]
            else:
                self._fail("there is nothing below a plain value")
        return value

    def _need(self, holder: dict[str, Json], name: str) -> None:
        if name not in holder:
            self._fail(f"there is no member {name!r}")

    def _index(self, holder: list[Json], name: str, behind: int = 0) -> int:
        if not _is_index(name) or int(name) >= len(holder) + behind:
            self._fail(f"there is no element {name!r} in an array of {len(holder)}")
        return int(name)

    def _pointer(self, operation: dict[str, Json], member: str) -> list[str]:
        """https://www.rfc-editor.org/rfc/rfc6901."""
        text = operation.get(member)
        if not isinstance(text, str) or (text and not text.startswith("/")):
            self._refuse(f"has no JSON pointer in {member}")
        if re.search("~(?![01])", text):
            self._refuse(f"has a ~ in {member} that is neither ~0 nor ~1")
        names = text.split("/")[1:]
        if len(names) > MAX_DEPTH:
            self._refuse(f"points deeper than {MAX_DEPTH} levels")
        return [name.replace("~1", "/").replace("~0", "~") for name in names]

    def _value(self, operation: dict[str, Json]) -> Json:
        if "value" not in operation:
            self._refuse("has no value")
        return self._copy(operation["value"])

    def _copy(self, value: Json) -> Json:
        self._count(1)
        if isinstance(value, dict):
            return {name: self._copy(each) for name, each in value.items()}
        return [self._copy(each) for each in value] if isinstance(value, list) else value

    def _count(self, copied: int) -> None:
        self._copied += copied
        if self._copied > MOST_COPIED:
            raise TooCostly(f"The patch would copy more than {MOST_COPIED} values and characters.")

    def _refuse(self, words: str) -> NoReturn:
        raise BadRequest(f"JSON Patch, {self._place} {words}.")

    def _fail(self, words: str) -> NoReturn:
        raise PatchFailed(f"JSON Patch, {self._place}: {words}.")


_OPERATIONS: Final[Mapping[str, Callable[[_Patch, list[str], Json], None]]] = {
    "add": _Patch.add,
    "remove": _Patch.remove,
    "replace": _Patch.replace,
    "move": _Patch.move,
    "copy": _Patch.copy,
    "test": _Patch.test,
}


def _same(left: Json, right: Json) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            _same(value, right[name]) for name, value in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return _kind(left) is _kind(right) and bool(left == right)


def _characters(value: Json) -> int:
    """Of all texts and names."""
    if isinstance(value, dict):
        return sum(len(name) + _characters(each) for name, each in value.items())
    if isinstance(value, list):
        return sum(map(_characters, value))
    return len(value) if isinstance(value, str) else 0


def _kind(value: Json) -> type:
    """All numbers are of one kind."""
    return Decimal if type(value) in {int, float, Decimal} else type(value)
