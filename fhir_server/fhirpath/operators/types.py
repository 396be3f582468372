"""`is`, `as`, `ofType` and `type()`.

http://hl7.org/fhirpath/N1/#types and https://hl7.org/fhir/R4/fhirpath.html#types

A name without a namespace is FHIR's type if there is one, else a System type; `Quantity` is
both. `is` takes derived types too. `as` and `ofType` do for complex types and resources, but a
`code` is not taken for a `string`: FHIR's own expressions tell `uri` from `canonical` by them.
"""

from collections.abc import Callable
from typing import Final

from fhir_server.fhirpath.errors import FhirPathSemanticError
from fhir_server.fhirpath.items import SYSTEM_TYPES, Element, Item, TypeInfo
from fhir_server.fhirpath.model import Ancestry, Model
from fhir_server.fhirpath.tree import TypeSpecifier

Test = Callable[[Item], bool]

_CLASSES: Final = {name: kind for kind, name in SYSTEM_TYPES.items()}


def type_test(model: Model, kind: TypeSpecifier, position: int, *, exact: bool = False) -> Test:
    """Whether an item is of a type; with `exact`, as `as` and `ofType` ask.

    Raises FhirPathSemanticError when there is no such type.
    """
    name = kind.name
    in_fhir = kind.namespace in {None, "FHIR"} and name in model.elements.types
    in_system = kind.namespace in {None, "System"} and name in _CLASSES
    if kind.namespace == "System" and (name == "Any" or not in_system):
        return _anything if name == "Any" else _nothing
    if in_fhir:
        is_fhir = _of_fhir(model, name, exact=exact)
        if not in_system or name != "Quantity":
            return is_fhir
        return lambda item: is_fhir(item) if type(item) is Element else _CLASSES[name] is type(item)
    if in_system:
        kept = _CLASSES[name]
        return lambda item: type(item) is kept
    raise FhirPathSemanticError(f"there is no type {kind}", position)


def type_info(model: Model, item: Item) -> TypeInfo:
    if isinstance(item, Element):
        return TypeInfo("FHIR", model.named(item.type))
    return TypeInfo("System", SYSTEM_TYPES.get(type(item), "Any"))


def _of_fhir(model: Model, name: str, *, exact: bool) -> Test:
    if exact and model.is_primitive(name):
        return lambda item: type(item) is Element and item.type == name
    kinds: Ancestry = model.ancestry(name)
    return lambda item: type(item) is Element and kinds[item.type]


def _nothing(_: Item) -> bool:
    return False


def _anything(_: Item) -> bool:
    return True
