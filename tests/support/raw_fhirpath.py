"""Search expressions evaluated on raw JSON, the slow and obvious way: the oracle of indexing.

It knows no definitions: a choice is recognised by how its JSON member is spelled. It interprets
the tree and shares nothing with the compiler but the parser.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fhir_server.fhirpath import tree
from fhir_server.fhirpath.parser import parse

_REFERENCE = re.compile(r"(?:https?://\S+/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]+(?:/_history/\S+)?")
_CHOICES = {
    "Base64Binary",
    "Boolean",
    "Canonical",
    "Code",
    "Date",
    "DateTime",
    "Decimal",
    "Id",
    "Instant",
    "Integer",
    "Markdown",
    "Oid",
    "PositiveInt",
    "String",
    "Time",
    "UnsignedInt",
    "Uri",
    "Url",
    "Uuid",
    "Address",
    "Age",
    "Annotation",
    "Attachment",
    "CodeableConcept",
    "Coding",
    "ContactPoint",
    "Count",
    "Distance",
    "Duration",
    "HumanName",
    "Identifier",
    "Money",
    "Period",
    "Quantity",
    "Range",
    "Ratio",
    "Reference",
    "SampledData",
    "Signature",
    "Timing",
    "ContactDetail",
    "Contributor",
    "DataRequirement",
    "Expression",
    "ParameterDefinition",
    "RelatedArtifact",
    "TriggerDefinition",
    "UsageContext",
    "Dosage",
    "Meta",
}
"""https://hl7.org/fhir/R4/datatypes.html#open"""
_NOT_CHOICES = {"subscriberId", "statusDate"}
"""Members spelled like a choice that are elements of their own."""
_ABSTRACT = {"Resource", "DomainResource"}
_SUBTYPES = {
    "quantity": {"age", "count", "distance", "duration"},
    "uri": {"canonical", "oid", "url", "uuid"},
    "string": {"code", "id", "markdown"},
}


@dataclass(frozen=True)
class Item:
    value: Any
    type: str | None = None
    """As the spelling of the member or the resource says it; None when nothing says it."""
    place: tuple[str, ...] = field(default=(), compare=False)
    """The resource type and the JSON members that lead here from it."""


_TRUE, _FALSE = Item(value=True), Item(value=False)


def evaluate(expression: str, resource: dict[str, Any], context: Any = None) -> list[Item]:
    """What the expression finds in the resource, or in a part of it if a context is given.

    The context may be an item found before, which keeps its type and its place.
    """
    start = resource if context is None else context
    begin = start if isinstance(start, Item) else _item(start)
    return _evaluate(_parsed(expression), [begin], resource)


_parsed = cache(parse)


def _item(value: Any, type_: str | None = None, place: tuple[str, ...] = ()) -> Item:
    if isinstance(value, dict) and isinstance(value.get("resourceType"), str):
        return Item(value, value["resourceType"], (value["resourceType"],))
    return Item(value, type_, place)


def _evaluate(node: tree.Node, items: list[Item], root: dict[str, Any]) -> list[Item]:
    match node:
        case tree.Binary(operator="|", left=left, right=right):
            return _evaluate(left, items, root) + _evaluate(right, items, root)
        case tree.Binary(operator=operator, left=left, right=right):
            return _operate(operator, _evaluate(left, items, root), _evaluate(right, items, root))
        case tree.TypeOperation(operator=operator, operand=operand, type=kind):
            found = _evaluate(operand, items, root)
            return _typed(operator, found, kind.name)
        case tree.Member(source=None, name=name) if name[0].isupper():
            return [item for item in items if name in {item.type, *_ABSTRACT}]
        case tree.Member(source=source, name=name):
            parents = items if source is None else _evaluate(source, items, root)
            return [child for parent in parents for child in _children(parent, name)]
        case tree.Indexer(source=source, index=tree.IntegerLiteral(value=index)):
            return _evaluate(source, items, root)[index : index + 1]
        case tree.ExternalConstant(name="resource"):
            return [_item(root)]
        case tree.BooleanLiteral(value=value) | tree.StringLiteral(value=value):
            return [Item(value)]
        case tree.Function(source=source, name=name, arguments=arguments):
            found = items if source is None else _evaluate(source, items, root)
            return _call(name, found, arguments, root)
    raise AssertionError(f"the oracle does not know {node!r}")


def _children(parent: Item, name: str) -> list[Item]:
    if not isinstance(parent.value, dict):
        return []
    found = []
    for key, below in parent.value.items():
        kind = key.removeprefix(name) if key.startswith(name) else "another"
        if not kind or (kind in _CHOICES and key not in _NOT_CHOICES):
            several = below if isinstance(below, list) else [below]
            place = (*parent.place, key)
            found += [_item(each, kind or None, place) for each in several if each is not None]
    return found


def _call(
    name: str, items: list[Item], arguments: tuple[tree.Node, ...], root: dict[str, Any]
) -> list[Item]:
    match name, arguments:
        case "where", (criterion,):
            return [i for i in items if _true(_evaluate(criterion, [i], root))]
        case (("as" | "ofType"), (tree.Member(name=kind),)):
            return _typed("as", items, kind)
        case "exists", ():
            return [Item(bool(items))]
        case "resolve", ():
            return [Item(i.value, _resolved(i.value)) for i in items if _resolved(i.value)]
        case "extension", (tree.StringLiteral(value=url),):
            every = [child for i in items for child in _children(i, "extension")]
            return [each for each in every if each.value.get("url") == url]
        case "hasExtension", (tree.StringLiteral(),):
            return [Item(bool(_call("extension", items, arguments, root)))]
    raise AssertionError(f"the oracle does not know {name}{arguments!r}")


def _resolved(value: Any) -> str | None:
    text = value.get("reference") if isinstance(value, dict) else None
    match = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    return match[1] if match else None


def _typed(operator: str, items: list[Item], kind: str) -> list[Item]:
    wanted = {kind.lower()} | _SUBTYPES.get(kind.lower(), set())
    if operator == "as":
        return [i for i in items if i.type is not None and i.type.lower() in wanted]
    return [Item(items[0].type is not None and items[0].type.lower() in wanted)] if items else []


def _operate(operator: str, left: list[Item], right: list[Item]) -> list[Item]:
    if operator == "and":
        if any(side and not _true(side) for side in (left, right)):
            return [_FALSE]
        return [_TRUE] if _true(left) and _true(right) else []
    if operator in {"=", "!="}:
        if not left or not right:
            return []
        same = [(type(i.value), i.value) for i in left] == [(type(i.value), i.value) for i in right]
        return [Item(same is (operator == "="))]
    raise AssertionError(f"the oracle does not know {operator}")


def _true(items: list[Item]) -> bool:
    return [i.value for i in items] == [True]
