"""Hierarchies: references to a resource and to those above or below it; canonicals by version.

https://hl7.org/fhir/R4/search.html#recursive, https://hl7.org/fhir/R4/search.html#versions

    location:below=42          Location/42, or what is part of it, or part of that, and so on
    encounter:above=21         Encounter/21, or what it is part of, and so on
    definition:below=url|1     the canonical in version 1, 1.0, 1.1.3; without a version in any

Level after level is asked for, by keys alone. What was met already is not followed again, so that
going in circles ends; how many there may be is limited as it is for joins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fhir_server.errors import TooCostly
from fhir_server.fhir.primitives import is_id
from fhir_server.fhir.reference import Elsewhere, Local, parse
from fhir_server.search import keys
from fhir_server.search.bound import Bound
from fhir_server.search.criterion import Criterion, Rank, any_of
from fhir_server.search.joining import Joining, Stage
from fhir_server.search.referring import goes_by_url, targets_of
from fhir_server.search.resolving import Deferred, Finder
from fhir_server.search.values import reference
from fhir_server.search.values.escapes import unescape, wrong
from fhir_server.search.values.forms import Form, key_is
from fhir_server.storage.query import KeyIn, Test

HIERARCHIES: Final[Mapping[str, str]] = {
    "CarePlan": "part-of",
    "DeviceDefinition": "parent",
    "Encounter": "part-of",
    "Location": "partof",
    "MedicationStatement": "part-of",
    "Organization": "partof",
    "Procedure": "part-of",
    "ResearchStudy": "partof",
    "Specimen": "parent",
    "Task": "part-of",
}
"""Types whose resources are part of others of the type, and the parameter that says of which."""
MOST_LEVELS: Final = 100


def have_above(bound: Bound) -> bool:
    """Whether a reference may lead into a hierarchy; a canonical never does."""
    types = bound.places[0].types
    return (not types or "Reference" in types) and any(
        type_ in HIERARCHIES for type_ in targets_of(bound, HIERARCHIES)
    )


def have_below(bound: Bound) -> bool:
    """Whether a reference may lead into a hierarchy, or to a version of a canonical."""
    return goes_by_url(bound) or have_above(bound)


def above(bound: Bound, values: tuple[str, ...], joining: Joining) -> Deferred:
    """The criterion of `:above`."""
    return _deferred("above", bound, values, joining)


def below(bound: Bound, values: tuple[str, ...], joining: Joining) -> Criterion | Deferred:
    """The criterion of `:below`."""
    if have_above(bound):
        return _deferred("below", bound, values, joining)
    tests = _versions(bound, values, joining)
    return Criterion(f"{bound.code}:below", any_of(tests), bound.rank)


def _versions(bound: Bound, values: Sequence[str], joining: Joining) -> list[Test]:
    """Tests of canonicals, each in its version or one below that."""
    base_url = joining.context.base_url
    return [
        reference.test_below(place, value, base_url) for value in values for place in bound.places
    ]


@dataclass(frozen=True, slots=True)
class _Hierarchy:
    """How to go from level to level among the resources of one type."""

    type: str
    parent: Bound
    stage: Stage
    """To be narrowed to the resources of a level."""

    async def step(self, forms: Sequence[Form], finder: Finder, *, upward: bool) -> list[Form]:
        """The level above or below those that have these forms."""
        own = keys.itself(self.type)
        tests = [key_is(place.indexed, forms) for place in self.parent.places]
        groups = keys.group(self.type), reference.URL
        within: list[KeyIn]
        if upward:
            tests = [key_is(own, forms)]
            within = [
                keys.of_group(at.indexed, each) for at in self.parent.places for each in groups
            ]
        else:
            within = [keys.of_group(own, keys.group(self.type))]
        criterion = Criterion(self.parent.code, any_of(tests), Rank.REFERENCE)
        found = await replace(self.stage, criteria=(criterion,)).keys(finder, within)
        return [key[keys.PREFIX_BYTES :] for key in found]

    async def reached(self, forms: Sequence[Form], finder: Finder, *, upward: bool) -> set[Form]:
        """The forms themselves and all above or below them."""
        seen, level = set(forms), list(forms)
        for _ in range(MOST_LEVELS):
            further = await self.step(level, finder, upward=upward)
            level = [form for form in dict.fromkeys(further) if form not in seen]
            if not level:
                return seen
            seen.update(level)
            if len(seen) > self.stage.most:
                raise TooCostly(
                    f"{self.stage.asked}: more than {self.stage.most} {self.type} are "
                    f"{'above' if upward else 'below'}; ask further down."
                )
        raise TooCostly(f"{self.stage.asked}: {self.type} goes on for over {MOST_LEVELS} levels.")


def _deferred(modifier: str, bound: Bound, values: tuple[str, ...], joining: Joining) -> Deferred:
    name = f"{bound.code}:{modifier}"
    asked = f"{name}={','.join(values)}"
    seeds: dict[str, list[Form]] = {}
    plain: list[Test] = []
    for value in values:
        if modifier == "below" and _is_canonical(bound, value, joining):
            plain += _versions(bound, [value], joining)
            continue
        for type_, forms in _seeds(bound, value, modifier, joining):
            seeds.setdefault(type_, []).extend(forms)
    walks = [(_hierarchy(type_, asked, joining), forms) for type_, forms in seeds.items()]

    async def resolve(finder: Finder) -> Criterion:
        forms: set[Form] = set()
        for hierarchy, own in walks:
            forms |= await hierarchy.reached(own, finder, upward=modifier == "above")
        listed = sorted(forms)
        tests = [key_is(place.indexed, listed) for place in bound.places] if listed else []
        return Criterion(name, any_of([*tests, *plain]), bound.rank)

    return Deferred(name, resolve)


def _is_canonical(bound: Bound, value: str, joining: Joining) -> bool:
    found = parse(unescape(value), joining.context.base_url)
    return goes_by_url(bound) and isinstance(found, Elsewhere)


def _hierarchy(type_: str, asked: str, joining: Joining) -> _Hierarchy:
    parent = joining.binding.bound(type_, HIERARCHIES[type_])
    return _Hierarchy(type_, parent, joining.stage_of(type_, (), asked))


def _seeds(
    bound: Bound, value: str, modifier: str, joining: Joining
) -> list[tuple[str, Sequence[Form]]]:
    """What a value names, by type: an id alone may be of any type that has a hierarchy."""
    place, base_url = bound.places[0], joining.context.base_url
    types = [type_ for type_ in targets_of(bound, HIERARCHIES) if type_ in HIERARCHIES]
    text = unescape(value)
    match parse(text, base_url):
        case Local(type=named) | Elsewhere(type=str() as named) if not is_id(text):
            if named not in types:
                advice = f"{named} has no :{modifier}; {' or '.join(types)} may have one"
                raise wrong(place, value, advice)
            types = [named]
    return [
        (type_, reference.forms_searched(replace(place, targets=(type_,)), value, base_url))
        for type_ in types
    ]
