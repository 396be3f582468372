"""Modifiers: what `:missing`, `:exact` and their like make of a parameter.

https://hl7.org/fhir/R4/search.html#modifiers

A modifier is a line in MODIFIERS: the search types it is for, and the criterion it makes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from fhir_server.errors import UnknownParameter
from fhir_server.search.bound import Bound
from fhir_server.search.clause import Clause
from fhir_server.search.planning import Criterion
from fhir_server.search.values.parameter import Context
from fhir_server.search.values.table import VALUES

Make = Callable[[Bound, tuple[str, ...], Context], Criterion]
"""The criterion that one of the values holds in the modifier's sense."""


@dataclass(frozen=True, slots=True)
class Modifier:
    types: frozenset[str]
    """Search types it may follow."""
    make: Make
    possible: Callable[[Bound], bool] = lambda _: True
    """Whether it makes sense for this very parameter."""


def criterion_of(bound: Bound, clause: Clause, context: Context) -> Criterion:
    """The criterion of a clause without a chain; UnknownParameter for a modifier it cannot take."""
    if clause.modifier is None:
        return bound.criterion(clause.values, context)
    modifier = MODIFIERS.get(clause.modifier)
    if modifier is None or not takes(bound, modifier):
        raise refusal(clause, [name for name, each in MODIFIERS.items() if takes(bound, each)])
    return modifier.make(bound, clause.values, context)


def takes(bound: Bound, modifier: Modifier) -> bool:
    return bound.type in modifier.types and modifier.possible(bound)


def refusal(clause: Clause, allowed: list[str]) -> UnknownParameter:
    names = " or ".join(f":{name}" for name in allowed)
    return UnknownParameter(
        f"Not supported: {clause.shown}. {clause.name} takes {names or 'no modifier'}."
    )


def _missing(bound: Bound, values: tuple[str, ...], _: Context) -> Criterion:
    return bound.missing(values)


MODIFIERS: Final[Mapping[str, Modifier]] = {
    "missing": Modifier(frozenset(VALUES), _missing, lambda bound: bound.tells_missing),
}
