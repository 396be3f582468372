"""What matches bring with them: `_include`, `_revinclude`, `:iterate`, wildcards.

https://hl7.org/fhir/R4/search.html#include
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.brute_force.evaluator import BruteForce

Resource = dict[str, Any]


def included(
    matches: Sequence[Resource], controls: Iterable[tuple[str, str]], data: "BruteForce"
) -> set[str]:
    """`Type/id` of all that is brought, without the matches themselves."""
    asked = [(*name.partition(":")[::2], value) for name, value in controls if "include" in name]
    found: dict[str, Resource] = {}
    for name, modifier, value in asked:
        if not modifier:
            found |= _named(_brought(name, value, matches, data))
    iterated = [(name, value) for name, modifier, value in asked if modifier]
    known = _named(matches) | found
    while True:
        new: dict[str, Resource] = {}
        for name, value in iterated:
            new |= _named(_brought(name, value, list(known.values()), data))
        if new.keys() <= known.keys():
            return known.keys() - _named(matches).keys()
        known |= new


def _named(resources: Iterable[Resource]) -> dict[str, Resource]:
    return {f"{each['resourceType']}/{each['id']}": each for each in resources}


def _brought(
    name: str, value: str, sources: Sequence[Resource], data: "BruteForce"
) -> Iterator[Resource]:
    type_, _, rest = value.partition(":")
    code, _, target = rest.partition(":")
    if name == "_include":
        for source in sources:
            if type_ in {"*", source["resourceType"]}:
                for each in _led_to(source, code or "*", data):
                    if target in {"", each["resourceType"]}:
                        yield each
        return
    for source in data.resources:
        if type_ in {"*", source["resourceType"]}:
            reached = _led_to(source, code or "*", data)
            if any(
                to is each
                for to in reached
                for each in sources
                if target in {"", each["resourceType"]}
            ):
                yield source


def _led_to(source: Resource, code: str, data: "BruteForce") -> list[Resource]:
    parameters = data.elements.parameters(source["resourceType"])
    codes = [each.code for each in parameters if each.type == "reference"]
    if code != "*":
        codes = [each for each in codes if each == code]
    return [each for one in codes for each in data.targets(source, one)]
