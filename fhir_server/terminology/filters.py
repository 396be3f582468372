"""Filters: the rules by which a value set takes codes of one system.

https://hl7.org/fhir/R4/valueset-filter-operator.html

A filter is a test of one code, so that membership never needs the list of all codes. Regular
expressions are matched in linear time, whatever pattern they are.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from fhir_server.errors import BadRequest, NotLoaded
from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.regular_expressions import matcher
from fhir_server.terminology.code_system import CodeSystem
from fhir_server.terminology.reading import text
from fhir_server.terminology.rules import RuleSystem

Test = Callable[[str], bool]
"""Whether a code of the system is one of those."""
_CONCEPT: Final = frozenset({"concept", "code"})
"""Names of the code itself, as against its properties."""


def test_of(rule: Mapping[str, Any], system: CodeSystem) -> Test:
    """The test that a filter is; BadRequest or NotLoaded says what of it cannot be followed."""
    property_, operator, value = (text(rule, name) for name in ("property", "op", "value"))
    if property_ and operator and not value:
        raise BadRequest(
            f"A filter of codes of {system.url} by {property_} {operator} has no value."
        )
    if isinstance(system, RuleSystem):
        ruled = system.by_rule(property_, operator, value)
        if ruled is not None:
            return ruled
    if property_ in _CONCEPT and operator in _OF_CONCEPT and system.listable:
        return _of_concept(operator, value, system)
    known = property_ in _CONCEPT or (system.listable and system.has_property(property_))
    make = _OF_PROPERTY.get(operator)
    if not known or make is None:
        raise NotLoaded(
            f"Codes of {system.url} are chosen by {property_} {operator} {value}, which cannot be "
            f"followed: the operators are {', '.join(sorted({*_OF_CONCEPT, *_OF_PROPERTY}))}, and "
            "the property must be one of the code system's own."
        )
    test = make(value)
    if property_ in _CONCEPT:
        return lambda code: test((code,))
    return lambda code: test(system.values(code, property_))


def _of_concept(operator: str, value: str, system: CodeSystem) -> Test:
    if system.known(value) is None:
        raise NotLoaded(f"{system.url} has no code {value}, by which codes are chosen.")
    return _OF_CONCEPT[operator](system, system.known(value) or value)


def _below(system: CodeSystem, code: str) -> Test:
    found = system.below(code)
    return lambda each: each in found


def _under(system: CodeSystem, code: str) -> Test:
    found = system.below(code) - {code}
    return lambda each: each in found


def _elsewhere(system: CodeSystem, code: str) -> Test:
    found = system.below(code)
    return lambda each: each not in found


def _above(system: CodeSystem, code: str) -> Test:
    found = system.above(code)
    return lambda each: each in found


def _right_under(system: CodeSystem, code: str) -> Test:
    found = frozenset(system.down.get(code, ()))
    return lambda each: each in found


def _last_under(system: CodeSystem, code: str) -> Test:
    found = {each for each in system.below(code) - {code} if not system.down.get(each)}
    return lambda each: each in found


_OF_CONCEPT: Final[Mapping[str, Callable[[CodeSystem, str], Test]]] = {
    "is-a": _below,
    "descendent-of": _under,
    "is-not-a": _elsewhere,
    "generalizes": _above,
    "child-of": _right_under,
    "descendent-leaf": _last_under,
}
"""By place in the hierarchy; the last two are of R5, and written by tools for R4 too."""

_Values = Callable[[Iterable[str]], bool]


def _equal(value: str) -> _Values:
    return lambda values: value in values


def _in(value: str) -> _Values:
    wanted = frozenset(each.strip() for each in value.split(","))
    return lambda values: not wanted.isdisjoint(values)


def _not_in(value: str) -> _Values:
    unwanted = frozenset(each.strip() for each in value.split(","))
    return unwanted.isdisjoint


def _exists(value: str) -> _Values:
    wanted = value == "true"
    return lambda values: bool(tuple(values)) is wanted


def _pattern(value: str) -> _Values:
    try:
        match = matcher(value, whole=True)
    except Unfit as error:
        raise BadRequest(f"Codes are chosen by the pattern {value[:80]!r}: {error}.") from None
    return lambda values: any(map(match, values))


_OF_PROPERTY: Final[Mapping[str, Callable[[str], _Values]]] = {
    "=": _equal,
    "in": _in,
    "not-in": _not_in,
    "exists": _exists,
    "regex": _pattern,
}
"""By the values of a property, all as texts."""
