"""Values in a patch: from a part of Parameters to the JSON of the element they become.

https://hl7.org/fhir/R4/fhirpatch.html

A value is one of the datatypes that Parameters can carry, a resource, or (for elements that have
no datatype of their own) parts that are named like its children.
"""

from dataclasses import dataclass
from typing import Any

from fhir_server.definitions.elements import Element as Definition
from fhir_server.definitions.elements import ElementTable
from fhir_server.fhirpath.members import copy

Json = dict[str, Any]


class Wrong(Exception):
    """The value does not fit the element; the message says why."""


@dataclass(frozen=True, slots=True)
class Value:
    key: str
    """The JSON member it stands under: of a choice, that of its type."""
    json: Any
    """None when it is a primitive that only has extensions."""
    beside: Any = None
    """Id and extensions of a primitive."""


def read_value(part: Json, definition: Definition, elements: ElementTable) -> Value:
    """Raises Wrong. The value itself is only checked for its type: validation sees the whole."""
    if "resource" in part:
        key = next((k for k, kind in definition.keys.items() if _is_resource(kind, elements)), None)
        if key is None:
            raise Wrong(f"{definition.name} is no resource")
        return Value(key, copy(part["resource"]))
    if "part" in part:
        return _of_parts(part["part"], definition, elements)
    types = elements.by_key("Parameters.parameter")
    given = [key.removeprefix("_") for key in part if key.removeprefix("_").startswith("value")]
    if not given or given[0] not in types:
        raise Wrong("it has neither a value[x], nor a resource, nor parts")
    type_ = types[given[0]].keys[given[0]]
    key = _key(type_, definition, elements)
    return Value(key, copy(part.get(given[0])), copy(part.get(f"_{given[0]}")))


def _key(type_: str, definition: Definition, elements: ElementTable) -> str:
    """The member a value of this type stands under."""
    key = definition.key_of(type_)
    if key is not None:
        return key
    if not definition.choice:
        ((key, kind),) = definition.keys.items()
        # A string may stand for an id, a code or XHTML: Parameters cannot say all of them.
        if type_ in elements.primitives and kind in elements.primitives:
            return key
        if elements.is_a(kind, type_):
            return key
    raise Wrong(f"{definition.name} is a {' or '.join(definition.keys.values())}, not a {type_}")


def _of_parts(parts: Any, definition: Definition, elements: ElementTable) -> Value:
    """An object, from parts named like its members; equal names make a list."""
    complex_ = [(key, kind) for key, kind in definition.keys.items() if kind in elements.types]
    if len(complex_) != 1 or complex_[0][1] in elements.primitives or not isinstance(parts, list):
        raise Wrong(f"{definition.name} cannot be made of parts")
    key, kind = complex_[0]
    made: Json = {}
    for part in parts:
        name = part.get("name") if isinstance(part, dict) else None
        child = elements.child(kind, name) if isinstance(name, str) else None
        child = child or elements.by_key(kind).get(str(name))
        if child is None:
            raise Wrong(f"{kind} has no {name}")
        _put(made, child, read_value(part, child, elements))
    return Value(key, made)


def _put(made: Json, child: Definition, value: Value) -> None:
    beside = f"_{value.key}"
    if not child.many:
        if value.key in made or beside in made:
            raise Wrong(f"{child.name} is given twice")
        given = {value.key: value.json, beside: value.beside}
        made |= {name: each for name, each in given.items() if each is not None}
        return
    made.setdefault(value.key, []).append(value.json)
    if value.beside is not None or beside in made:
        besides = made.setdefault(beside, [])
        besides += [None] * (len(made[value.key]) - 1 - len(besides))
        besides.append(value.beside)


def _is_resource(kind: str, elements: ElementTable) -> bool:
    known = elements.types.get(kind)
    return known is not None and known.kind == "resource"
