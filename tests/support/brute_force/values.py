"""Search types and their modifiers: whether one value finds one element.

https://hl7.org/fhir/R4/search.html#ptypes and https://hl7.org/fhir/R4/search.html#modifiers
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fhir_server.definitions.search_parameters import SearchParameter
from tests.support.brute_force import dates, quantities, references, strings, tokens, uris
from tests.support.brute_force.dates import Clock
from tests.support.brute_force.elements import Element
from tests.support.brute_force.query import Refused, split
from tests.support.brute_force.ranges import (
    HIGHEST,
    LOWEST,
    PREFIXES,
    Range,
    number_asked,
    number_held,
)
from tests.support.brute_force.terminology import Terminology


@dataclass(frozen=True)
class World:
    """What is known beside the resources."""

    base_url: str
    terminology: Terminology
    clock: Clock = field(default_factory=Clock)


def element_matches(
    parameter: SearchParameter, modifier: str, value: str, element: Element, world: World
) -> bool:
    """Whether a value, as written, finds an element of a parameter that is no composite."""
    match parameter.type, modifier:
        case "reference", "":
            return references.matches(value, element, parameter.targets, world.base_url)
        case "reference", "identifier":
            return references.by_identifier(value, element)
        case "reference", type_ if type_[:1].isupper():
            if parameter.targets and type_ not in parameter.targets:
                raise Refused(f"{parameter.code} does not refer to {type_}")
            return references.of_type(value, element, type_, world.base_url)
        case "date", "":
            return dates.matches(value, element, world.clock)
        case "token", "in" | "not-in" | "below" | "above":
            return world.terminology.matches(modifier, value, element)
    judge = _JUDGES.get((parameter.type, modifier))
    if judge is None:
        raise Refused(f"{parameter.code}:{modifier} is not for a {parameter.type}")
    return judge(value, element)


def tuple_matches(
    parameter: SearchParameter, value: str, parts: list[list[Element]], world: World
) -> bool:
    """Whether a composite value finds elements that belong together."""
    pieces = split(value, "$")
    if len(pieces) != len(parameter.components):
        raise Refused(f"{value} has not {len(parameter.components)} parts")
    return all(
        any(element_matches(part.parameter, "", piece, each, world) for each in elements)
        for part, piece, elements in zip(parameter.components, pieces, parts, strict=True)
    )


def is_present(search_type: str, element: Element, world: World) -> bool:
    """Whether an element has something that can be searched for, for `:missing`."""
    match search_type:
        case "date":
            return dates.span(element, world.clock) is not None
        case "number":
            return _number(element) is not None
        case "quantity":
            return quantities.present(element)
        case "string":
            return strings.present(element)
        case _:
            return True


def _number(element: Element) -> Range | None:
    if not element.is_a("Range"):
        return number_held(element.value)
    low = number_held(element.value.get("low", {}).get("value"))
    high = number_held(element.value.get("high", {}).get("value"))
    if low is None and high is None:
        return None
    return Range(low.first if low else LOWEST, high.last if high else HIGHEST)


def _number_matches(value: str, element: Element) -> bool:
    prefix, asked = number_asked(value)
    held = _number(element)
    return held is not None and PREFIXES[prefix](asked, held)


Judge = Callable[[str, Element], bool]

_JUDGES: Mapping[tuple[str, str], Judge] = {
    ("number", ""): _number_matches,
    ("quantity", ""): quantities.matches,
    ("string", ""): strings.begins,
    ("string", "contains"): strings.contains,
    ("string", "exact"): strings.exact,
    ("token", ""): tokens.matches,
    ("token", "not"): tokens.matches,
    ("token", "of-type"): tokens.of_type,
    ("token", "text"): tokens.has_text,
    ("uri", ""): uris.matches,
    ("uri", "above"): uris.above,
    ("uri", "below"): uris.below,
}
