"""References above and below others: what is part of what, and versions of canonicals.

https://hl7.org/fhir/R4/search.html#recursive and https://hl7.org/fhir/R4/search.html#versions
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fhir_server.definitions.search_parameters import SearchParameter
from tests.support.brute_force import references
from tests.support.brute_force.elements import Element
from tests.support.brute_force.query import Refused, unescape
from tests.support.brute_force.references import Local, Remote

_PARENTS = {
    "CarePlan": "partOf",
    "DeviceDefinition": "parentDevice",
    "Encounter": "partOf",
    "Location": "partOf",
    "MedicationStatement": "partOf",
    "Organization": "partOf",
    "Procedure": "partOf",
    "ResearchStudy": "partOf",
    "Specimen": "parent",
    "Task": "partOf",
}
"""The element that makes a resource a part of another of its type."""

Place = Local | Remote


class Hierarchies:
    def __init__(self, by_place: Mapping[str, dict[str, Any]], base_url: str) -> None:
        self._by_place = by_place
        self._base_url = base_url

    def matches(
        self, modifier: str, value: str, parameter: SearchParameter, found: Iterable[Element]
    ) -> bool:
        """Whether one of the references found is the value, or lies above or below it."""
        elements = list(found)
        if modifier == "below" and any(_in_version(unescape(value), each) for each in elements):
            return True
        elements = [each for each in elements if each.is_a("Reference")]
        if not elements:
            return False
        wanted = set[Place]()
        for type_ in [each for each in parameter.targets if each in _PARENTS]:
            for asked in self._asked(value, type_, parameter):
                wanted |= self._reached(modifier, asked, type_)
        if not wanted:
            raise Refused(f"{value} is in no hierarchy")
        return any(references.target(each, self._base_url) in wanted for each in elements)

    def _asked(self, value: str, type_: str, parameter: SearchParameter) -> Iterator[Place]:
        bare = f"{type_}/{value}" if "/" not in value and ":" not in value else value
        place = references.target(Element({"reference": bare}, ("Reference",)), self._base_url)
        if isinstance(place, Local) and place.type != type_:
            if place.type not in _PARENTS or place.type not in parameter.targets:
                raise Refused(f"{place.type} has no hierarchy")
            return
        if place is None:
            raise Refused(f"{value} is no reference")
        yield place

    def _reached(self, modifier: str, asked: Place, type_: str) -> set[Place]:
        """Goes round and round until nothing is added."""
        seen = {asked}
        while True:
            added = {
                upper if modifier == "above" else lower
                for lower, upper in self._links(type_)
                if (lower if modifier == "above" else upper) in seen
            } - seen
            if not added:
                return seen
            seen |= added

    def _links(self, type_: str) -> Iterator[tuple[Place, Place]]:
        """Each resource of a type and what it is a part of."""
        for resource in self._by_place.values():
            if resource["resourceType"] != type_:
                continue
            parents = resource.get(_PARENTS[type_], ())
            for parent in parents if isinstance(parents, list) else [parents]:
                to = references.target(Element(parent, ("Reference",)), self._base_url)
                if isinstance(to, Remote) or (isinstance(to, Local) and to.type == type_):
                    yield Local(type_, resource["id"]), to


def _in_version(asked: str, element: Element) -> bool:
    """`url` in any version, `url|1` in version 1 or 1.2 or 1.2.3."""
    if not isinstance(element.value, str):
        return False
    url, _, version = element.value.partition("|")
    wanted_url, _, wanted = asked.partition("|")
    in_version = not wanted or version == wanted or version.startswith(f"{wanted}.")
    return url.partition("#")[0] == wanted_url and in_version
