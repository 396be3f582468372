"""JSON Schema made from the element table: what the fast pass runs.

https://hl7.org/fhir/R4/json.html and https://json-schema.org/draft-04/json-schema-validation

It says yes only to what is right for certain, and looks at each object's members as few times as
possible: that is where its time goes. What is rare it does not judge but refuses, and the slow
pass decides: a required primitive that has only extensions, extensions of a choice's primitive,
arrays of primitives of which some have extensions.

Resources inside resources are opaque here; `nested` finds them, and each is judged by its type.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from fhir_server.definitions.elements import Element, ElementTable
from fhir_server.validation.grammar import GRAMMAR, Schema

Codes = Callable[[Element], frozenset[str] | None]
"""The codes an element may have, when all of them are known and no other is allowed."""

_RESOURCE: Final = "Resource"
_FEW_TYPES: Final = 12
_NEVER: Final[Schema] = {"not": {}}


def schema_of(types: Iterable[str], table: ElementTable, codes: Codes) -> Schema:
    """The schema of `{"Patient": resource}`, for each of these types of resources.

    All share the definitions of the types below them.
    """
    roots, definitions = list(types), dict[str, Schema]()
    wanted = ["Element", *roots]
    while wanted:
        name = wanted.pop()
        if name not in definitions:
            definitions[name] = _definition(name, table, codes)
            wanted += _types_below(name, table)
    return {
        "type": "object",
        "properties": {name: _reference(name) for name in roots},
        "additionalProperties": False,
        "minProperties": 1,
        "definitions": definitions,
    }


def has_extensions(element: Element, type_: str, table: ElementTable) -> bool:
    """Whether a member may have a `_name` beside it, with an id and extensions.

    What is an attribute in XML has no room for them, nor have the id of a resource, whose type
    is one of FHIRPath's own, and xhtml.
    """
    return (
        type_ in table.primitives
        and type_ != "xhtml"
        and element.name != "id"
        and not element.attribute
    )


def _types_below(name: str, table: ElementTable) -> Iterator[str]:
    for element in table.children(name).values():
        for type_ in element.keys.values():
            if type_ != _RESOURCE and type_ not in table.primitives:
                yield type_


def _definition(name: str, table: ElementTable, codes: Codes) -> Schema:
    elements = table.children(name).values()
    schema: Schema = {
        "type": "object",
        "properties": _properties(elements, table, codes),
        "additionalProperties": False,
    }
    required = [key for each in elements if each.min and not each.choice for key in each.keys]
    if table.types[name].kind == "resource":
        schema["properties"]["resourceType"] = {"enum": [name]}
        required.insert(0, "resourceType")
    elif not required:
        schema["minProperties"] = 1
    if required:
        schema["required"] = required
    return schema | _rules(name, elements, has_content=bool(required))


def _properties(
    elements: Iterable[Element], table: ElementTable, codes: Codes
) -> dict[str, Schema]:
    properties: dict[str, Schema] = {}
    for element in elements:
        for key, type_ in element.keys.items():
            schema = _value(element, type_, codes)
            if element.many:
                schema = {"type": "array", "minItems": 1, "items": schema}
            elif has_extensions(element, type_, table) and not element.choice:
                properties[f"_{key}"] = _reference("Element")
            properties[key] = schema
    return properties


def _value(element: Element, type_: str, codes: Codes) -> Schema:
    if type_ == _RESOURCE:
        return {"type": "object", "required": ["resourceType"]}
    allowed = codes(element) if type_ == "code" else None
    if allowed is not None:
        return {"enum": sorted(allowed)}
    return GRAMMAR.get(type_) or _reference(type_)


def _reference(type_: str) -> Schema:
    return {"$ref": f"#/definitions/{type_}"}


def _rules(name: str, elements: Iterable[Element], *, has_content: bool) -> Schema:
    """How members depend on each other."""
    if name == "Extension":
        return _value_or_extensions(elements)
    dependencies: dict[str, Schema] = {}
    rules: list[Schema] = []
    if not has_content:
        dependencies["id"] = {"minProperties": 2}  # ele-1: an id is no content
    for element in elements:
        if not element.choice:
            continue
        if element.min:
            rules.append({"anyOf": [{"required": [key]} for key in element.keys]})
        if len(element.keys) > _FEW_TYPES:
            rules.append(_at_most_one(element))
        else:
            dependencies |= _exclusive(element)
    return ({"allOf": rules} if rules else {}) | (
        {"dependencies": dependencies} if dependencies else {}
    )


def _exclusive(element: Element) -> dict[str, Schema]:
    """Each key of a choice forbids those after it."""
    keys = list(element.keys)
    return {
        key: {"properties": dict.fromkeys(keys[place:], _NEVER)}
        for place, key in enumerate(keys[:-1], 1)
    }


def _at_most_one(element: Element) -> Schema:
    present = [{"required": [key]} for key in element.keys]
    return {"oneOf": [{"not": {"anyOf": present}}, *present]}


def _value_or_extensions(elements: Iterable[Element]) -> Schema:
    """ext-1: a value or extensions, not both. Two members are the url and one of them."""
    (value,) = (each for each in elements if each.choice)
    present = [{"required": [key]} for key in value.keys]
    return {
        "minProperties": 2,
        "dependencies": {"id": {"minProperties": 3}},
        "anyOf": [{"maxProperties": 2}, {"oneOf": [{"required": ["extension"]}, *present]}],
    }
