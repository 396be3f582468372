"""FHIR as FHIRPath sees it: typed navigation over plain JSON.

https://hl7.org/fhir/R4/fhirpath.html

A choice is one element (`value` finds `valueQuantity`), a primitive has the id and extensions
that JSON keeps under its name with `_`, and `resourceType` is a type, not an element. Which
members a name means is worked out once per type and name, and remembered.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from fhir_server.definitions.elements import ElementTable
from fhir_server.fhirpath.items import Element, Item

Step = tuple[str, str, str]
"""JSON member, its type path, and the member beside it where the type is primitive, else ``."""

Json = dict[str, Any]

_UNKNOWN: Final = ""
"""The type of what the definitions do not know: JSON's own class decides."""
UNTOLD: Final = frozenset({"Resource", "DomainResource", _UNKNOWN})
"""Types whose values say themselves what they are."""
_JSON_TYPES: Final = {bool: "boolean", int: "integer", Decimal: "decimal", dict: "Base"}


class Steps(dict[str, tuple[Step, ...]]):
    """The steps of one name, by the type it is asked of; filled as types are met."""

    def __init__(self, name: str, elements: ElementTable) -> None:
        super().__init__()
        self.name = name
        self._elements = elements

    def __missing__(self, parent: str) -> tuple[Step, ...]:
        self[parent] = steps = self._find(parent)
        return steps

    def _find(self, parent: str) -> tuple[Step, ...]:
        if parent not in self._elements.types:
            return ((self.name, _UNKNOWN, f"_{self.name}"),)
        element = self._elements.child(parent, self.name)
        if element is None:
            return ()
        return tuple(self._step(key, kind) for key, kind in element.keys.items())

    def _step(self, key: str, kind: str) -> Step:
        return key, kind, f"_{key}" if kind in self._elements.primitives else ""


class Ancestry(dict[str, bool]):
    """Whether a type is a certain one or derived from it; filled as types are met."""

    def __init__(self, ancestor: str, elements: ElementTable) -> None:
        super().__init__()
        self._ancestor = ancestor
        self._elements = elements

    def __missing__(self, name: str) -> bool:
        self[name] = known = self._elements.is_a(name, self._ancestor)
        return known


class Model:
    """The types of one publication. Safe to share between threads: what it remembers only grows."""

    def __init__(self, elements: ElementTable) -> None:
        self.elements = elements
        self._steps: dict[str, Steps] = {}
        self._ancestries: dict[str, Ancestry] = {}

    def steps(self, name: str) -> Steps:
        return self._steps.setdefault(name, Steps(name, self.elements))

    def ancestry(self, name: str) -> Ancestry:
        return self._ancestries.setdefault(name, Ancestry(name, self.elements))

    def is_primitive(self, type_: str) -> bool:
        return type_ in self.elements.primitives

    def named(self, type_: str) -> str:
        """What a type is called outside: backbones have paths, but no names of their own."""
        known = self.elements.types.get(type_)
        return known.base or type_ if known is not None and known.kind == "backbone" else type_

    def children(self, element: Element) -> Iterator[Element]:
        """All child elements, in the order JSON has them."""
        holder = element.value if type(element.value) is dict else element.beside
        if type(holder) is not dict:
            return
        names = self._keys(element.type)
        found: list[Item] = []
        for key in holder:
            member = key.removeprefix("_")
            if member == "resourceType" or (member != key and member in holder):
                continue
            kind = names[member].type_of(member) if member in names else _UNKNOWN
            beside = f"_{member}" if not kind or self.is_primitive(kind) else ""
            collect(found, element, holder, (member, kind or _UNKNOWN, beside))
        yield from found  # type: ignore[misc] # collect only adds elements

    def _keys(self, type_: str) -> Mapping[str, Any]:
        return self.elements.by_key(type_) if type_ in self.elements.types else {}


def root(resource: Json) -> Element:
    return Element(resource, _resource_type(resource))


def collect(found: list[Item], parent: Element, holder: Json, step: Step) -> None:
    """Add the elements at one member, from the general case; see `navigation` for the fast one."""
    key, kind, beside_key = step
    value = holder.get(key)
    beside = holder.get(beside_key) if beside_key else None
    if type(value) is not list and type(beside) is not list:
        if value is not None or beside is not None:
            found.append(Element(value, _type(kind, value), beside, parent, key))
        return
    values = value if type(value) is list else []
    besides = beside if type(beside) is list else []
    for index in range(max(len(values), len(besides))):
        one = values[index] if index < len(values) else None
        other = besides[index] if index < len(besides) else None
        if one is not None or other is not None:
            found.append(Element(one, _type(kind, one), other, parent, key, index))


def _type(kind: str, value: Any) -> str:
    if (kind and kind in UNTOLD) or (not kind and type(value) is dict and "resourceType" in value):
        return _resource_type(value)
    return kind or _JSON_TYPES.get(type(value), "string")


def _resource_type(value: Any) -> str:
    named = value.get("resourceType") if type(value) is dict else None
    return named if type(named) is str else "Resource"
