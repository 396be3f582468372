"""Codes by value sets and hierarchies: `:in`, `:not-in`, `:below`, `:above`.

https://hl7.org/fhir/R4/search.html#token
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from fhir_server.definitions.registry import Definitions
from tests.support.brute_force.elements import Element
from tests.support.brute_force.query import Refused, split, unescape
from tests.support.brute_force.tokens import tokens

Coded = tuple[str, str]
"""System and code."""


class Terminology:
    """Reads ValueSet and CodeSystem among the resources first, then what is published."""

    def __init__(self, definitions: Definitions, resources: Sequence[dict[str, Any]]) -> None:
        self._definitions = definitions
        self._resources = resources

    def matches(self, modifier: str, value: str, element: Element) -> bool:
        """Whether a token is among the codes that value and modifier mean; `not-in` as `in`."""
        wanted = self._meant(modifier, value)
        return any(
            token.code is not None
            and any(
                (token.system == system or not isinstance(token.system, str | None))
                and token.code.casefold() == code.casefold()
                for system, code in wanted
            )
            for token in tokens(element)
        )

    def _meant(self, modifier: str, value: str) -> set[Coded]:
        if modifier in {"in", "not-in"}:
            return self.members(unescape(value))
        pieces = [unescape(piece) for piece in split(value, "|")]
        if len(pieces) != 2 or not all(pieces):
            raise Refused(f"{value} is not system|code")
        system, code = pieces
        trees = dict(self._trees(system))
        if modifier == "above":
            return {(system, each) for each in (code, *trees.get(code, ()))}
        return {(system, code)} | {(system, each) for each, up in trees.items() if code in up}

    def members(self, url: str) -> set[Coded]:
        """The codes of a value set, by its url or as `ValueSet/id`."""
        value_set = self._value_set(url)
        expansion = value_set.get("expansion") or self._definitions.expansion(url)
        if expansion:
            return {(each["system"], each["code"]) for each in _contained(expansion)}
        compose = value_set.get("compose", {})
        codes = {each for part in compose.get("include", ()) for each in self._included(part)}
        return codes - {
            each for part in compose.get("exclude", ()) for each in self._included(part)
        }

    def _value_set(self, url: str) -> dict[str, Any]:
        for each in self._resources:
            names = {each.get("url"), f"ValueSet/{each['id']}"}
            if each["resourceType"] == "ValueSet" and url in names:
                return each
        published = self._definitions.by_canonical(url)
        if published is None:
            raise Refused(f"{url} is no value set")
        return published

    def _included(self, part: Mapping[str, Any]) -> set[Coded]:
        sets = [self.members(url) for url in part.get("valueSet", ())]
        if "system" in part:
            system = part["system"]
            if "filter" in part:
                raise NotImplementedError(f"a filter on {system}")
            listed = [each["code"] for each in part.get("concept", ())]
            codes = listed or [code for code, _ in self._trees(system)]
            sets.append({(system, code) for code in codes})
        return set.intersection(*sets) if sets else set()

    def _trees(self, system: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each code of a system with those above it."""
        own = (each for each in self._code_systems if each.get("url") == system)
        found = next(own, None) or self._definitions.by_canonical(system)
        return _walk(found.get("concept", ()), ()) if found else iter(())

    @cached_property
    def _code_systems(self) -> list[dict[str, Any]]:
        return [each for each in self._resources if each["resourceType"] == "CodeSystem"]


def _contained(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for each in part.get("contains", ()):
        if "code" in each and not each.get("abstract"):
            yield each
        yield from _contained(each)


def _walk(
    concepts: Sequence[Mapping[str, Any]], above: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for concept in concepts:
        yield concept["code"], above
        yield from _walk(concept.get("concept", ()), (*above, concept["code"]))
