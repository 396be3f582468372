"""Search by looking at every resource: the slow and obvious way that the index is compared with.

https://hl7.org/fhir/R4/search.html

It shares with the server what the specification publishes (definitions of types, parameters and
compartments) and the FHIRPath parser; nothing of `fhir_server.search`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fhir_server.definitions.registry import Definitions
from fhir_server.definitions.search_parameters import SearchParameter
from tests.support.brute_force import (
    contained,
    filters,
    full_text,
    including,
    references,
    sorting,
)
from tests.support.brute_force.dates import Clock
from tests.support.brute_force.dates import matches as date_matches
from tests.support.brute_force.elements import Element, Elements
from tests.support.brute_force.hierarchies import Hierarchies
from tests.support.brute_force.query import (
    Chain,
    Criterion,
    Has,
    Name,
    Plain,
    Query,
    Refused,
    parse,
    split,
    unescape,
)
from tests.support.brute_force.terminology import Terminology
from tests.support.brute_force.values import World, element_matches, is_present, tuple_matches

Resource = dict[str, Any]

_EVERYWHERE = frozenset({"_id", "_lastUpdated", "_list", "_type", "_filter", "_text", "_content"})
_NEGATIONS = frozenset({"not", "not-in"})
_KILOMETRES = {"km": 1.0, "m": 0.001, "[mi_us]": 1.609347219, "[mi_i]": 1.609344, "mi": 1.609344}
_EARTH = 6371.0088


class BruteForce:
    """Answers any search over resources that are held as they are, each with an id."""

    def __init__(
        self,
        resources: Iterable[Resource],
        definitions: Definitions,
        *,
        base_url: str = "",
        clock: Clock | None = None,
        elements: Elements | None = None,
        updated: Mapping[str, str] | None = None,
    ) -> None:
        """`updated` has the instant of the last change by `Type/id`."""
        self.resources = list(resources)
        self.definitions = definitions
        self.elements = elements or Elements(definitions)
        self._updated = updated or {}
        self.by_place = {_place(each): each for each in self.resources}
        terminology = Terminology(definitions, self.resources, base_url)
        self._world = World(base_url, terminology, clock or Clock())
        self._hierarchies = Hierarchies(self.by_place, base_url)

    def matches(self, url: str) -> list[str]:
        """`Type/id` of all matches, sorted as asked for; Refused for what is wrong."""
        query = parse(url)
        for each in query.criteria if query.type else ():
            self._require_meaning(query.type, each.name, each.values)
        if dict(query.controls).get("_contained", "false") != "false":
            return contained.matches(query, self.resources, self._is_match)
        found = [each for each in self.resources if self._is_match(each, query)]
        return [_place(each) for each in sorting.sort(found, query.controls, self)]

    def included(self, url: str) -> set[str]:
        """`Type/id` of what the matches bring with them, without the matches."""
        query = parse(url)
        found = [each for each in self.resources if self._is_match(each, query)]
        return including.included(found, query.controls, self)

    def updated(self, resource: Resource) -> str:
        """When a resource was changed last."""
        place = _place(resource)
        return self._updated.get(place) or str(resource["meta"]["lastUpdated"])

    def parameter(self, type_: str, code: str) -> SearchParameter:
        found = self.elements.parameter(type_, code)
        if found is None:
            raise Refused(f"{type_} has no parameter {code}")
        return found

    @property
    def world(self) -> World:
        """What is known beside the resources."""
        return self._world

    def knows(self, resource: Resource, code: str) -> bool:
        """Whether the type of a resource has a parameter."""
        known = self.elements.parameter(resource["resourceType"], code) is not None
        return known or code in _EVERYWHERE

    def targets(self, resource: Resource, code: str) -> list[Resource]:
        """Resources, of those that are here, that a reference parameter leads to."""
        parameter = self.parameter(resource["resourceType"], code)
        if parameter.type != "reference":
            raise Refused(f"{code} is no reference")
        found = []
        for element in self.elements.found(resource, parameter):
            to = references.target(element, self._world.base_url)
            if isinstance(to, references.Local):
                found.append(self.by_place.get(f"{to.type}/{to.id}"))
        return [each for each in found if each is not None]

    def holds(self, resource: Resource, criterion: Criterion) -> bool:
        """Whether a resource meets one criterion."""
        name = criterion.name
        match name:
            case Has(type_, reference, rest):
                inner = replace(criterion, name=rest)
                return any(
                    self.holds(each, inner)
                    for each in self.resources
                    if each["resourceType"] == type_
                    and any(to is resource for to in self.targets(each, reference))
                )
            case Chain(code, type_, rest):
                inner = replace(criterion, name=rest)
                return any(
                    self.holds(each, inner)
                    for each in self.targets(resource, code)
                    if type_ in {"", each["resourceType"]} and self._knows(each, rest)
                )
            case Plain("_id", ""):
                return resource["id"] in map(unescape, criterion.values)
            case Plain("_type", ""):
                return resource["resourceType"] in map(unescape, criterion.values)
            case Plain("_filter", ""):
                return filters.holds(filters.read(criterion.values[0]), resource, self)
            case Plain("_list", ""):
                return any(self._is_listed(resource, id_) for id_ in criterion.values)
            case Plain("_id", "missing"):
                return _is_absent(criterion)
            case Plain("_text" | "_content" as code, ""):
                words = full_text.WORDS[code](resource)
                return any(full_text.holds(unescape(value), words) for value in criterion.values)
            case Plain("_lastUpdated", modifier):
                return self._was_updated(resource, modifier, criterion)
        return self._meets(resource, name, criterion.values)

    def _was_updated(self, resource: Resource, modifier: str, criterion: Criterion) -> bool:
        if modifier == "missing":
            return _is_absent(criterion)
        if modifier:
            raise Refused("_lastUpdated takes no other modifier")
        updated = Element(self.updated(resource), ("instant",))
        clock = self._world.clock
        return any(date_matches(value, updated, clock) for value in criterion.values)

    def _is_match(self, resource: Resource, query: Query) -> bool:
        if query.type and resource["resourceType"] != query.type:
            return False
        if query.compartment and not self._is_member(resource, *query.compartment):
            return False
        return all(self.holds(resource, each) for each in query.criteria)

    def _require_meaning(self, type_: str, name: Name, values: Sequence[str]) -> None:
        """Refused when what a value means cannot be told, even if nobody is asked for it."""
        match name:
            case Has(of, _, rest):
                self._require_meaning(of, rest, values)
            case Chain(code, of, rest):
                parameter = self.elements.parameter(type_, code)
                targets = [of] if of else parameter.targets if parameter else ()
                for each in targets:
                    if self._knows({"resourceType": each}, rest):
                        self._require_meaning(each, rest, values)
            case Plain("_filter", ""):
                for modifier, value in filters.comparisons(filters.read(values[0])):
                    self._world.terminology.require_meaning(modifier, value)
            case Plain(code, "in" | "not-in" | "below" | "above" as modifier):
                parameter = self.elements.parameter(type_, code)
                if parameter is not None and parameter.type == "token":
                    for value in values:
                        self._world.terminology.require_meaning(modifier, value)

    def _is_member(self, resource: Resource, of: str, id_: str) -> bool:
        compartment = self.definitions.compartment(of)
        if compartment is None:
            raise Refused(f"{of} has no compartment")
        if _place(resource) == f"{of}/{id_}":
            return True
        codes = compartment.parameters.get(resource["resourceType"], ())
        return any(
            references.target(element, self._world.base_url) == references.Local(of, id_)
            for code in codes
            for element in self.elements.found(
                resource, self.parameter(resource["resourceType"], code)
            )
        )

    def _is_listed(self, resource: Resource, id_: str) -> bool:
        listing = self.by_place.get(f"List/{id_}", {})
        return any(
            references.target(Element(entry["item"], ("Reference",)), self._world.base_url)
            == references.Local(resource["resourceType"], resource["id"])
            for entry in listing.get("entry", ())
            if not entry.get("deleted")
        )

    def _knows(self, resource: Resource, name: Name) -> bool:
        """Whether the type of a resource has the parameter that a chain goes on with."""
        return isinstance(name, Has) or self.knows(resource, name.name)

    def _meets(self, resource: Resource, name: Plain, values: Sequence[str]) -> bool:
        parameter = self.parameter(resource["resourceType"], name.name)
        if name.modifier == "missing":
            if tuple(values) not in {("true",), ("false",)}:
                raise Refused(f"{name.name}:missing is true or false")
            return self.is_missing(resource, parameter) is (values[0] == "true")
        found = any(self._finds(resource, parameter, name.modifier, value) for value in values)
        return found is not (name.modifier in _NEGATIONS)

    def _finds(
        self, resource: Resource, parameter: SearchParameter, modifier: str, value: str
    ) -> bool:
        if parameter.type == "composite":
            if modifier:
                raise Refused(f"{parameter.code} takes no modifier")
            tuples = self.elements.tuples(resource, parameter)
            return any(tuple_matches(parameter, value, each, self._world) for each in tuples)
        found = self.elements.found(resource, parameter)
        if parameter.type == "reference" and modifier in {"above", "below"}:
            return self._hierarchies.matches(modifier, value, parameter, found)
        if parameter.type == "special":
            return any(_is_near(value, each.value) for each in found if _is_place(each.value))
        return any(element_matches(parameter, modifier, value, each, self._world) for each in found)

    def is_missing(self, resource: Resource, parameter: SearchParameter) -> bool:
        """Whether a resource has nothing that a parameter could find."""
        if parameter.type != "composite":
            found = self.elements.found(resource, parameter)
            if parameter.type == "special":
                return not any(_is_place(each.value) for each in found)
            return not any(is_present(parameter.type, each, self._world) for each in found)
        kinds = [part.parameter.type for part in parameter.components]
        return not any(
            all(
                any(is_present(kind, each, self._world) for each in elements)
                for kind, elements in zip(kinds, parts, strict=True)
            )
            for parts in self.elements.tuples(resource, parameter)
        )


def _place(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _is_place(position: Mapping[str, Any]) -> bool:
    """Whether a position is one on the Earth."""
    latitude, longitude = position.get("latitude"), position.get("longitude")
    if latitude is None or longitude is None:
        return False
    return abs(float(latitude)) <= 90 and abs(float(longitude)) <= 180


def _is_near(value: str, position: Mapping[str, Any]) -> bool:
    """`latitude|longitude|distance|units`; https://hl7.org/fhir/R4/location.html#positional."""
    latitude, longitude, *rest = split(value, "|")
    distance = float(rest[0]) if rest and rest[0] else 50.0
    unit = _KILOMETRES[rest[1] if len(rest) > 1 and rest[0] and rest[1] else "km"]
    here = math.radians(float(latitude)), math.radians(float(longitude))
    there = math.radians(float(position["latitude"])), math.radians(float(position["longitude"]))
    half = math.sin((there[0] - here[0]) / 2) ** 2
    half += math.cos(here[0]) * math.cos(there[0]) * math.sin((there[1] - here[1]) / 2) ** 2
    return 2 * _EARTH * math.asin(min(1.0, math.sqrt(half))) <= distance * unit


def _is_absent(criterion: Criterion) -> bool:
    """`:missing` of what every resource has."""
    if tuple(criterion.values) not in {("true",), ("false",)}:
        raise Refused(":missing is true or false")
    return criterion.values == ("false",)
