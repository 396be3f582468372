"""FHIRPath Patch: changes to a resource, written as Parameters.

https://hl7.org/fhir/R4/fhirpatch.html

Pure: the resource given stays as it is. The definitions say where JSON has an array, and which
member a choice of a certain type is. Empty objects and arrays that deletions leave behind go
once all operations are done, so that later ones find what they name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from fhir_server.definitions.elements import Element as Definition
from fhir_server.definitions.elements import ElementTable
from fhir_server.errors import BadRequest, TooCostly
from fhir_server.fhir.json_patch import MOST_OPERATIONS, PatchFailed
from fhir_server.fhirpath import members, tree
from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.fhirpath.expression import Expression, compile  # noqa: A004 - the word for it
from fhir_server.fhirpath.items import Element
from fhir_server.fhirpath.members import Member
from fhir_server.fhirpath.patch_values import Json, Value, Wrong, read_value

_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "add": ("path", "name", "value"),
    "insert": ("path", "index", "value"),
    "delete": ("path",),
    "replace": ("path", "value"),
    "move": ("path", "source", "destination"),
}
"""What each type of operation needs."""


def apply_patch(resource: Json, parameters: Json, elements: ElementTable) -> Json:
    """The patched resource.

    Raises BadRequest when the patch itself is wrong, PatchFailed when it does not fit the
    resource, TooCostly; each tells the operation's place and its path.
    """
    operations = _operations(parameters)
    if len(operations) > MOST_OPERATIONS:
        raise TooCostly(
            f"A patch has at most {MOST_OPERATIONS} operations, this one {len(operations)}."
        )
    patched: Json = members.copy(resource)
    for index, parameter in enumerate(operations):
        operation = _Operation(index, _parts(index, parameter), patched, elements)
        _RUN[operation.type](operation)
    return members.without_empty(patched)  # type: ignore[no-any-return] # an object stays one


def _operations(parameters: Json) -> list[Json]:
    if not isinstance(parameters, dict) or parameters.get("resourceType") != "Parameters":
        raise BadRequest("A FHIRPath Patch is a Parameters resource.")
    found = parameters.get("parameter", [])
    if not isinstance(found, list):
        raise BadRequest("The parameters of a FHIRPath Patch are an array.")
    return found


def _parts(index: int, parameter: Json) -> dict[str, Json]:
    """The parts of an operation by name."""
    parts = parameter.get("part") if isinstance(parameter, dict) else None
    if not isinstance(parts, list) or parameter.get("name") != "operation":
        raise BadRequest(f"FHIRPath Patch, parameter {index} is no operation with parts.")
    return {str(part.get("name")): part for part in parts if isinstance(part, dict)}


@dataclass(frozen=True, slots=True)
class _Target:
    """Where an operation changes something: an element's place, as JSON has it."""

    member: Member
    definition: Definition
    type: str
    """The type of the element the member is in."""


class _Operation:
    def __init__(
        self, index: int, parts: dict[str, Json], resource: Json, elements: ElementTable
    ) -> None:
        self._index = index
        self._parts = parts
        self._resource = resource
        self._elements = elements
        self._path = ""
        self.type = self._text("type", "valueCode")
        if self.type not in _PARTS:
            self._refuse(f"has no type of {', '.join(_PARTS)}")
        missing = [name for name in _PARTS[self.type] if name not in parts]
        if missing:
            self._refuse(f"needs {', '.join(missing)}")
        self._path = self._text("path", "valueString")

    def add(self) -> None:
        target = self._below(self._one(self._evaluate(self._compiled())), self._text("name"))
        value = self._value(target)
        member = target.member.named(value.key)
        if target.definition.many:
            member.insert(len(member), value.json, value.beside)
        elif any(target.member.named(key).exists for key in target.definition.keys):
            self._fail(f"there is a {target.definition.name} already")
        else:
            member.set(value.json, value.beside)

    def insert(self) -> None:
        target = self._list()
        index = self._integer("index")
        if not 0 <= index <= len(target.member):
            self._fail(f"there is no place {index} in a list of {len(target.member)}")
        value = self._value(target)
        target.member.insert(index, value.json, value.beside)

    def delete(self) -> None:
        found = self._evaluate(self._compiled())
        if len(found) > 1:
            self._fail(f"one element can be deleted, not {len(found)}")
        for element in found:
            self._place(element).member.delete(element.index)

    def replace(self) -> None:
        element = self._one(self._evaluate(self._compiled()))
        target = self._place(element)
        value = self._value(target)
        if element.index is not None:
            target.member.put(element.index, value.json, value.beside)
            return
        target.member.delete(None)
        target.member.named(value.key).set(value.json, value.beside)

    def move(self) -> None:
        member = self._list().member
        source, destination = self._integer("source"), self._integer("destination")
        for index in (source, destination):
            if not 0 <= index < len(member):
                self._fail(f"there is no element {index} in a list of {len(member)}")
        member.move(source, destination)

    def _compiled(self) -> Expression:
        try:
            return compile(self._path, self._elements)
        except FhirPathError as error:
            self._refuse(f"has a path that cannot be used: {error.message}")

    def _evaluate(self, expression: Expression) -> list[Element]:
        """The elements of the resource a path leads to."""
        try:
            found = expression.evaluate(self._resource)
        except FhirPathError as error:
            self._fail(error.message)
        elements = [item for item in found if isinstance(item, Element)]
        if len(elements) != len(found) or not all(map(self._is_inside, elements)):
            self._fail("the path leads to what is not in the resource")
        return elements

    def _is_inside(self, element: Element) -> bool:
        while element.parent is not None:
            element = element.parent
        return element.value is self._resource

    def _one(self, found: list[Element]) -> Element:
        if len(found) != 1:
            self._fail(f"the path must lead to one element, not {len(found) or 'none'}")
        return found[0]

    def _place(self, element: Element) -> _Target:
        """Where an element stands in its parent."""
        if element.parent is None:
            self._fail("the whole resource cannot be changed at once")
        return self._below(element.parent, element.key)

    def _list(self) -> _Target:
        """The list a path names, which may have no element yet."""
        named = self._compiled().tree
        if not isinstance(named, tree.Member):
            self._fail("the path must end with the name of a list")
        source = str(named.source) if named.source is not None else "$this"
        parent = self._one(self._evaluate(compile(source, self._elements)))
        target = self._below(parent, named.name)
        if not target.definition.many:
            self._fail(f"{named.name} is no list")
        return target

    def _below(self, parent: Element, name: str) -> _Target:
        """A child by its name, or by the member a choice has in JSON."""
        known = parent.type in self._elements.types
        definition = self._elements.child(parent.type, name) if known else None
        definition = definition or (self._elements.by_key(parent.type).get(name) if known else None)
        if definition is None:
            self._fail(f"{parent.type} has no {name}")
        key = name if name in definition.keys else next(iter(definition.keys))
        return _Target(members.member(parent, key), definition, parent.type)

    def _value(self, target: _Target) -> Value:
        try:
            return read_value(self._parts["value"], target.definition, self._elements)
        except Wrong as error:
            self._refuse(f"has a value that cannot be used: {error}")

    def _text(self, part: str, key: str = "valueString") -> str:
        """Strings, codes and the like are all the same here."""
        given = self._parts.get(part, {})
        value = given.get(key, given.get("valueString", given.get("valueCode")))
        if not isinstance(value, str) or not value:
            self._refuse(f"has no text in {part}")
        return value

    def _integer(self, part: str) -> int:
        given = self._parts[part]
        keys = "valueInteger", "valueUnsignedInt", "valuePositiveInt"
        found = next((given[key] for key in keys if type(given.get(key)) is int), None)
        if found is None:
            self._refuse(f"has no integer in {part}")
        return int(found)

    def _refuse(self, words: str) -> NoReturn:
        raise BadRequest(f"FHIRPath Patch, operation {self._index} {words}.")

    def _fail(self, words: str) -> NoReturn:
        place = f"operation {self._index} ({self.type} {self._path!r})"
        raise PatchFailed(f"FHIRPath Patch, {place}: {words}.", expression=[self._path])


_RUN: Final[Mapping[str, Callable[[_Operation], None]]] = {
    "add": _Operation.add,
    "insert": _Operation.insert,
    "delete": _Operation.delete,
    "replace": _Operation.replace,
    "move": _Operation.move,
}
