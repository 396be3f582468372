"""Code systems: their codes, and which of them lie above and below one another.

https://hl7.org/fhir/R4/codesystem.html#hierarchy

A concept lies below those it is nested in, those its properties `parent` and `subsumedBy` name,
and those that name it as `child`. What such a hierarchy means (is-a, part-of, classified-with) is
left aside: search asks for all hierarchical relationships
(https://hl7.org/fhir/R4/valueset-search-modifier-code.html).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from fhir_server.terminology.reading import objects, one, text

_CONCEPT_PROPERTIES: Final = "http://hl7.org/fhir/concept-properties#"
_KINDS: Final = frozenset({"parent", "child", "subsumedBy", "inactive", "notSelectable", "status"})
"""Properties with a meaning of their own, by their codes and by what their uri ends in."""


_NOTHING: Final[Mapping[str, Any]] = {}
_STANDARDS_STATUS: Final = (
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status"
)
_OF_EVERY_CONCEPT: Final = frozenset({"display", "definition", *_KINDS})
"""What can be asked of any concept as if it were a property."""


@dataclass(frozen=True)
class CodeSystem:
    """The codes of one code system, as far as they are here."""

    resource: Mapping[str, Any]
    """The definition as it was stored or published."""

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
    concepts: Mapping[str, Mapping[str, Any]]
    """What the resource says of each code, in its order."""
    kinds: Mapping[str, str]
    """What properties mean, by their codes."""
    supplements: tuple[str, ...] = ()
    """Canonicals of what was added to it."""

    @property
    def language(self) -> str:
        """Of the displays; empty: not stated."""
        return text(self.resource, "language")

    @property
    def case_sensitive(self) -> bool:
        return self.resource.get("caseSensitive") is not False

    @property
    def canonical(self) -> str:
        return f"{self.url}|{self.version}" if self.version else self.url

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

    @property
    def listable(self) -> bool:
        """Whether all its codes can be listed; those of a rule can only be checked."""
        return True

    def known(self, code: str) -> str | None:
        """The code as this system writes it, where cases are told apart if it says nothing."""
        if code in self.concepts:
            return code
        return None if self.case_sensitive else self._folded.get(code.casefold())

    def has_property(self, name: str) -> bool:
        """Whether concepts can be asked for a property of this name."""
        return name in self._properties

    @cached_property
    def _properties(self) -> frozenset[str]:
        declared = (text(each, "code") for each in objects(self.resource, "property"))
        return _OF_EVERY_CONCEPT | frozenset(declared)

    def values(self, code: str, name: str) -> Sequence[str]:
        """The values of a concept's property, as texts."""
        concept = self.concepts.get(code, _NOTHING)
        if name in {"display", "definition"}:
            return [text(concept, name)] if name in concept else []
        found = [written(each) for each in self.properties(code) if text(each, "code") == name]
        kind = self.kinds.get(name)
        if kind == "parent":
            return [*dict.fromkeys((*self.up.get(code, ()), *found))]
        if kind == "child":
            return [*dict.fromkeys((*self.down.get(code, ()), *found))]
        return found or self._by_kind(code, kind)

    def _by_kind(self, code: str, kind: str | None) -> Sequence[str]:
        """What is known by a property of the same meaning with another name."""
        if kind == "notSelectable" and code in self.abstract:
            return ["true"]
        return ["true"] if kind == "inactive" and code in self.inactive else []

    def properties(self, code: str) -> Sequence[Mapping[str, Any]]:
        """The properties of a concept as they are written."""
        return objects(self.concepts.get(code, _NOTHING), "property")

    def status(self, code: str) -> str:
        """What a concept says of its own status; empty if nothing."""
        for each in self.properties(code):
            if self.kinds.get(text(each, "code")) == "status":
                return written(each)
        return standards_status(self.concepts.get(code, _NOTHING))

    def supplemented(self, supplement: Mapping[str, Any]) -> "CodeSystem":
        """This code system, with the designations and properties that a supplement adds."""
        concepts = dict(self.concepts)
        for code, added in _flat(objects(supplement, "concept")):
            if code in concepts:
                concepts[code] = _joined(concepts[code], added)
        resource = {
            **self.resource,
            "property": [*objects(self.resource, "property"), *objects(supplement, "property")],
        }
        url, version = text(supplement, "url"), text(supplement, "version")
        name = f"{url}|{version}" if version else url
        return replace(
            self,
            resource=resource,
            concepts=concepts,
            supplements=(*self.supplements, name),
        )

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
        resource,
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
        reading.defined,
        reading.kinds,
    )


def standards_status(element: Mapping[str, Any]) -> str:
    """What an extension says of the standing of a definition or of a part of one; else empty."""
    for each in objects(element, "extension"):
        if text(each, "url") == _STANDARDS_STATUS:
            return text(each, "valueCode")
    return ""


def written(property_: Mapping[str, Any]) -> str:
    """The value of a concept's property as a text; of a Coding its code."""
    for name, value in property_.items():
        if name.startswith("value"):
            if isinstance(value, dict):
                return text(value, "code")
            return str(value).lower() if isinstance(value, bool) else str(value)
    return ""


def _flat(concepts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for concept in concepts:
        if text(concept, "code"):
            yield text(concept, "code"), concept
        yield from _flat(objects(concept, "concept"))


def _joined(concept: Mapping[str, Any], added: Mapping[str, Any]) -> Mapping[str, Any]:
    lists = {
        name: [*objects(concept, name), *objects(added, name)]
        for name in ("designation", "property", "extension")
        if name in concept or name in added
    }
    return {**concept, **lists}


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
    defined: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    abstract: set[str] = field(default_factory=set)
    inactive: set[str] = field(default_factory=set)

    def concepts(self, concepts: Sequence[Mapping[str, Any]], above: tuple[str, ...]) -> None:
        for concept in concepts:
            code = text(concept, "code")
            if code:
                self.defined.setdefault(code, concept)
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
