"""Random searches whose values come from the data, so that most of them find something.

One seed always gives the same searches of the same data.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fhir_server.definitions.search_parameters import SearchParameter
from tests.support.brute_force.elements import Element
from tests.support.brute_force.evaluator import BruteForce
from tests.support.search_values import Asked, ValueGenerator

Resource = dict[str, Any]
_TRIES = 20


class SearchGenerator:
    """Makes searches over the resources of an evaluator."""

    def __init__(self, data: BruteForce, seed: int, base_url: str) -> None:
        self._data = data
        self._base_url = base_url
        self._chance = random.Random(seed)
        self._values = ValueGenerator(self._chance, base_url)
        self._by_type: dict[str, list[Resource]] = {}
        for each in data.resources:
            self._by_type.setdefault(each["resourceType"], []).append(each)
        self._filled: dict[str, list[SearchParameter]] = {}
        self._led_to: dict[tuple[str, str], list[str]] = {}

    @property
    def types(self) -> Sequence[str]:
        return sorted(self._by_type)

    def filled(self, type_: str) -> list[SearchParameter]:
        """The parameters that some resource of a type has a value for, composites too."""
        known = self._filled.get(type_)
        if known is None:
            known = self._filled[type_] = [
                each
                for each in sorted(self._data.elements.parameters(type_), key=lambda it: it.code)
                if any(self._elements(resource, each) for resource in self._by_type[type_])
            ]
        return known

    def one_for_each_parameter(self) -> Iterator[str]:
        """A search by each parameter that has values, and one by `:missing`."""
        for type_ in self.types:
            for parameter in self.filled(type_):
                yield f"{type_}?{self._criterion(type_, parameter, modifiers=False)}"
                yield f"{type_}?{self._criterion(type_, parameter, modifiers=True)}"
                missing = self._chance.choice(("true", "false"))
                yield f"{type_}?{parameter.code}:missing={missing}"

    def by_each_modifier(self, type_: str, code: str, modifiers: Sequence[str]) -> Iterator[str]:
        """A search by each of the modifiers, where the data has a value for it, else by any."""
        parameter = next((each for each in self.filled(type_) if each.code == code), None)
        values = {"missing": self._chance.choice(("true", "false"))}
        tries = _TRIES if parameter is not None else 0
        while parameter is not None and tries and not values.keys() >= set(modifiers):
            values |= dict(self._asked(type_, parameter))
            tries -= 1
        for modifier in modifiers:
            value = values.get(modifier)
            if value is not None:
                yield f"{type_}?{_pair(code, modifier, value)}"

    def several(self, number: int) -> Iterator[str]:
        """Searches that combine parameters, chains, `_has` and what shapes a result."""
        kinds: tuple[Callable[[str], str], ...] = (
            self._combined,
            self._combined,
            self._alternatives,
            self._chained,
            self._chained,
            self._reversed,
            self._reversed,
            self._sorted,
            self._including,
            self._in_compartment,
            self._common,
        )
        for _ in range(number):
            yield self._chance.choice(kinds)(self._chance.choice(self.types))

    def _combined(self, type_: str) -> str:
        count = self._chance.choice((2, 2, 3))
        return f"{type_}?" + "&".join(self._any_criterion(type_) for _ in range(count))

    def _alternatives(self, type_: str) -> str:
        parameter = self._parameter(type_)
        found = [self._plain(type_, parameter) for _ in range(self._chance.choice((2, 3)))]
        return f"{type_}?{_pair(parameter.code, '', ','.join(found))}"

    def _chained(self, type_: str) -> str:
        return f"{type_}?{self._chain(type_, self._chance.choice((1, 1, 2, 3)))}"

    def _chain(self, type_: str, depth: int) -> str:
        links = [
            (parameter.code, to)
            for parameter in self.filled(type_)
            if parameter.type == "reference"
            for to in self._types_led_to(type_, parameter)
        ]
        if not links or not depth:
            return self._any_criterion(type_)
        code, to = self._chance.choice(links)
        typed = self._chance.random() < 0.5
        return f"{code}{f':{to}' if typed else ''}.{self._chain(to, depth - 1)}"

    def _reversed(self, type_: str) -> str:
        places = [
            (other, parameter.code)
            for other in self.types
            for parameter in self.filled(other)
            if parameter.type == "reference" and type_ in self._types_led_to(other, parameter)
        ]
        if not places:
            return self._combined(type_)
        other, code = self._chance.choice(places)
        inner = self._any_criterion(other)
        if self._chance.random() < 0.3:
            inner = self._chain(other, 1)
        elif self._chance.random() < 0.2:
            inner = self._reversed(other).partition("?")[2].partition("&")[0]
        return f"{type_}?_has:{other}:{code}:{inner}"

    def _sorted(self, type_: str) -> str:
        codes = [each.code for each in self.filled(type_) if each.type in _SORTABLE]
        rules = self._chance.sample(codes, min(len(codes), self._chance.choice((1, 1, 2))))
        signed = ",".join(self._chance.choice(("", "-")) + rule for rule in rules or ["_id"])
        return f"{type_}?{self._any_criterion(type_)}&_sort={signed}"

    def _including(self, type_: str) -> str:
        forward = [
            f"_include={type_}:{parameter.code}"
            for parameter in self.filled(type_)
            if parameter.type == "reference"
        ]
        backward = [
            f"_revinclude={other}:{parameter.code}"
            for other in self.types
            for parameter in self.filled(other)
            if parameter.type == "reference" and type_ in self._types_led_to(other, parameter)
        ]
        wishes = self._chance.sample(forward, min(2, len(forward)))
        wishes += self._chance.sample(backward, min(1, len(backward)))
        return "&".join([f"{type_}?{self._any_criterion(type_)}", *wishes])

    def _in_compartment(self, type_: str) -> str:
        patients = self._by_type.get("Patient")
        compartment = self._data.definitions.compartment("Patient")
        if not patients or compartment is None or type_ not in compartment:
            return self._combined(type_)
        id_ = self._chance.choice(patients)["id"]
        return f"Patient/{id_}/{type_}?{self._any_criterion(type_)}"

    def _common(self, type_: str) -> str:
        some = self._chance.sample(self._by_type[type_], min(3, len(self._by_type[type_])))
        ids = ",".join(each["id"] for each in some)
        updated = quote(self._data.updated(some[0]))
        return self._chance.choice(
            (
                f"{type_}?_id={ids}&{self._any_criterion(type_)}",
                f"{type_}?_lastUpdated=le{updated}&{self._any_criterion(type_)}",
                f"{type_}?_lastUpdated=gt{updated}",
            )
        )

    def _any_criterion(self, type_: str) -> str:
        parameter = self._parameter(type_)
        return self._criterion(type_, parameter, modifiers=self._chance.random() < 0.4)

    def _parameter(self, type_: str) -> SearchParameter:
        return self._chance.choice(self.filled(type_))

    def _criterion(self, type_: str, parameter: SearchParameter, *, modifiers: bool) -> str:
        if modifiers:
            asked = self._chance.choice(list(self._asked(type_, parameter)))
        else:
            asked = "", self._plain(type_, parameter)
        return _pair(parameter.code, *asked)

    def _plain(self, type_: str, parameter: SearchParameter) -> str:
        asked = [value for modifier, value in self._asked(type_, parameter) if not modifier]
        return self._chance.choice(asked)

    def _asked(self, type_: str, parameter: SearchParameter) -> list[Asked]:
        """Ways to ask for what one resource has; one of them has no modifier."""
        plain = "", _ANYTHING.get(parameter.type, "none")
        elements: list[Element | list[list[Element]]] = []
        while not elements:
            resource = self._chance.choice(self._by_type[type_])
            elements = list(self._elements(resource, parameter))
        element = self._chance.choice(elements)
        if isinstance(element, Element):
            ways = self._values.ways(parameter, element)
            return ways if any(not modifier for modifier, _ in ways) else [*ways, plain]
        pieces = [
            self._part(part.parameter, each)
            for part, each in zip(parameter.components, element, strict=True)
        ]
        return [("", "$".join(pieces))]

    def _part(self, parameter: SearchParameter, elements: list[Element]) -> str:
        plain = [
            value
            for modifier, value in self._values.ways(parameter, self._chance.choice(elements))
            if not modifier and not value.endswith("|")
        ]
        return self._chance.choice(plain) if plain else _ANYTHING.get(parameter.type, "none")

    def _elements(
        self, resource: Resource, parameter: SearchParameter
    ) -> Sequence[Element | list[list[Element]]]:
        if parameter.expression is None:
            return ()
        if parameter.type == "composite":
            return [each for each in self._data.elements.tuples(resource, parameter) if all(each)]
        return self._data.elements.found(resource, parameter)

    def _types_led_to(self, type_: str, parameter: SearchParameter) -> list[str]:
        place = type_, parameter.code
        known = self._led_to.get(place)
        if known is None:
            reached = (
                to["resourceType"]
                for resource in self._by_type[type_]
                for to in self._data.targets(resource, parameter.code)
            )
            known = self._led_to[place] = sorted(set(reached))
        return known


_ANYTHING: Mapping[str, str] = {
    "date": "gt1900",
    "number": "gt0",
    "quantity": "gt0",
    "token": "true",
}
"""What to ask for when an element has no value; where nothing is said, a word."""
_SORTABLE = frozenset({"date", "string", "token", "number", "uri"})


def _pair(code: str, modifier: str, value: str) -> str:
    return f"{code}{f':{modifier}' if modifier else ''}={quote(value, safe=',:|/$')}"
