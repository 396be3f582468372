"""`_filter`, read and judged for one resource: an oracle that shares no code with the server's.

https://hl7.org/fhir/R4/search_filter.html

The text is cut into marks and words first; what stands in brackets is judged of what the name
before them leads to. Values are compared as `values.py` compares them.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.support.brute_force import dates, strings
from tests.support.brute_force.elements import Element
from tests.support.brute_force.query import Criterion, Plain, Refused, split
from tests.support.brute_force.values import element_matches

if TYPE_CHECKING:
    from fhir_server.definitions.search_parameters import SearchParameter
    from tests.support.brute_force.evaluator import BruteForce

Resource = dict[str, Any]

_WORDS = re.compile(r'\s+|"(?:[^"\\]|\\.)*"|[()\[\]]|[^\s()\[\]]+')
_BY_MODIFIER = {"in": "in", "ni": "not-in", "ss": "below", "sb": "above"}
_RANGES = {"date", "number", "quantity"}
_SYSTEMS = {
    "loinc": "http://loinc.org",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "snomed": "http://snomed.info/sct",
    "ucum": "http://unitsofmeasure.org",
}


@dataclass(frozen=True)
class Test:
    path: str
    """The first name of the path, with what follows it behind colons."""
    condition: "Filter | None"
    rest: "Test | None"
    """What is tested of that which the name leads to; None: the name itself is tested."""
    operator: str
    value: str


@dataclass(frozen=True)
class Logic:
    word: str
    """`and`, `or` or `not`."""
    parts: tuple["Filter", ...]


Filter = Test | Logic


@cache
def read(text: str) -> Filter:
    """A filter's tree; Refused for what is none."""
    try:
        found, rest = _filter([word for word in _WORDS.findall(text) if not word.isspace()])
    except (IndexError, ValueError) as error:
        raise Refused(f"{text} is no filter") from error
    if rest:
        raise Refused(f"{text} goes on with {rest}")
    return found


def comparisons(tree: Filter) -> Iterator[tuple[str, str]]:
    """Operators that ask terminology, as the modifier they say the same as, and their values."""
    match tree:
        case Logic(parts=parts):
            for part in parts:
                yield from comparisons(part)
        case Test(condition=condition, rest=rest, operator=operator, value=value):
            for below in (condition, rest):
                yield from comparisons(below) if below is not None else ()
            if operator in _BY_MODIFIER:
                yield _BY_MODIFIER[operator], value


def holds(tree: Filter, resource: Resource, data: "BruteForce") -> bool:
    """Whether a resource is one that a filter lets through."""
    match tree:
        case Logic("not", (inner,)):
            return not holds(inner, resource, data)
        case Logic("and", parts):
            return all(holds(part, resource, data) for part in parts)
        case Logic("or", parts):
            return any(holds(part, resource, data) for part in parts)
        case Test(rest=None):
            return _tested(tree, resource, data)
        case Test() as test:
            return any(_all_of(test, to, data) for to in _led_to(test.path, resource, data))
    raise AssertionError(tree)


def _all_of(test: Test, resource: Resource, data: "BruteForce") -> bool:
    """Whether what a name leads to meets the brackets behind it and the rest of the path."""
    rest = test.rest
    assert rest is not None
    if not rest.path.startswith("_has:") and not data.knows(resource, rest.path.partition(":")[0]):
        return False
    inside = test.condition is None or holds(test.condition, resource, data)
    return inside and holds(rest, resource, data)


def _led_to(name: str, resource: Resource, data: "BruteForce") -> list[Resource]:
    if name.startswith("_has:"):
        _, type_, reference = name.split(":")
        return [
            each
            for each in data.resources
            if each["resourceType"] == type_
            and any(to is resource for to in data.targets(each, reference))
        ]
    code, _, type_ = name.partition(":")
    return [to for to in data.targets(resource, code) if type_ in {"", to["resourceType"]}]


def _tested(test: Test, resource: Resource, data: "BruteForce") -> bool:
    """A test of one parameter of a resource."""
    name, operator, value = test.path, test.operator, test.value
    if name in {"_id", "_lastUpdated"}:
        asked = value if name == "_id" or operator == "eq" else operator + value
        found = data.holds(resource, Criterion(Plain(name), (asked,)))
        return found is not (name == "_id" and operator == "ne")
    parameter = data.parameter(resource["resourceType"], name)
    if operator == "pr":
        return data.is_missing(resource, parameter) is (value.lower() == "false")
    elements = data.elements.found(resource, parameter) if parameter.type != "composite" else []
    if operator == "ni":
        return not any(element_matches(parameter, "not-in", value, e, data.world) for e in elements)
    if operator == "ne" and parameter.type not in _RANGES:
        equal = _any(parameter, "eq", value, resource, data)
        return not equal and not data.is_missing(resource, parameter)
    return _any(parameter, operator, value, resource, data)


def _any(
    parameter: "SearchParameter", operator: str, value: str, resource: Resource, data: "BruteForce"
) -> bool:
    if parameter.type == "composite":
        criterion = Criterion(Plain(parameter.code), (_with_systems(value, "$"),))
        return data.holds(resource, criterion)
    elements = data.elements.found(resource, parameter)
    if parameter.type == "string":
        return any(_text(operator, value, each) for each in elements)
    if operator in {"co", "po"}:
        return any(_spans(operator, parameter.type, value, each, data) for each in elements)
    modifier = _BY_MODIFIER.get(operator, "")
    asked = value if operator == "in" else _with_systems(value)
    if parameter.type in _RANGES:
        asked = operator + asked
    return any(element_matches(parameter, modifier, asked, each, data.world) for each in elements)


def _text(operator: str, value: str, element: Element) -> bool:
    asked = strings.fold(value)
    return any(
        {
            "eq": has == asked,
            "co": asked in has,
            "sw": has.startswith(asked),
            "ew": has.endswith(asked),
            "gt": has > asked,
            "ge": has >= asked,
            "lt": has < asked,
            "le": has <= asked,
        }[operator]
        for has in filter(None, map(strings.fold, strings.texts(element)))
    )


def _spans(operator: str, kind: str, value: str, element: Element, data: "BruteForce") -> bool:
    if kind == "number":
        return _rounds_to(Fraction(value), element.value)
    has = dates.span(element, data.world.clock)
    asked = dates.span(Element(value, ("dateTime",)), data.world.clock)
    if has is None or asked is None:
        return False
    if operator == "co":
        return has.first <= asked.first and asked.last <= has.last
    return has.first <= asked.last and asked.first <= has.last


def _rounds_to(asked: Fraction, held: Any) -> bool:
    """Whether a stored number may stand for the one asked for."""
    if isinstance(held, dict):
        low, high = (held.get(end, {}).get("value") for end in ("low", "high"))
        above = low is None or Fraction(low) <= asked
        return above and (high is None or asked <= Fraction(high)) and {low, high} != {None}
    number = Decimal(held)
    half = Fraction(10) ** int(number.as_tuple().exponent) / 2
    return Fraction(number) - half <= asked < Fraction(number) + half


def _with_systems(value: str, mark: str = "\0") -> str:
    parts = []
    for part in split(value, mark):
        *before, last = split(part, "|")
        parts.append("|".join([*(_SYSTEMS.get(piece.lower(), piece) for piece in before), last]))
    return mark.join(parts)


def _filter(words: Sequence[str]) -> tuple[Filter, Sequence[str]]:
    """From the left, as long as `and` or `or` follows."""
    found, words = _operand(words)
    while words and words[0] in {"and", "or"}:
        word, (right, words) = words[0], _operand(words[1:])
        found = Logic(word, (found, right))
    return found, words


def _operand(words: Sequence[str]) -> tuple[Filter, Sequence[str]]:
    if words[0] in {"(", "not"}:
        inside = 1 if words[0] == "(" else 2
        found, rest = _filter(words[inside:])
        if words[inside - 1] != "(" or rest[0] != ")":
            raise ValueError(words)
        return (found if inside == 1 else Logic("not", (found,))), rest[1:]
    return _path(words)


def _path(words: Sequence[str]) -> tuple[Test, Sequence[str]]:
    """A name, perhaps brackets, then the rest of the path, or an operator and a value."""
    head, _, behind = words[0].removeprefix(".").partition(".")
    words, condition = [*([f".{behind}"] if behind else []), *words[1:]], None
    has, name = _reverse(head)
    if has:
        test, rest = _path([name, *words])
        return Test(has, None, test, "", ""), rest
    if words[0] == "[":
        condition, words = _filter(words[1:])
        if words[0] != "]":
            raise ValueError(words)
        words = words[1:]
    if words[0].startswith("."):
        test, rest = _path(words)
        return Test(name, condition, test, "", ""), rest
    operator, value, *rest = words
    if condition is not None or value in {"(", ")", "[", "]"}:
        raise ValueError(words)
    return Test(name, None, None, operator, _value(value)), rest


def _reverse(head: str) -> tuple[str, str]:
    """`_has:Type:reference` and what follows it; empty and all of it for another name."""
    if not head.startswith("_has:"):
        return "", head
    _, type_, reference, name = head.split(":", 3)
    return f"_has:{type_}:{reference}", name


def _value(word: str) -> str:
    return str(json.loads(word, strict=False)) if word.startswith('"') else word
