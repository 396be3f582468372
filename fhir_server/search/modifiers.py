"""Modifiers: what `:missing`, `:exact` and their like make of a parameter.

https://hl7.org/fhir/R4/search.html#modifiers

A modifier is a line in MODIFIERS: the search types it is for, and the criterion it makes, which
may have to ask first (`concepts.py`, `hierarchies.py`). A reference also takes the name of a type
it may point to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from fhir_server.search import concepts, hierarchies
from fhir_server.search.bound import Bound
from fhir_server.search.clause import Clause, refusal
from fhir_server.search.criterion import Criterion, Rank, any_of
from fhir_server.search.joining import Joining
from fhir_server.search.resolving import Deferred
from fhir_server.search.values import reference, string, token, uri
from fhir_server.search.values.parameter import Parameter
from fhir_server.search.values.table import VALUES
from fhir_server.storage.query import Not, Test

Make = Callable[[Bound, tuple[str, ...], Joining], Criterion | Deferred]
"""The criterion that one of the values holds in the modifier's sense."""


@dataclass(frozen=True, slots=True)
class Modifier:
    types: frozenset[str]
    """Search types it may follow."""
    make: Make
    possible: Callable[[Bound], bool] = lambda _: True
    """Whether it makes sense for this very parameter."""


def criterion_of(bound: Bound, clause: Clause, joining: Joining) -> Criterion | Deferred:
    """The criterion of a clause without a chain; UnknownParameter for a modifier it cannot take."""
    name = clause.modifier
    if name is None:
        return bound.criterion(clause.values, joining.context)
    if name in bound.targets:
        return _of_type(bound, name).criterion(clause.values, joining.context)
    modifier = MODIFIERS.get(name)
    if modifier is None or not takes(bound, modifier):
        raise refusal(clause, [f":{each}" for each in modifiers_of(bound)])
    return modifier.make(bound, clause.values, joining)


def modifiers_of(bound: Bound) -> list[str]:
    """Names of the modifiers a parameter takes, without the types of a reference."""
    return [name for name, each in MODIFIERS.items() if takes(bound, each)]


def takes(bound: Bound, modifier: Modifier) -> bool:
    return bound.type in modifier.types and modifier.possible(bound)


def _of_type(bound: Bound, type_: str) -> Bound:
    """The same parameter, with references to one type only."""
    places = tuple(replace(place, targets=(type_,)) for place in bound.places)
    return replace(bound, places=places, target=type_)


def _missing(bound: Bound, values: tuple[str, ...], _: Joining) -> Criterion:
    return bound.missing(values)


def _not(bound: Bound, values: tuple[str, ...], joining: Joining) -> Criterion:
    """What has none of the values, and so what has no value at all."""
    found = bound.criterion(values, joining.context)
    return Criterion(f"{bound.code}:not", Not(found.test), Rank.CATEGORY)


def _by(name: str, rank: Rank, test: Callable[[Parameter, str], Test]) -> Make:
    """The criterion whose values are each tested so, at every place the parameter looks."""

    def make(bound: Bound, values: tuple[str, ...], _: Joining) -> Criterion:
        tests = [test(place, value) for value in values for place in bound.places]
        return Criterion(f"{bound.code}:{name}", any_of(tests), rank)

    return make


def _line(
    name: str, type_: str, rank: Rank, test: Callable[[Parameter, str], Test], *of: str
) -> tuple[str, Modifier]:
    """A modifier of one search type; `of` names the FHIR types one of which it must look at."""
    wanted = frozenset(of)

    def possible(bound: Bound) -> bool:
        types = bound.places[0].types
        return not wanted or not types or bool(types & wanted)

    return name, Modifier(frozenset({type_}), _by(name, rank, test), possible)


def _by_type(name: str, **lines: Modifier) -> tuple[str, Modifier]:
    """A modifier that means something else for each search type."""
    return name, Modifier(
        frozenset(lines),
        lambda bound, values, joining: lines[bound.type].make(bound, values, joining),
        lambda bound: lines[bound.type].possible(bound),
    )


def _coded(make: Make) -> Modifier:
    """A modifier of tokens that are codes of a system."""
    return Modifier(frozenset({"token"}), make, concepts.are_coded)


_REFERENCE: Final = frozenset({"reference"})
_TEXTS: Final = ("Coding", "CodeableConcept", "Identifier")

MODIFIERS: Final[Mapping[str, Modifier]] = dict(
    (
        ("missing", Modifier(frozenset(VALUES), _missing)),
        ("not", Modifier(frozenset({"token"}), _not)),
        _line("exact", "string", Rank.STRING, string.test_exact),
        _line("contains", "string", Rank.ANYWHERE, string.test_contains),
        _line("text", "token", Rank.STRING, token.test_text, *_TEXTS),
        _line("of-type", "token", Rank.IDENTIFIER, token.test_of_type, "Identifier"),
        _line("identifier", "reference", Rank.IDENTIFIER, reference.test_identifier, "Reference"),
        ("in", _coded(concepts.members)),
        ("not-in", _coded(concepts.others)),
        _by_type(
            "below",
            token=_coded(concepts.below),
            reference=Modifier(_REFERENCE, hierarchies.below, hierarchies.have_below),
            uri=_line("below", "uri", Rank.STRING, uri.test_below)[1],
        ),
        _by_type(
            "above",
            token=_coded(concepts.above),
            reference=Modifier(_REFERENCE, hierarchies.above, hierarchies.have_above),
            uri=_line("above", "uri", Rank.URI, uri.test_above)[1],
        ),
    )
)
