"""The element table: what may stand under each type, from the snapshots of R4.

https://hl7.org/fhir/R4/elementdefinition.html

Choices are spelled out: `value[x]` is one element named `value` with a JSON key per type.
An element that borrows its content (contentReference) has the lender's path as its type, so
a walk never ends at a nameless place: `Observation.component` `referenceRange` is of type
`Observation.referenceRange`.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from fhir_server.definitions.types import Primitive, Type


class Binding(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """https://hl7.org/fhir/R4/terminologies.html#binding."""

    strength: str
    """required, extensible, preferred or example."""
    value_set: str | None
    """Canonical as published, with `|version` where one is given."""


class Element(msgspec.Struct, frozen=True, array_like=True, gc=False):
    name: str
    """The specification's name without `[x]`, as FHIRPath says it."""
    keys: Mapping[str, str]
    """JSON member to type path; several only for a choice."""
    min: int
    max: int | None
    """None: any number."""
    choice: bool = False
    """Published as `name[x]`: at most one of the keys may be present."""
    modifier: bool = False
    summary: bool = False
    attribute: bool = False
    """Written as an attribute in XML."""
    binding: Binding | None = None
    system: str | None = None
    """The code system of a `code` whose required value set draws from exactly one."""
    reference_targets: tuple[str, ...] = ()
    """Resource types a Reference may point to; `Resource` is any of them."""
    canonical_targets: tuple[str, ...] = ()
    """Resource types a canonical may point to; `Resource` is any of them."""
    profiles: tuple[str, ...] = ()
    """Canonicals of the profiles a value of their type must meet."""

    @property
    def many(self) -> bool:
        """Whether JSON has an array here."""
        return self.max != 1

    def type_of(self, key: str) -> str | None:
        """The type path of a JSON member, such as `valueQuantity`."""
        return self.keys.get(key)

    def key_of(self, type_name: str) -> str | None:
        """The JSON member that holds a value of exactly this type."""
        return next((key for key, path in self.keys.items() if path == type_name), None)


class ElementTable:
    """All types and elements. A type's elements are decoded when first asked for, then kept."""

    def __init__(self, types: Mapping[str, Type], rows: Mapping[str, msgspec.Raw]) -> None:
        self.types = MappingProxyType(types)
        self.primitives: Mapping[str, Primitive] = MappingProxyType(
            {name: each.primitive for name, each in types.items() if each.primitive is not None}
        )
        self._rows = rows
        self._children: dict[str, Mapping[str, Element]] = {}
        self._by_key: dict[str, Mapping[str, Element]] = {}

    def child(self, parent: str, name: str) -> Element | None:
        """The element of a type by its specification name; KeyError if there is no such type."""
        return self.children(parent).get(name)

    def children(self, parent: str) -> Mapping[str, Element]:
        """The elements of a type by name, in the order XML has them; KeyError like `child`.

        Primitive types have `id` and `extension`: their value is the JSON member itself.
        """
        known = self._children.get(parent)
        if known is None:
            elements = msgspec.msgpack.decode(self._rows[parent], type=tuple[Element, ...])
            known = MappingProxyType({element.name: element for element in elements})
            self._children[parent] = known
        return known

    def by_key(self, parent: str) -> Mapping[str, Element]:
        """The elements of a type by their JSON members; KeyError like `child`."""
        known = self._by_key.get(parent)
        if known is None:
            elements = self.children(parent).values()
            known = MappingProxyType({key: each for each in elements for key in each.keys})
            self._by_key[parent] = known
        return known

    def is_a(self, name: str, ancestor: str) -> bool:
        """Whether a type is the other one or derived from it; false for names nobody knows."""
        current: str | None = name
        while current is not None:
            if current == ancestor:
                return True
            known = self.types.get(current)
            current = known.base if known else None
        return False
