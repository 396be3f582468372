"""A member of a JSON object, changed together with the one that stands beside it.

https://hl7.org/fhir/R4/json.html#primitive

Ids and extensions of primitives live under the name with `_`; of lists, at the same index.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fhir_server.fhirpath.items import Element

Json = Any


@dataclass(frozen=True, slots=True)
class Member:
    holder: Callable[[], dict[str, Json]]
    """The object, made when it is first needed: a primitive may have none yet."""
    key: str

    def named(self, key: str) -> "Member":
        return replace(self, key=key)

    @property
    def exists(self) -> bool:
        holder = self.holder()
        return self.key in holder or f"_{self.key}" in holder

    def __len__(self) -> int:
        """Elements of a list."""
        return max(len(values) for _, values in self._lists())

    def set(self, value: Json, beside: Json) -> None:
        for key, each in ((self.key, value), (f"_{self.key}", beside)):
            if each is not None:
                self.holder()[key] = each

    def insert(self, index: int, value: Json, beside: Json) -> None:
        self._change(lambda values, each: values.insert(index, each), value, beside)

    def put(self, index: int, value: Json, beside: Json) -> None:
        self._change(lambda values, each: values.__setitem__(index, each), value, beside)

    def move(self, source: int, destination: int) -> None:
        self._change(lambda values, _: values.insert(destination, values.pop(source)), None, None)

    def delete(self, index: int | None) -> None:
        if index is not None:
            self._change(lambda values, _: values.pop(index), None, None)
            return
        for key in (self.key, f"_{self.key}"):
            self.holder().pop(key, None)

    def _lists(self) -> list[tuple[str, list[Json]]]:
        """Both arrays, if only one is there an empty other one."""
        holder = self.holder()
        keys = self.key, f"_{self.key}"
        return [(key, held if type(held := holder.get(key)) is list else []) for key in keys]

    def _change(
        self, change: Callable[[list[Json], Json], object], value: Json, beside: Json
    ) -> None:
        """Both arrays change alike, filled up with null; one that says nothing goes."""
        length = len(self)
        for (key, values), each in zip(self._lists(), (value, beside), strict=True):
            changed = [*values, *[None] * (length - len(values))]
            change(changed, each)
            if any(item is not None for item in changed):
                self.holder()[key] = changed
            else:
                self.holder().pop(key, None)


def member(parent: Element, key: str) -> Member:
    """A member of an element, be it an object or a primitive."""
    return Member(lambda: _holder(parent), key)


def copy(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: copy(each) for name, each in value.items()}
    return [copy(each) for each in value] if isinstance(value, list) else value


def without_empty(value: Json) -> Json:
    """JSON without members whose object or array is empty, or became so by this."""
    if isinstance(value, dict):
        kept = {name: without_empty(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if not _is_empty(each)}
    if isinstance(value, list):
        # A null keeps the place of a primitive that only has extensions.
        return [each for each in map(without_empty, value) if not _is_empty(each)]
    return value


def _is_empty(value: Json) -> bool:
    return isinstance(value, dict | list) and not value


def _holder(element: Element) -> dict[str, Json]:
    if isinstance(element.value, dict):
        return element.value
    if element.parent is None:
        raise TypeError("a primitive is never a resource")
    above, key = _holder(element.parent), f"_{element.key}"
    if element.index is None:
        held: dict[str, Json] = above.setdefault(key, {})
        return held
    places = above.setdefault(key, [])
    places += [None] * (element.index + 1 - len(places))
    places[element.index] = places[element.index] or {}
    inner: dict[str, Json] = places[element.index]
    return inner
