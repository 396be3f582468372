"""The order of matches: `_sort`.

https://hl7.org/fhir/R4/search.html#sort

Of several values the least counts when it goes up, the greatest when it goes down. What has no
value comes last, whichever way it goes.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.support.brute_force import dates, strings, tokens
from tests.support.brute_force.elements import Element

if TYPE_CHECKING:
    from tests.support.brute_force.evaluator import BruteForce

Resource = dict[str, Any]


def sort(
    found: Sequence[Resource], controls: Iterable[tuple[str, str]], data: "BruteForce"
) -> list[Resource]:
    """Resources as `_sort` among the controls wants them; as they were without."""
    ordered = list(found)
    rules = [rule for name, value in controls if name == "_sort" for rule in value.split(",")]
    for rule in reversed(rules):
        code, down = rule.removeprefix("-"), rule.startswith("-")
        keyed = [(keys(each, code, data), each) for each in ordered]
        some = [(max(found) if down else min(found), each) for found, each in keyed if found]
        some.sort(key=lambda pair: pair[0], reverse=down)
        ordered = [each for _, each in some] + [each for found, each in keyed if not found]
    return ordered


def in_order(
    found: Sequence[Resource], controls: Iterable[tuple[str, str]], data: "BruteForce"
) -> bool:
    """Whether resources are in an order that `_sort` allows: equal ones may come in any."""
    rules = [rule for name, value in controls if name == "_sort" for rule in value.split(",")]
    return all(not _is_before(two, one, rules, data) for one, two in pairwise(found))


def _is_before(one: Resource, other: Resource, rules: Sequence[str], data: "BruteForce") -> bool:
    for rule in rules:
        code, down = rule.removeprefix("-"), rule.startswith("-")
        best = max if down else min
        mine, its = keys(one, code, data), keys(other, code, data)
        if not mine or not its:
            if bool(mine) is not bool(its):
                return bool(mine)
        elif best(mine) != best(its):
            return bool(best(mine) < best(its)) is not down
    return False


def keys(resource: Resource, code: str, data: "BruteForce") -> list[Any]:
    """What a resource may be ordered by."""
    if code == "_id":
        return [resource["id"]]
    if code == "_lastUpdated":
        return [data.updated(resource)]
    parameter = data.parameter(resource["resourceType"], code)
    found = [_keys(parameter.type, each) for each in data.elements.found(resource, parameter)]
    return [key for each in found for key in each]


def _keys(search_type: str, element: Element) -> list[Any]:
    match search_type:
        case "date":
            span = dates.span(element, dates.Clock())
            return [] if span is None else [span.first]
        case "string":
            return strings.ordered_by(element)
        case "token":
            return [each.code.casefold() for each in tokens.tokens(element) if each.code]
        case "uri":
            return [element.value]
        case "number":
            return [element.value]
        case "quantity":
            value = element.value.get("value")
            return [] if value is None else [value]
        case "reference":
            text = element.value.get("reference")
            return [] if text is None else [text]
    raise AssertionError(f"nobody sorts by a {search_type}")
