"""What FHIR adds: https://hl7.org/fhir/R4/fhirpath.html#functions.

`resolve()`, `memberOf()`, `subsumes()` and `conformsTo()` ask what the environment lends. Not
offered: `elementDefinition()` and `slice()`, which ask about definitions, not about data.
"""

from collections.abc import Iterator
from typing import Any

from fhir_server.fhir.xhtml import is_narrative
from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.functions.rules import Function, Kind, Result, collection
from fhir_server.fhirpath.items import Element, Item, type_name
from fhir_server.fhirpath.model import root
from fhir_server.fhirpath.singletons import system


def extension(items: list[Item], url: str | None) -> list[Item]:
    return [each for each in _extensions(items, "extension") if each.value.get("url") == url]


def has_value(items: list[Item]) -> bool:
    """Whether there is one item, a primitive with a value."""
    if len(items) != 1:
        return False
    value = items[0].value if type(items[0]) is Element else items[0]
    return value is not None and type(value) not in {dict, list}


def get_value(items: list[Item]) -> Item | None:
    return _value(items[0]) if len(items) == 1 else None


def resolve(evaluation: Evaluation, items: list[Item]) -> list[Item]:
    """Resources that references mean; those that mean none are passed over."""
    found: list[Item] = []
    for item in items:
        text = _reference(item)
        target = _resolved(evaluation, text) if text is not None else None
        if target is not None:
            found.append(root(target))
    return found


def member_of(evaluation: Evaluation, items: list[Item], value_set: str | None) -> bool | None:
    terminology = evaluation.environment.terminology
    item = _one(items, "memberOf")
    if terminology is None or item is None or value_set is None:
        return None
    if isinstance(item, Element):
        return terminology.member_of(item.value, item.type, value_set)
    return terminology.member_of(item, "code", value_set)


def subsumes(evaluation: Evaluation, items: list[Item], other: list[Item]) -> bool | None:
    terminology = evaluation.environment.terminology
    general, special = _one(items, "subsumes"), _one(other, "subsumes")
    if terminology is None or not isinstance(general, Element) or not isinstance(special, Element):
        return None
    return terminology.subsumes(general.value, special.value)


def subsumed_by(evaluation: Evaluation, items: list[Item], other: list[Item]) -> bool | None:
    return subsumes(evaluation, other, items)


def html_checks(items: list[Item]) -> bool | None:
    item = _one(items, "htmlChecks")
    if item is None:
        return None
    text = item.value if isinstance(item, Element) else item
    return type(text) is str and is_narrative(text)


def conforms_to(evaluation: Evaluation, items: list[Item], profile: str | None) -> bool | None:
    conforms = evaluation.environment.conforms
    item = _one(items, "conformsTo")
    if conforms is None or not isinstance(item, Element) or profile is None:
        return None
    answer = conforms(item, profile)
    if answer is None:
        raise Unfit("there is no such profile")
    return answer


def check_modifiers(items: list[Item], *known: str | None) -> list[Item]:
    """The input, when it has no modifier extension but those named."""
    for each in _extensions(items, "modifierExtension"):
        if each.value.get("url") not in known:
            raise Unfit(f"a {type_name(each)} changes the meaning of what it is in")
    return items


def _extensions(items: list[Item], key: str) -> Iterator[Element]:
    for item in items:
        if type(item) is Element:
            holder = item.value if type(item.value) is dict else item.beside
            found = holder.get(key) if type(holder) is dict else None
            for index, each in enumerate(found if type(found) is list else ()):
                if type(each) is dict:
                    yield Element(each, "Extension", None, item, key, index)


def _value(item: Item) -> Item | None:
    if type(item) is not Element:
        return item
    return None if type(item.value) in {dict, list} else system(item)


def _reference(item: Item) -> str | None:
    if isinstance(item, str):
        return item
    value = item.value if isinstance(item, Element) else None
    text = value.get("reference") if isinstance(value, dict) else value
    return text if type(text) is str else None


def _resolved(evaluation: Evaluation, text: str) -> dict[str, Any] | None:
    if text.startswith("#"):
        return _contained(evaluation.root, text[1:])
    look_up = evaluation.environment.resolve
    return look_up(text) if look_up is not None else None


def _contained(container: Element | None, id_: str) -> dict[str, Any] | None:
    """A contained resource, or the container itself for `#`."""
    if container is None or not isinstance(container.value, dict):
        return None
    if not id_:
        return container.value
    contained = container.value.get("contained")
    candidates = contained if isinstance(contained, list) else []
    return next((c for c in candidates if isinstance(c, dict) and c.get("id") == id_), None)


def _one(items: list[Item], function: str) -> Item | None:
    if len(items) > 1:
        raise Unfit(f"{function}() is asked of one item, not {len(items)}")
    return items[0] if items else None


ADDITIONAL: dict[str, Function] = {
    "extension": collection(extension, Kind.STRING),
    "hasValue": collection(has_value, result=Result.BOOLEAN),
    "getValue": collection(get_value, result=Result.VALUE),
    "resolve": collection(resolve, evaluation=True),
    "memberOf": collection(member_of, Kind.STRING, result=Result.BOOLEAN, evaluation=True),
    "subsumes": collection(subsumes, Kind.COLLECTION, result=Result.BOOLEAN, evaluation=True),
    "subsumedBy": collection(subsumed_by, Kind.COLLECTION, result=Result.BOOLEAN, evaluation=True),
    "htmlChecks": collection(html_checks, result=Result.BOOLEAN),
    "conformsTo": collection(conforms_to, Kind.STRING, result=Result.BOOLEAN, evaluation=True),
    "checkModifiers": collection(check_modifiers, Kind.STRING, repeats=True),
}
