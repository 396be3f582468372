"""Values to search by, read off one element: what finds it, and what is near to it."""

import random
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from fhir_server.definitions.search_parameters import SearchParameter
from tests.support.brute_force import references, strings, tokens
from tests.support.brute_force.elements import Element

Asked = tuple[str, str]
"""A modifier, which may be empty, and a value."""

_PREFIXES = ("", "", "eq", "ne", "gt", "ge", "lt", "le", "sa", "eb", "ap")
_HIERARCHIES = frozenset({"Encounter", "Location", "Organization", "Procedure"})
"""Types whose resources may be part of one another."""
_VALUE_SETS = (
    "http://hl7.org/fhir/ValueSet/administrative-gender",
    "http://hl7.org/fhir/ValueSet/observation-status",
    "http://hl7.org/fhir/ValueSet/encounter-status",
)


def escaped(text: str) -> str:
    """A text as a value says it."""
    return re.sub(r"([\\,|$])", r"\\\1", text)


class ValueGenerator:
    """Makes values; one chance always gives the same."""

    def __init__(self, chance: random.Random, base_url: str) -> None:
        self._chance = chance
        self._base_url = base_url

    def ways(self, parameter: SearchParameter, element: Element) -> list[Asked]:
        """Ways to ask for what one element says."""
        if parameter.code == "_id":
            return [("", element.value), ("not", element.value)]
        match parameter.type:
            case "string":
                return list(self._strings(element))
            case "token":
                return list(self._tokens(element))
            case "date":
                return list(self._dates(element))
            case "number":
                return list(self._numbers(element.value))
            case "quantity":
                return list(self._quantities(element))
            case "reference":
                return list(self._references(parameter, element))
            case "uri":
                return list(self._uris(element))
            case "special":
                return list(self._positions(element))
        raise AssertionError(parameter.type)

    def _strings(self, element: Element) -> Iterator[Asked]:
        texts = strings.texts(element)
        if not texts:
            return
        text = self._chance.choice(texts)[:100]
        if not strings.fold(text):
            return
        cut = text[: self._chance.randint(1, len(text))]
        change = self._chance.choice((str.upper, str.lower, strings.fold, str))
        if strings.fold(cut):
            yield "", escaped(change(cut))
        yield "", escaped(change(text))
        yield "exact", escaped(self._chance.choice((text, text, cut, text.swapcase())))
        start = self._chance.randrange(len(text))
        inner = text[start : start + self._chance.randint(2, 12)]
        if strings.fold(inner):
            yield "contains", escaped(change(inner))

    def _tokens(self, element: Element) -> Iterator[Asked]:
        for token in tokens.tokens(element):
            system = token.system if isinstance(token.system, str) else ""
            if token.code is not None:
                code = escaped(token.code)
                if not element.is_a("boolean"):
                    yield "", self._chance.choice((code.upper(), code.lower(), code))
                    yield "", f"|{code}"
                    yield "", f"{escaped(system)}|{code}"
                yield "", code
                yield "not", self._chance.choice((code, f"{escaped(system)}|{code}"))
                if system and element.is_a("CodeableConcept", "Coding"):
                    yield "below", f"{escaped(system)}|{code}"
                    yield "above", f"{escaped(system)}|{code}"
            if system and not element.is_a("boolean"):
                yield "", f"{escaped(system)}|"
        yield from self._token_texts(element)

    def _token_texts(self, element: Element) -> Iterator[Asked]:
        if element.is_a("code"):
            yield self._chance.choice(("in", "not-in")), self._chance.choice(_VALUE_SETS)
        for text in tokens.displays(element):
            yield "text", escaped(text[: self._chance.randint(1, len(text))])
        if element.is_a("Identifier") and element.value.get("value"):
            for coding in element.value.get("type", {}).get("coding", ()):
                pieces = coding.get("system"), coding.get("code"), element.value["value"]
                if all(pieces):
                    yield "of-type", "|".join(map(escaped, pieces))

    def _dates(self, element: Element) -> Iterator[Asked]:
        texts = re.findall(r"\d{4}-\d\d(?:-\d\d)?[^\"']*", str(element.value))
        if not texts:
            return
        text = self._chance.choice(texts)
        cut = self._chance.choice((4, 7, 10, len(text), len(text)))
        year = int(text[:4]) + self._chance.choice((0, 0, 0, 1, -1))
        moved = f"{year:04}{text[4:]}" if text[5:10] != "02-29" else text
        yield "", self._chance.choice(_PREFIXES) + moved[:cut]
        yield "", self._chance.choice(_PREFIXES) + text[:cut]

    def _numbers(self, value: Any) -> Iterator[Asked]:
        if isinstance(value, Mapping):
            value = (value.get("low") or value.get("high") or {}).get("value")
        if not isinstance(value, int | Decimal):
            return
        number = Decimal(value)
        if self._chance.random() < 0.4:
            number = number.quantize(Decimal(self._chance.choice(("1", "0.1", "0.01"))))
        if self._chance.random() < 0.3:
            number += self._chance.choice((1, -1))
        yield "", f"{self._chance.choice(_PREFIXES)}{number:f}"

    def _quantities(self, element: Element) -> Iterator[Asked]:
        quantity = element.value
        if element.is_a("Range"):
            quantity = quantity.get("low") or quantity.get("high") or {}
        if element.is_a("SampledData"):
            quantity = quantity.get("origin", {})
        for _, number in self._numbers(quantity.get("value")):
            system, code = quantity.get("system"), quantity.get("code")
            yield "", number
            for unit in {code, quantity.get("unit"), quantity.get("currency")} - {None}:
                yield "", f"{number}||{escaped(unit)}"
            if system and code:
                yield "", f"{number}|{escaped(system)}|{escaped(code)}"

    def _references(self, parameter: SearchParameter, element: Element) -> Iterator[Asked]:
        match references.target(element, self._base_url):
            case references.Local(type_, id_):
                if type_ in parameter.targets:
                    yield "", id_
                    yield type_, self._chance.choice((id_, f"{type_}/{id_}"))
                    if type_ in _HIERARCHIES:
                        yield self._chance.choice(("above", "below")), f"{type_}/{id_}"
                yield "", f"{type_}/{id_}"
                yield "", f"{self._base_url}/{type_}/{id_}"
            case references.Remote(url, version):
                yield "", escaped(url)
                if version:
                    yield "", escaped(url) + "|" + escaped(version)
        identifier = element.value.get("identifier") if isinstance(element.value, dict) else None
        if identifier and "value" in identifier and "resourceType" not in element.value:
            value = escaped(identifier["value"])
            yield "identifier", value
            yield "identifier", escaped(identifier.get("system", "")) + f"|{value}"

    def _uris(self, element: Element) -> Iterator[Asked]:
        uri = element.value
        yield "", escaped(uri)
        if re.match("https?://", uri):
            yield "below", escaped(uri.rpartition("/")[0])
            yield "above", escaped(f"{uri}/more")

    def _positions(self, element: Element) -> Iterator[Asked]:
        latitude, longitude = element.value["latitude"], element.value["longitude"]
        distance = self._chance.choice((1, 10, 100, 1000))
        yield "", f"{latitude}|{longitude}|{distance}|km"
