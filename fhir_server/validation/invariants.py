"""Invariants: the constraints of the base specification.

https://hl7.org/fhir/R4/conformance-rules.html#constraints

A constraint holds when its expression is true. Most are told to hold from plain JSON
(`fhirpath.acquitting`); only where that says nothing is the expression evaluated, and only then
can it be broken. Each is compiled when a resource first has the element it is about.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from fhir_server.definitions.constraints import Constraint, load_constraints
from fhir_server.definitions.elements import Element as Definition
from fhir_server.definitions.elements import ElementTable
from fhir_server.fhir.outcome import Issue, Severity
from fhir_server.fhirpath import Environment, Expression, compile  # noqa: A004 - its name
from fhir_server.fhirpath.acquitting import Acquittal, acquittal, tell
from fhir_server.fhirpath.certain import NEVER
from fhir_server.fhirpath.errors import FhirPathEvaluationError, FhirPathTooCostly
from fhir_server.validation.corrections import correction
from fhir_server.validation.places import Place

_ERROR: Final = "error"


class Rule:
    """A constraint of values of one type."""

    def __init__(self, constraint: Constraint, type_: str, table: ElementTable) -> None:
        corrected = correction(constraint.key, constraint.expression)
        self.constraint = constraint
        self.text = constraint.expression if corrected is None else corrected.expression
        self._type = type_
        self._table = table

    def acquittal(self, names: dict[str, Any]) -> str | None:
        """The Python that tells that it surely holds; see `acquitting`."""
        return acquittal(self.text, self._type, self._table, names)

    @cached_property
    def acquits(self) -> Acquittal | None:
        """What tells that it surely holds."""
        names: dict[str, Any] = {}
        text = self.acquittal(names)
        return None if text is None else tell(text, names)

    @cached_property
    def expression(self) -> Expression:
        return compile(self.text, self._table)

    def issue(self, place: Place, environment: Environment) -> Issue | None:
        """What is wrong at a place, by this constraint."""
        value, acquits = place.element.value, self.acquits
        if acquits is not None and value is not None and acquits(value, place.outermost.value):
            return None
        return self.evaluated(place, environment)

    def evaluated(self, place: Place, environment: Environment) -> Issue | None:
        """The same, by its expression alone."""
        try:
            holds = self.expression.holds(
                place.element,
                environment,
                resource=place.resource,
                root_resource=place.outermost,
            )
        except FhirPathTooCostly:
            return self._issue(place, "error", "too-costly", " It takes too long to check.")
        except FhirPathEvaluationError:
            holds = False
        if holds is True:
            return None
        severity: Severity = "error" if self.constraint.severity == _ERROR else "warning"
        return self._issue(place, severity, "invariant", "")

    def _issue(self, place: Place, severity: Severity, code: str, more: str) -> Issue:
        sentence = f"{_sentence(self.constraint.human)} ({self.constraint.key}){more}"
        return Issue(severity, code, sentence, (place.path,), self.constraint.key)


class Invariants:
    """All constraints of one publication. Safe to use from several threads."""

    def __init__(self, table: ElementTable) -> None:
        self._table = table
        self._rules: dict[tuple[str, str], tuple[Rule, ...]] = {}

    @cached_property
    def _constraints(self) -> Mapping[str, tuple[Constraint, ...]]:
        return load_constraints()

    def of_type(self, type_: str) -> tuple[Rule, ...]:
        """The rules of every value of a type."""
        return self._of(type_, type_)

    def of_element(self, within: str, element: Definition, type_: str) -> tuple[Rule, ...]:
        """The further rules of values of one type where they stand as an element of another."""
        path = f"{within}.{element.name}"
        own = () if path in self._table.types and path == type_ else self._of(path, type_)
        profiles = element.profiles if type_ == "Quantity" else ()
        return own + tuple(rule for each in profiles for rule in self._profile(each, type_))

    def texts_of_type(self, type_: str, names: dict[str, Any]) -> Iterator[str]:
        """What acquits of errors; see `walking`."""
        return _texts(self.of_type(type_), names)

    def texts_of_element(
        self, within: str, element: Definition, type_: str, names: dict[str, Any]
    ) -> Iterator[str]:
        return _texts(self.of_element(within, element, type_), names)

    def issues(self, place: Place, environment: Environment, *, warnings: bool) -> Iterator[Issue]:
        """What is wrong at a place, itself alone."""
        for rule in self.at(place):
            if warnings or rule.constraint.severity == _ERROR:
                issue = rule.issue(place, environment)
                if issue is not None:
                    yield issue

    def at(self, place: Place) -> tuple[Rule, ...]:
        """The rules of a place."""
        type_ = place.element.type
        if place.definition is None:
            return self.of_type(type_)
        return self.of_type(type_) + self.of_element(place.within, place.definition, type_)

    def _profile(self, canonical: str, type_: str) -> Iterator[Rule]:
        known = {rule.constraint for rule in self.of_type(type_)}
        return (each for each in self._of(canonical, type_) if each.constraint not in known)

    def _of(self, place: str, type_: str) -> tuple[Rule, ...]:
        known = self._rules.get((place, type_))
        if known is None:
            constraints = self._constraints.get(place, ())
            known = tuple(Rule(each, type_, self._table) for each in constraints)
            self._rules[place, type_] = known
        return known


def _texts(rules: Iterable[Rule], names: dict[str, Any]) -> Iterator[str]:
    for rule in rules:
        if rule.constraint.severity == _ERROR:
            yield rule.acquittal(names) or NEVER


def _sentence(human: str) -> str:
    """The specification's words as a sentence."""
    text = " ".join(human.split())
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."
