"""Concept maps: the codes of one system that stand for a code of another.

https://hl7.org/fhir/R4/conceptmap.html

A target that depends on other values counts only where the question brings those values along.
Asked in reverse, a map answers with its sources, and says of each how it lies to the target.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fhir_server.errors import Circular, NotLoaded
from fhir_server.terminology.expansion import Coded
from fhir_server.terminology.reading import objects, one, text

_OTHER_WAY: Final[Mapping[str, str]] = {
    "wider": "narrower",
    "narrower": "wider",
    "subsumes": "specializes",
    "specializes": "subsumes",
}
"""What an equivalence is when the two concepts change places; others stay what they are."""
_NO_MATCH: Final = frozenset({"unmatched", "disjoint"})
_MOST_MAPS: Final = 10
"""How many maps may name one another for what they do not map."""

Found = Callable[[str], Awaitable[Mapping[str, Any]]]
"""Finds the ConceptMap of a canonical; NotLoaded if it is not here."""


@dataclass(frozen=True, slots=True)
class Match:
    """A concept that stands for the one asked for."""

    equivalence: str
    """From https://hl7.org/fhir/R4/valueset-concept-map-equivalence.html."""
    concept: Mapping[str, Any]
    """A Coding."""
    source: str
    """The canonical of the map that says so."""
    products: Sequence[tuple[str, Mapping[str, Any]]] = ()
    """Further values that come with it: an element and a Coding."""
    comment: str = ""

    @property
    def matches(self) -> bool:
        """Whether it says that there is something, rather than that there is nothing."""
        return self.equivalence not in _NO_MATCH


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be translated."""

    coded: Coded
    version: str = ""
    target_system: str = ""
    """Empty for any."""
    reverse: bool = False
    known: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """Values of other elements: the element and the code."""


async def translate(
    question: Question, resource: Mapping[str, Any], found: Found
) -> Sequence[Match]:
    """All matches of a map, and of those that it names for what it does not map."""
    matches = list[Match]()
    ahead, seen = [resource], list[str]()
    while ahead:
        current = ahead.pop(0)
        name = _canonical(current)
        if name in seen or len(seen) >= _MOST_MAPS:
            raise Circular(f"The concept map {name} leads back to itself by its unmapped codes.")
        seen.append(name)
        for group in objects(current, "group"):
            further = _of_group(question, group, name, matches)
            if further:
                ahead.append(await found(further))
    return matches


def _of_group(question: Question, group: Mapping[str, Any], name: str, matches: list[Match]) -> str:
    """Adds what a group says; the canonical of the map to ask in its place, if it names one."""
    if not _is_about(question, group):
        return ""
    if question.reverse:
        matches += _reversed(question, group, name)
        return ""
    elements = [
        each for each in objects(group, "element") if text(each, "code") == question.coded.code
    ]
    if elements:
        for element in elements:
            matches += _targets(question, group, element, name)
        return ""
    unmapped = one(group, "unmapped")
    if text(unmapped, "mode") == "other-map":
        return text(unmapped, "url")
    matches += _unmapped(question, group, unmapped, name)
    return ""


def _is_about(question: Question, group: Mapping[str, Any]) -> bool:
    """Whether a group maps from the system asked for, and to the one wanted."""
    ends = [(text(group, end), text(group, f"{end}Version")) for end in ("source", "target")]
    (source, version), (target, _) = reversed(ends) if question.reverse else ends
    return (
        source == question.coded.system
        and question.version in ("", version or question.version)
        and question.target_system in ("", target)
    )


def _targets(
    question: Question, group: Mapping[str, Any], element: Mapping[str, Any], name: str
) -> Iterator[Match]:
    for target in objects(element, "target"):
        if not _holds(question, target):
            continue
        equivalence, code = text(target, "equivalence") or "relatedto", text(target, "code")
        concept = _coding(group, "target", code, text(target, "display"))
        products = [(text(each, "property"), _product(each)) for each in objects(target, "product")]
        yield Match(equivalence, concept if code else {}, name, products, text(target, "comment"))


def _holds(question: Question, target: Mapping[str, Any]) -> bool:
    """Whether all that a target depends on is known to be so."""
    return all(
        (text(each, "property"), text(each, "value")) in question.known
        for each in objects(target, "dependsOn")
    )


def _product(product: Mapping[str, Any]) -> Mapping[str, Any]:
    names = (("system", "system"), ("code", "value"), ("display", "display"))
    return {name: text(product, member) for name, member in names if text(product, member)}


def _reversed(question: Question, group: Mapping[str, Any], name: str) -> Iterator[Match]:
    for element in objects(group, "element"):
        for target in objects(element, "target"):
            if text(target, "code") == question.coded.code and _holds(question, target):
                equivalence = text(target, "equivalence") or "relatedto"
                yield Match(
                    _OTHER_WAY.get(equivalence, equivalence),
                    _coding(group, "source", text(element, "code"), text(element, "display")),
                    name,
                    comment=text(target, "comment"),
                )


def _unmapped(
    question: Question, group: Mapping[str, Any], unmapped: Mapping[str, Any], name: str
) -> Iterator[Match]:
    match text(unmapped, "mode"):
        case "provided":
            yield Match("equal", _coding(group, "target", question.coded.code, ""), name)
        case "fixed":
            code, shown = text(unmapped, "code"), text(unmapped, "display")
            yield Match("relatedto", _coding(group, "target", code, shown), name)
        case "":
            return
        case other:
            raise NotLoaded(f"The concept map {name} has an unknown way to go on: {other}.")


def _coding(group: Mapping[str, Any], end: str, code: str, shown: str) -> Mapping[str, Any]:
    members = {
        "system": text(group, end),
        "version": text(group, f"{end}Version"),
        "code": code,
        "display": shown,
    }
    return {name: member for name, member in members.items() if member}


def _canonical(resource: Mapping[str, Any]) -> str:
    url, version = text(resource, "url"), text(resource, "version")
    return f"{url}|{version}" if url and version else url or f"ConceptMap/{text(resource, 'id')}"
