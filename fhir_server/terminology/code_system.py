"""Code systems: their codes, and which of them lie above and below one another.

https://hl7.org/fhir/R4/codesystem.html#hierarchy

A concept lies below those it is nested in, those its properties `parent` and `subsumedBy` name,
and those that name it as `child`. What such a hierarchy means (is-a, part-of, classified-with) is
left aside: search asks for all hierarchical relationships
(https://hl7.org/fhir/R4/valueset-search-modifier-code.html).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from fhir_server.terminology.reading import objects, one, text

_CONCEPT_PROPERTIES: Final = "http://hl7.org/fhir/concept-properties#"
_KINDS: Final = frozenset({"parent", "child", "subsumedBy", "inactive", "notSelectable", "status"})
"""Properties with a meaning of their own, by their codes and by what their uri ends in."""


@dataclass(frozen=True)
class CodeSystem:
    """The codes of one code system, as far as they are here."""

    url: str
    version: str
    """Empty: not stated."""
    content: str
    """`complete`, or how much of it is here: `not-present`, `example`, `fragment`, `supplement`."""
    up: Mapping[str, Sequence[str]]
    """Every code, and the codes right above it."""
    abstract: frozenset[str]
    """Codes that are there to hold others together, and that no value set selects by a rule."""
    inactive: frozenset[str]

    @cached_property
    def down(self) -> Mapping[str, Sequence[str]]:
        """The codes right below those that have any."""
        found: dict[str, list[str]] = {}
        for code, parents in self.up.items():
            for parent in parents:
                found.setdefault(parent, []).append(code)
        return found

    @cached_property
    def _folded(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for code in self.up:
            found.setdefault(code.casefold(), code)
        return found

    def find(self, code: str) -> str | None:
        """The code as this system writes it; search does not tell cases apart."""
        return code if code in self.up else self._folded.get(code.casefold())

    def below(self, code: str) -> set[str]:
        """A code and all that lies below it."""
        return _reached(code, self.down)

    def above(self, code: str) -> set[str]:
        """A code and all that lies above it."""
        return _reached(code, self.up)


def read_code_system(resource: Mapping[str, Any]) -> CodeSystem:
    """The code system of a CodeSystem resource; NotLoaded says what of it cannot be read."""
    reading = _Reading(_kinds(resource))
    reading.concepts(objects(resource, "concept"), ())
    return CodeSystem(
        text(resource, "url"),
        text(resource, "version"),
        text(resource, "content"),
        {
            code: tuple(parent for parent in dict.fromkeys(parents) if parent in reading.defined)
            for code, parents in reading.up.items()
            if code in reading.defined
        },
        frozenset(reading.abstract),
        frozenset(reading.inactive),
    )


def _reached(code: str, step: Mapping[str, Sequence[str]]) -> set[str]:
    """Where steps lead from a code, itself included; going in circles ends."""
    seen, ahead = {code}, [code]
    while ahead:
        further = [each for each in step.get(ahead.pop(), ()) if each not in seen]
        seen.update(further)
        ahead += further
    return seen


def _kinds(resource: Mapping[str, Any]) -> Mapping[str, str]:
    """What the system's properties mean, by their codes."""
    kinds = {kind: kind for kind in _KINDS}
    for declared in objects(resource, "property"):
        uri = text(declared, "uri")
        kind = uri.removeprefix(_CONCEPT_PROPERTIES)
        if kind != uri and kind in _KINDS:
            kinds[text(declared, "code")] = kind
    return kinds


@dataclass(slots=True)
class _Reading:
    """What is known so far of a code system that is being read."""

    kinds: Mapping[str, str]
    up: dict[str, list[str]] = field(default_factory=dict)
    defined: set[str] = field(default_factory=set)
    abstract: set[str] = field(default_factory=set)
    inactive: set[str] = field(default_factory=set)

    def concepts(self, concepts: Sequence[Mapping[str, Any]], above: tuple[str, ...]) -> None:
        for concept in concepts:
            code = text(concept, "code")
            if code:
                self.defined.add(code)
                self.up.setdefault(code, []).extend(above)
                for kind, value in self._properties(concept):
                    self._property(code, kind, value)
            self.concepts(objects(concept, "concept"), (code,) if code else above)

    def _properties(self, concept: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        for each in objects(concept, "property"):
            kind = self.kinds.get(text(each, "code"))
            if kind is not None:
                coding = text(one(each, "valueCoding"), "code")
                yield kind, text(each, "valueCode") or coding or each.get("valueBoolean")

    def _property(self, code: str, kind: str, value: object) -> None:
        match kind, value:
            case "parent" | "subsumedBy", str():
                self.up[code].append(value)
            case "child", str():
                self.up.setdefault(value, []).append(code)
            case "notSelectable", True:
                self.abstract.add(code)
            case ("inactive", True) | ("status", "retired" | "inactive"):
                self.inactive.add(code)
