"""FHIR's XML read as its JSON, for suites that are published in XML only.

https://hl7.org/fhir/R4/xml.html

Only what tests need, straight from the element table; it shares no code with the server's own.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

from fhir_server.definitions.elements import ElementTable

FHIR = "{http://hl7.org/fhir}"
_XHTML = "http://www.w3.org/1999/xhtml"
_READ: Mapping[str, Callable[[str], Any]] = {
    "boolean": lambda text: text == "true",
    "integer": int,
    "unsignedInt": int,
    "positiveInt": int,
    "decimal": Decimal,
}


def resource(node: ET.Element, elements: ElementTable) -> dict[str, Any]:
    """The JSON of a resource's element."""
    name = node.tag.removeprefix(FHIR)
    return {"resourceType": name, **_object(node, name, elements)}


def _object(node: ET.Element, type_: str, elements: ElementTable) -> dict[str, Any]:
    made: dict[str, Any] = {name: value for name, value in node.attrib.items() if name != "value"}
    lists: dict[str, list[tuple[Any, Any]]] = {}
    for child in node:
        key = child.tag.rpartition("}")[2]
        definition = elements.by_key(type_)[key]
        value, beside = _value(child, definition.keys[key], elements)
        if definition.many:
            lists.setdefault(key, []).append((value, beside))
            continue
        made |= {k: v for k, v in ((key, value), (f"_{key}", beside)) if v is not None}
    for key, pairs in lists.items():
        for name, values in zip((key, f"_{key}"), zip(*pairs, strict=True), strict=True):
            if any(value is not None for value in values):
                made[name] = list(values)
    return made


def _value(node: ET.Element, kind: str, elements: ElementTable) -> tuple[Any, Any]:
    """What stands under a member, and what stands beside it."""
    if kind == "xhtml":
        ET.register_namespace("", _XHTML)
        return ET.tostring(node, encoding="unicode").strip(), None
    if kind == "Resource":
        return resource(node[0], elements), None
    if kind not in elements.primitives:
        return _object(node, kind, elements), None
    text = node.get("value")
    value = None if text is None else _READ.get(kind, str)(text)
    return value, _object(node, kind, elements) or None
