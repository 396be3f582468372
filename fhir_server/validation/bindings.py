"""Bindings: whether codes are those that an element may have.

https://hl7.org/fhir/R4/terminologies.html#binding

required      a coding of the concept is in the value set; text alone is not enough
extensible    the same, if the value set has a code that applies. Only a person can say so: what
              is told is a warning, and only of codes of systems that are known here

What cannot be told, since a code system or the rules of a value set are not here, is a warning
that says so, and never a silent yes. Codes of elements of type code whose required value set is
published expanded belong to structure and are not looked at again.

Answers are kept. Who stores another value set or code system must call `forget`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fhir_server.definitions.elements import Binding
from fhir_server.definitions.elements import Element as Definition
from fhir_server.definitions.registry import Definitions
from fhir_server.errors import BadRequest, NotLoaded, TooCostly
from fhir_server.fhir.outcome import Issue, Severity
from fhir_server.fhirpath.certain_paths import FOCUS
from fhir_server.terminology.code_system import CodeSystem
from fhir_server.terminology.displays import names as names_of
from fhir_server.terminology.displays import same
from fhir_server.terminology.expansion import Coded
from fhir_server.terminology.library import Library
from fhir_server.terminology.service import Terminology
from fhir_server.terminology.validating import infer_system
from fhir_server.terminology.value_set import Member, ValueSet
from fhir_server.validation.codes import RequiredCodes
from fhir_server.validation.places import Place

_REQUIRED: Final = "required"
_EXTENSIBLE: Final = "extensible"
_MOST_KNOWN: Final = 4_096
"""Codes kept for each value set."""
_MOST_SETS: Final = 512
_MOST_SYSTEMS: Final = 64
_UNTOLD: Final = (NotLoaded, TooCostly, BadRequest)
"""What says that something of terminology is not here or cannot be followed."""
_LONGEST_NAME: Final = 120

Json = Mapping[str, Any]
Codings = Callable[[Any], Iterator[Coded]]


def _of_concept(value: Json) -> Iterator[Coded]:
    for coding in value.get("coding", ()):
        yield from _of_coding(coding)


def _of_coding(value: Json) -> Iterator[Coded]:
    if "code" in value:
        yield Coded(value.get("system", ""), value["code"])


def _of_text(value: str | None) -> Iterator[Coded]:
    if value is not None:
        yield Coded("", value)


_CODINGS: Final[Mapping[str, Codings]] = {
    "CodeableConcept": _of_concept,
    "Coding": _of_coding,
    "Quantity": _of_coding,
    "Age": _of_coding,
    "Count": _of_coding,
    "Distance": _of_coding,
    "Duration": _of_coding,
    "code": _of_text,
    "uri": _of_text,
    "string": _of_text,
}
"""The codes in a value of each type that can be bound; a code alone has no system."""
_WITHOUT_SYSTEM: Final = frozenset({"code", "uri", "string"})


_ALSO: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("CapabilityStatement", "format"): frozenset({"xml", "json", "ttl"}),
}
"""Codes that the words of an element allow besides its value set."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is known of a value set."""

    value_set: ValueSet | None
    """None where it cannot be asked."""
    reason: str = ""
    """Why it cannot."""


@dataclass(slots=True)
class _Known:
    """What the quick walk knows of a value set."""

    good: set[Coded] = field(default_factory=set)
    """Codes that are in it, or of which that cannot be told."""
    untold: bool = False
    """Whether no code can be told to be wrong."""


class Bindings:
    """The bindings of one publication. Safe to use from several tasks."""

    def __init__(self, definitions: Definitions, terminology: Terminology) -> None:
        self._terminology = terminology
        self._of_structure = RequiredCodes(definitions)
        self._systems: dict[tuple[str, str], CodeSystem | None] = {}
        self._known: dict[str, _Known] = {}
        self._answers: dict[str, _Answer] = {}

    def forget(self) -> None:
        """Ask again: a value set or code system is not what it was."""
        for known in self._known.values():
            known.good.clear()
            known.untold = False
        self._answers.clear()
        self._systems.clear()

    def texts_of_type(self, type_: str, names: dict[str, Any]) -> Iterator[str]:  # noqa: ARG002 - as `Tests` has it
        """No type is bound by itself; see `walking`."""
        return iter(())

    def texts_of_element(
        self,
        within: str,  # noqa: ARG002 - as `Tests` has it
        element: Definition,
        type_: str,
        names: dict[str, Any],
    ) -> Iterator[str]:
        """What acquits of errors: that a code is known to be in the value set."""
        binding = self._binding(element, type_)
        if binding is not None and binding.strength == _REQUIRED:
            name = f"is_bound_{len(names)}"
            names[name] = _is_known(type_, self._known_of(binding.value_set or ""))
            yield f"{name}({FOCUS})"

    async def issues(self, place: Place, library: Library, *, warnings: bool) -> list[Issue]:
        """What is wrong with the codes at a place."""
        type_, value = place.element.type, place.element.value
        if value is None or type_ not in _CODINGS:
            return []
        found: list[Issue] = []
        binding = None if place.definition is None else self._binding(place.definition, type_)
        if binding is not None and (warnings or binding.strength == _REQUIRED):
            found += await self._judged(place, binding, library)
        if warnings and type_ == "Coding" and await self._has_wrong_display(value, library):
            told = f"The display is none that {_named(value['system'])} has for this code."
            at = f"{place.path}.display"
            found.append(Issue("warning", "invalid", told, (at,), "wrong-display"))
        return [each for each in found if warnings or each.severity == "error"]

    def _binding(self, element: Definition, type_: str) -> Binding | None:
        """The binding of an element that is judged here."""
        binding = element.binding
        if binding is None or binding.value_set is None or type_ not in _CODINGS:
            return None
        if binding.strength not in {_REQUIRED, _EXTENSIBLE}:
            return None
        if type_ == "code" and self._of_structure(element) is not None:
            return None
        return binding

    async def _judged(self, place: Place, binding: Binding, library: Library) -> list[Issue]:
        type_, name = place.element.type, binding.value_set or ""
        given = list(_CODINGS[type_](place.element.value))
        if not given:
            return self._without_code(place, binding)
        also = _ALSO.get((place.within, place.definition.name if place.definition else ""), ())
        if any(each.code in also for each in given):
            return []
        answer = await self._answer(name, library)
        if answer.value_set is None:
            self._known_of(name).untold = True
            return [_untold(place, name, answer.reason)]
        found = self._found(place, name, given, answer.value_set)
        if found is not None:
            return found
        if binding.strength == _REQUIRED:
            told = f"One of the codes must be of {name}; none is."
            return [_issue(place, "error", "code-invalid", told, "not-in-value-set")]
        return await self._not_met(place, name, given, answer.value_set, library)

    def _found(
        self, place: Place, name: str, given: list[Coded], value_set: ValueSet
    ) -> list[Issue] | None:
        """What to say where a code is in the value set or that cannot be told; None if none is."""
        reason = ""
        for each in given:
            try:
                if _has(value_set, each, place.element.type):
                    self._remember(name, each)
                    return []
            except _UNTOLD as error:
                reason = error.message
                self._remember(name, each)
        return [_untold(place, name, reason)] if reason else None

    def _without_code(self, place: Place, binding: Binding) -> list[Issue]:
        """A concept that is only text, or an element that is only extensions."""
        value = place.element.value
        has_content = isinstance(value, dict) and value.keys() - {"id", "extension"}
        if binding.strength != _REQUIRED or not has_content:
            return []
        told = f"It must have a code of {binding.value_set}."
        return [_issue(place, "error", "code-invalid", told, "not-in-value-set")]

    async def _not_met(
        self, place: Place, name: str, given: list[Coded], value_set: ValueSet, library: Library
    ) -> list[Issue]:
        """An extensible binding whose value set has none of the codes."""
        drawn_from = {part.system for part in value_set.parts()}
        for each in given:
            if each.system in drawn_from:
                told = (
                    f"The code is none of {name}, which has codes of the same system; where one "
                    "of them applies, it must be used."
                )
                return [_issue(place, "warning", "code-invalid", told, "not-in-extensible")]
        unknown = [
            each.system
            for each in given
            if each.system and await self._system(each.system, "", library) is None
        ]
        if not unknown:
            return []
        told = (
            f"The code system {_named(unknown[0])} is not known here, so whether a code of {name} "
            "must be used instead cannot be told."
        )
        return [_issue(place, "warning", "not-supported", told, "unknown-code-system")]

    async def _answer(self, name: str, library: Library) -> _Answer:
        known = self._answers.get(name)
        if known is None:
            try:
                known = _Answer(await self._terminology.inquiry(library).value_set(name))
            except _UNTOLD as error:
                known = _Answer(None, error.message)
            if len(self._answers) >= _MOST_SETS:
                self._answers.clear()
            self._answers[name] = known
        return known

    async def _has_wrong_display(self, coding: Json, library: Library) -> bool:
        """Whether a coding has a display that its code is known not to have."""
        system, display = coding.get("system"), coding.get("display")
        if system is None or display is None:
            return False
        source = await self._system(system, coding.get("version", ""), library)
        code = None if source is None else source.known(coding.get("code", ""))
        if source is None or code is None:
            return False
        words = list(names_of(Member(source.url, source.version, code, source, None)))
        return bool(words) and not any(same(each.value, display) for each in words)

    async def _system(self, system: str, version: str, library: Library) -> CodeSystem | None:
        """What is here of a code system; None if that is nothing."""
        asked = system, version
        if asked not in self._systems:
            if len(self._systems) >= _MOST_SYSTEMS:
                self._systems.clear()
            inquiry = self._terminology.inquiry(library)
            try:
                self._systems[asked] = await inquiry.known_code_system(system, version)
            except _UNTOLD:
                self._systems[asked] = None
        return self._systems[asked]

    def _remember(self, name: str, code: Coded) -> None:
        good = self._known_of(name).good
        if len(good) >= _MOST_KNOWN:
            good.clear()
        good.add(code)

    def _known_of(self, name: str) -> _Known:
        return self._known.setdefault(name, _Known())


def _has(value_set: ValueSet, code: Coded, type_: str) -> bool:
    """Whether records may carry a code of a value set; one of `_UNTOLD` when nobody knows."""
    systems = infer_system(code.code, value_set) if type_ in _WITHOUT_SYSTEM else [code.system]
    found = (value_set.find(system, code.code) for system in systems)
    return any(member.selectable for member in found if member is not None)


def _is_known(type_: str, known: _Known) -> Callable[[Any], bool]:
    """Whether a value has a code that is known to be in its value set, or cannot be told from."""
    codings, good = _CODINGS[type_], known.good

    def is_known(value: Any) -> bool:
        return any(known.untold or each in good for each in codings(value))

    def is_known_concept(value: Any) -> bool:
        for coding in value.get("coding", ()):
            if (coding.get("system", ""), coding.get("code")) in good:
                return True
        return known.untold and any(codings(value))

    return is_known_concept if type_ == "CodeableConcept" else is_known


def _untold(place: Place, name: str, reason: str) -> Issue:
    told = f"Whether this is a code of {name} cannot be told: {reason}"
    return _issue(place, "warning", "not-supported", told, "untold-binding")


def _named(system: str) -> str:
    """A code system, which the sender names, cut short."""
    return system if len(system) <= _LONGEST_NAME else system[:_LONGEST_NAME] + "…"


def _issue(place: Place, severity: Severity, code: str, told: str, id_: str) -> Issue:
    return Issue(severity, code, told, (place.path,), id_)
