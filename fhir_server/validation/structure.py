"""The slow pass: walks a resource beside the element table and names every issue.

https://hl7.org/fhir/R4/json.html

It is asked only about what the fast pass did not accept, so it may take its time. Both stand on
the same table; a test over thousands of spoiled resources holds that they agree.
"""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final

from fhir_server.definitions.elements import Element, ElementTable
from fhir_server.fhir.outcome import Issue
from fhir_server.fhir.primitives import is_valid
from fhir_server.validation import messages
from fhir_server.validation.messages import Message
from fhir_server.validation.nested import RESOURCE
from fhir_server.validation.schema import Codes, has_extensions

_MOST_ISSUES: Final = 100
_MOST_MEMBERS_NAMED: Final = 5
_ABSENT: Final = object()
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)

Json = Mapping[str, Any]


class Structure:
    """Finds what is wrong with the structure of resources."""

    def __init__(self, table: ElementTable, types: Collection[str], codes: Codes) -> None:
        self._table = table
        self._types = types
        self._codes = codes
        self._names = _Names(table)

    def issues(self, resource: Any) -> list[Issue]:
        """Each issue of a parsed resource; when there are very many, the first of them."""
        walk = _Walk(self._table, self._names, self._types, self._codes)
        try:
            walk.resource(resource, "")
        except _Enough:
            walk.issues.append(messages.issue(messages.AND_MORE, "", shown=str(_MOST_ISSUES)))
        return walk.issues


class _Enough(Exception):
    """There are more issues than anybody wants to read."""


class _Names:
    """The names of the members of each type: those of the elements, and `_name` beside them."""

    def __init__(self, table: ElementTable) -> None:
        self._table = table
        self._by_type: dict[str, Mapping[str, tuple[Element, str]]] = {}

    def of(self, type_: str) -> Mapping[str, tuple[Element, str]]:
        """Name to the element and the name without `_`; `resourceType` is of no element."""
        known = self._by_type.get(type_)
        if known is None:
            known = {
                name: (element, key)
                for element in self._table.children(type_).values()
                for key, path in element.keys.items()
                for name in _names(element, key, path, self._table)
            }
            self._by_type[type_] = known
        return known


def _names(element: Element, key: str, type_: str, table: ElementTable) -> tuple[str, ...]:
    return (key, f"_{key}") if has_extensions(element, type_, table) else (key,)


class _Walk:
    """A place is the FHIRPath of where a value stands, such as `Patient.name[0].given[1]`."""

    def __init__(
        self, table: ElementTable, names: _Names, types: Collection[str], codes: Codes
    ) -> None:
        self.issues: list[Issue] = []
        self._table = table
        self._names = names
        self._types = types
        self._codes = codes

    def resource(self, value: Any, place: str) -> None:
        if not isinstance(value, dict):
            self._tell(messages.OBJECT_EXPECTED, place, name="A resource", members="resourceType")
            return
        type_, said_at = value.get("resourceType"), f"{place}.resourceType".lstrip(".")
        if type_ is None:
            self._tell(messages.NO_TYPE, said_at)
        elif not isinstance(type_, str) or type_ not in self._types:
            self._tell(messages.UNKNOWN_TYPE, said_at)
        else:
            self._members(value, type_, place or type_)

    def _tell(self, message: Message, place: str, **words: str) -> None:
        if len(self.issues) == _MOST_ISSUES:
            raise _Enough
        self.issues.append(messages.issue(message, place, **words))

    def _members(self, value: Json, type_: str, place: str) -> None:
        known = self._names.of(type_)
        present: dict[str, set[str]] = {}
        for name in value:
            if name in known:
                element, key = known[name]
                present.setdefault(element.name, set()).add(key)
            elif name != "resourceType" or self._table.types[type_].kind != "resource":
                self._unknown(name, type_, place)
        for element in self._table.children(type_).values():
            if element.name in present:
                keys = [key for key in element.keys if key in present[element.name]]
                self._element(element, keys, value, f"{place}.{element.name}")
            elif element.min:
                self._missing(element, type_, f"{place}.{element.name}")
        # ext-1
        if type_ == "Extension" and ("value" in present) == ("extension" in present):
            self._tell(messages.VALUE_OR_EXTENSIONS, place)

    def _unknown(self, name: str, type_: str, place: str) -> None:
        self._tell(
            messages.UNKNOWN_ELEMENT,
            f"{place}.{name}" if _IDENTIFIER.fullmatch(name) else place,
            type=type_,
            name=messages.quoted(name),
            advice=messages.advice(name, self._table.children(type_).values()),
        )

    def _missing(self, element: Element, type_: str, place: str) -> None:
        ways = f" as one of {messages.listed(element.keys)}" if element.choice else ""
        self._tell(messages.MISSING_ELEMENT, place, type=type_, name=element.name, ways=ways)

    def _element(self, element: Element, keys: Collection[str], value: Json, place: str) -> None:
        if len(keys) > 1:
            ways = " and ".join(keys)
            self._tell(messages.ONE_TYPE_AT_A_TIME, place, name=element.name, ways=ways)
        for key in keys:
            if element.keys[key] in self._table.primitives:
                self._primitive(element, key, value, place)
            else:
                self._complex(element, key, value[key], place)

    def _complex(self, element: Element, key: str, held: Any, place: str) -> None:
        type_ = element.keys[key]
        if not element.many:
            self._object(held, type_, key, place)
            return
        for index, each in enumerate(self._array(held, key, place)):
            self._object(each, type_, key, f"{place}[{index}]")

    def _array(self, held: Any, key: str, place: str) -> list[Any]:
        """What an array holds; nothing where there is none, which is told unless it is absent."""
        if held is _ABSENT:
            return []
        if not isinstance(held, list):
            self._tell(messages.ARRAY_EXPECTED, place, name=key)
            return []
        if not held:
            self._tell(messages.NO_EMPTY_ARRAY, place, name=key)
        return held

    def _object(self, value: Any, type_: str, key: str, place: str) -> None:
        if value is None:
            self._tell(messages.NO_NULL, place)
        elif isinstance(value, list):
            self._tell(messages.NO_ARRAY, place, name=key)
        elif type_ == RESOURCE:
            self.resource(value, place)
        elif not isinstance(value, dict):
            members = list(self._table.by_key(type_))[2 : 2 + _MOST_MEMBERS_NAMED]
            self._tell(messages.OBJECT_EXPECTED, place, name=key, members=", ".join(members))
        elif not value:
            self._tell(messages.NO_EMPTY_OBJECT, place, name=key)
        else:
            self._members(value, type_, place)
            if value.keys() == {"id"} and not self._demands(type_):
                self._tell(messages.ONLY_AN_ID, place, name=key)

    def _demands(self, type_: str) -> bool:
        """Whether some element must be there, so that its absence has been told."""
        return any(each.min for each in self._table.children(type_).values())

    def _primitive(self, element: Element, key: str, value: Json, place: str) -> None:
        held, beside = value.get(key, _ABSENT), _ABSENT
        if has_extensions(element, element.keys[key], self._table):
            beside = value.get(f"_{key}", _ABSENT)
        if not element.many:
            self._valued(element, key, held, beside, place)
            return
        values = self._array(held, key, place)
        extensions = self._array(beside, f"_{key}", place)
        if values and extensions and len(values) != len(extensions):
            self._tell(messages.UNEQUAL_ARRAYS, place, name=key)
        for index in range(max(len(values), len(extensions))):
            each, at = _at(values, index), f"{place}[{index}]"
            beside_each = _at(extensions, index)
            if each is _ABSENT and beside_each is _ABSENT:
                self._tell(messages.NO_NULL, at)
            self._valued(element, key, each, beside_each, at)

    def _valued(self, element: Element, key: str, value: Any, beside: Any, place: str) -> None:
        """A primitive: its value and what stands beside it, of which one may be absent."""
        if value is None:
            self._tell(messages.NO_NULL, place)
        elif isinstance(value, list):
            self._tell(messages.NO_ARRAY, place, name=key)
        elif value is not _ABSENT:
            self._form(element, key, value, place)
        if beside is _ABSENT or (value is not _ABSENT and _is_named(beside)):
            return
        self._object(beside, "Element", f"_{key}", place)

    def _form(self, element: Element, key: str, value: Any, place: str) -> None:
        type_ = element.keys[key]
        allowed = self._codes(element) if type_ == "code" else None
        if allowed is None:
            if not _has_form(type_, value):
                self._tell(messages.WRONG_FORM, place, name=key, form=messages.FORMS[type_])
        elif not isinstance(value, str) or value not in allowed:
            value_set = (element.binding and element.binding.value_set) or ""
            codes = messages.listed(sorted(allowed))
            self._tell(messages.NOT_ALLOWED, place, name=key, value_set=value_set, codes=codes)


def _at(array: list[Any], index: int) -> Any:
    """What an array has at a place that null may fill."""
    held = array[index] if index < len(array) else None
    return _ABSENT if held is None else held


def _is_named(beside: Any) -> bool:
    """Whether what stands beside a value only gives it an id."""
    return isinstance(beside, dict) and beside.keys() == {"id"} and is_valid("string", beside["id"])


def _has_form(type_: str, value: Any) -> bool:
    if type(value) is Decimal and value.as_tuple().exponent == 0:
        value = int(value)  # 1e0 is stored as 1, and to the fast pass it is 1
    return is_valid(type_, value)
