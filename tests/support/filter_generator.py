"""Random searches by `_filter`, whose values come from the data as those of other searches do.

https://hl7.org/fhir/R4/search_filter.html
"""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

from fhir_server.definitions.search_parameters import SearchParameter
from tests.support.brute_force import strings
from tests.support.search_generator import SearchGenerator

_ORDER = ("eq", "ne", "gt", "ge", "lt", "le")
_RANGES = (*_ORDER, "sa", "eb", "ap")
_OPERATORS = {
    "composite": ("eq", "ne"),
    "date": (*_RANGES, "co", "po"),
    "number": (*_RANGES, "co"),
    "quantity": _RANGES,
    "reference": ("re", "eq", "ne"),
    "string": (*_ORDER, "co", "sw", "ew"),
    "token": ("eq", "ne"),
    "uri": ("eq", "ne"),
}
_OF_MODIFIERS = {"in": "in", "not-in": "ni", "below": "ss", "above": "sb"}
_SYSTEMS = {"http://loinc.org|": "loinc|", "http://snomed.info/sct|": "snomed|"}
_PREFIX = re.compile(r"(?:eq|ne|gt|ge|lt|le|sa|eb|ap)(?=[-+.\d])")
_PLAIN = re.compile(r'[^\s()\[\]"]+')
_MOST_TEXT = 64
_ESCAPED = re.compile(r"\\([\\,|$])")


class FilterGenerator(SearchGenerator):
    """Makes filters over the resources of an evaluator."""

    def each_operator(self) -> Iterator[str]:
        """A filter by each operator of each parameter that has values."""
        for type_ in self.types:
            for parameter in self._searched(type_):
                for operator in _OPERATORS[parameter.type]:
                    yield _url(type_, self._compared(type_, parameter, operator))

    def filters(self, number: int) -> Iterator[str]:
        """Filters of every shape, now and then beside another parameter."""
        for _ in range(number):
            type_ = self._chance.choice(self.types)
            beside = f"&{self._any_criterion(type_)}" if self._chance.random() < 0.2 else ""
            yield _url(type_, self._filter(type_, self._chance.choice((1, 2, 3)))) + beside

    def _filter(self, type_: str, depth: int) -> str:
        if depth == 0 or self._chance.random() < 0.2:
            return self._test(type_, 2)
        kind = self._chance.choice(("and", "or", "or", "not", "(", "chain"))
        if kind == "chain":
            return self._test(type_, depth)
        if kind == "not":
            return f"not ({self._filter(type_, depth - 1)})"
        if kind == "(":
            return f"({self._filter(type_, depth - 1)})"
        left, right = (self._filter(type_, depth - 1) for _ in range(2))
        return f"{left} {kind} {right}"

    def _test(self, type_: str, depth: int) -> str:
        """A test of a parameter, of what a reference leads to, or of what refers here."""
        chance = self._chance.random()
        if depth and chance < 0.25 and (links := self._links(type_)):
            code, to = self._chance.choice(links)
            inside = f"[{self._filter(to, 1)}]" if self._chance.random() < 0.5 else ""
            return f"{code}:{to}{inside}.{self._test(to, depth - 1)}"
        if depth and chance < 0.4 and (places := self._places(type_)):
            other, code = self._chance.choice(places)
            return f"_has:{other}:{code}:{self._test(other, depth - 1)}"
        parameter = self._chance.choice(self._searched(type_))
        operator = self._chance.choice((*_OPERATORS[parameter.type], "pr"))
        return self._compared(type_, parameter, operator)

    def _compared(self, type_: str, parameter: SearchParameter, operator: str) -> str:
        if operator == "pr":
            return f"{parameter.code} pr {self._chance.choice(('true', 'false'))}"
        asked = self._asked(type_, parameter)
        if parameter.type == "token" and self._chance.random() < 0.3:
            by_modifier = [each for each in asked if each[0] in _OF_MODIFIERS]
            if by_modifier:
                modifier, value = self._chance.choice(by_modifier)
                return f"{parameter.code} {_OF_MODIFIERS[modifier]} {self._written(value)}"
        value = self._chance.choice([value for modifier, value in asked if not modifier])
        if parameter.type in {"date", "number", "quantity"}:
            value = _PREFIX.sub("", value)
        if operator == "co" and parameter.type == "number":
            value = value.partition("|")[0]
        if parameter.type == "string":
            value = self._text(_ESCAPED.sub(r"\1", value), operator)
        return f"{parameter.code} {operator} {self._written(value)}"

    def _text(self, text: str, operator: str) -> str:
        """A text as it is, or for `co` and `ew` a part of it."""
        if operator not in {"co", "ew"}:
            return text
        part = text[self._chance.randrange(len(text)) :][-_MOST_TEXT:]
        return part if strings.fold(part) else text[-_MOST_TEXT:]

    def _written(self, value: str) -> str:
        for system, word in _SYSTEMS.items():
            if self._chance.random() < 0.5:
                value = value.replace(system, word)
        if _PLAIN.fullmatch(value) and self._chance.random() < 0.6:
            return value
        return json.dumps(value, ensure_ascii=self._chance.random() < 0.5)

    def _searched(self, type_: str) -> list[SearchParameter]:
        return [
            each for each in self.filled(type_) if each.type in _OPERATORS and each.code != "_id"
        ]

    def _links(self, type_: str) -> list[tuple[str, str]]:
        """References that lead somewhere, and the types they lead to."""
        return [
            (parameter.code, to)
            for parameter in self.filled(type_)
            if parameter.type == "reference"
            for to in self._types_led_to(type_, parameter)
        ]

    def _places(self, type_: str) -> list[tuple[str, str]]:
        """Types and references of theirs that lead here."""
        return [
            (other, code) for other in self.types for code, to in self._links(other) if to == type_
        ]


def _url(type_: str, filter_: str) -> str:
    return f"{type_}?_filter={quote(filter_, safe='')}"
