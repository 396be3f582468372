"""What operations answer: a Parameters resource, built name by name.

https://hl7.org/fhir/R4/parameters.html
"""

from typing import Any

from fhir_server.interactions.request import Resource

Item = dict[str, Any]
"""One parameter, or a part of one."""


def value(name: str, type_: str, content: Any) -> Item:
    """A parameter of a type, such as `code` or `Coding`."""
    return {"name": name, f"value{type_[0].upper()}{type_[1:]}": content}


def text(name: str, type_: str, content: str) -> list[Item]:
    """A parameter with a text; none when the text is empty."""
    return [value(name, type_, content)] if content else []


def part(name: str, *items: Item) -> Item:
    """A parameter with parts."""
    return {"name": name, "part": list(items)}


def parameters(*items: Item) -> Resource:
    return {"resourceType": "Parameters", "parameter": list(items)}
