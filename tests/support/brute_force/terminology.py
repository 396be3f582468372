"""Codes by value sets and hierarchies: `:in`, `:not-in`, `:below`, `:above`.

https://hl7.org/fhir/R4/search.html#token
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fhir_server.definitions.registry import Definitions
from tests.support.brute_force.elements import Element
from tests.support.brute_force.query import Refused, split, unescape
from tests.support.brute_force.tokens import tokens

Coded = tuple[str, str]
"""System and code."""
Tree = Mapping[str, set[str]]
"""Each code of a system with those right above it."""

_MIME_TYPES = "urn:ietf:bcp:13"
_TOO_COSTLY = "http://hl7.org/fhir/StructureDefinition/valueset-toocostly"


class Terminology:
    """Reads ValueSet and CodeSystem among the resources first, then what is published."""

    def __init__(
        self, definitions: Definitions, resources: Sequence[dict[str, Any]], base_url: str
    ) -> None:
        self._definitions = definitions
        self._resources = resources
        self._base_url = base_url
        self._meanings: dict[tuple[str, str], set[Coded]] = {}

    def matches(self, modifier: str, value: str, element: Element) -> bool:
        """Whether a token is among the codes that value and modifier mean; `not-in` as `in`."""
        if modifier in {"below", "above"} and element.system == _MIME_TYPES:
            return _mime_matches(modifier, value, str(element.value))
        if not element.is_a("Coding", "CodeableConcept", "code"):
            raise Refused(f"{modifier} is for codes")
        wanted = self._meant(modifier, value, element)
        return any(
            token.code is not None
            and any(
                (token.system == system or not isinstance(token.system, str | None))
                and token.code.casefold() == code.casefold()
                for system, code in wanted
            )
            for token in tokens(element)
        )

    def require_meaning(self, modifier: str, value: str) -> None:
        """Refused when the codes that a value means are not known here."""
        if modifier in {"in", "not-in"} or ("|" in value and not value.startswith(_MIME_TYPES)):
            self._look_up(modifier, value)

    def _meant(self, modifier: str, value: str, element: Element) -> set[Coded]:
        pieces = [unescape(piece) for piece in split(value, "|")]
        if modifier not in {"in", "not-in"} and len(pieces) == 1 and element.system:
            value = f"{element.system}|{value}"
        known = self._meanings.get((modifier, value))
        if known is None:
            known = self._meanings[modifier, value] = self._look_up(modifier, value)
        return known

    def _look_up(self, modifier: str, value: str) -> set[Coded]:
        if modifier in {"in", "not-in"}:
            return self.members(unescape(value))
        pieces = [unescape(piece) for piece in split(value, "|")]
        if len(pieces) != 2 or not all(pieces):
            raise Refused(f"{value} is not system|code")
        system, code = pieces
        tree = self._tree(system)
        own = [each for each in tree if each.casefold() == code.casefold()]
        if not own:
            raise Refused(f"{system} has no {code}")
        found = _above(tree, own[0]) if modifier == "above" else _below(tree, own[0])
        return {(system, each) for each in found}

    def members(self, url: str) -> set[Coded]:
        """The codes of a value set, by its url or as `ValueSet/id`."""
        value_set = self._value_set(url)
        expansion = value_set.get("expansion") or self._definitions.expansion(url)
        if expansion and _is_whole(expansion):
            return {
                (each["system"], each["code"])
                for each in _contained(expansion)
                if "code" in each and not each.get("abstract")
            }
        compose = value_set.get("compose", {})
        codes = {each for part in compose.get("include", ()) for each in self._included(part)}
        return codes - {
            each for part in compose.get("exclude", ()) for each in self._included(part)
        }

    def _value_set(self, url: str) -> dict[str, Any]:
        plain, _, version = url.removeprefix(f"{self._base_url}/").partition("|")
        alike = [
            each
            for each in self._resources
            if each["resourceType"] == "ValueSet"
            and plain in {each.get("url"), f"ValueSet/{each['id']}"}
            and version in {"", each.get("version")}
        ]
        if alike:
            active = [each for each in alike if each["status"] == "active"]
            return (active or alike)[-1]
        published = self._definitions.by_canonical(url)
        if published is None or published["resourceType"] != "ValueSet":
            raise Refused(f"{url} is no value set")
        return published

    def _included(self, part: Mapping[str, Any]) -> set[Coded]:
        sets = [self.members(url) for url in part.get("valueSet", ())]
        if "system" in part:
            system = part["system"]
            listed = {each["code"] for each in part.get("concept", ())}
            codes = listed or self._selected(system, part.get("filter", ()))
            sets.append({(system, code) for code in codes})
        return set.intersection(*sets) if sets else set()

    def _selected(self, system: str, filters: Sequence[Mapping[str, Any]]) -> set[str]:
        """What filters leave of a system, without what is not to be selected."""
        tree = self._tree(system)
        left = {code for code, concept in self._concepts(system) if not _is_abstract(concept)}
        for each in filters:
            match each["property"], each["op"]:
                case "concept", "is-a":
                    left &= _below(tree, each["value"])
                case "concept", "descendent-of":
                    left &= _below(tree, each["value"]) - {each["value"]}
                case "concept", "is-not-a":
                    left -= _below(tree, each["value"])
                case _:
                    raise Refused(f"a filter on {system}")
        return left

    def _tree(self, system: str) -> Tree:
        concepts = list(self._concepts(system))
        tree: dict[str, set[str]] = {code: set() for code, _ in concepts}
        for code, concept in concepts:
            for nested in concept.get("concept", ()):
                tree[nested["code"]].add(code)
            for each in concept.get("property", ()):
                if each["code"] in {"parent", "subsumedBy"}:
                    tree[code].add(each["valueCode"])
                if each["code"] == "child" and each["valueCode"] in tree:
                    tree[each["valueCode"]].add(code)
        return tree

    def _concepts(self, system: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        stored = [
            each
            for each in self._resources
            if each["resourceType"] == "CodeSystem" and each.get("url") == system
        ]
        found = stored[-1] if stored else self._definitions.by_canonical(system)
        if found is None or found.get("content") != "complete":
            raise Refused(f"the codes of {system} are not here")
        ahead = list(found.get("concept", ()))
        while ahead:
            concept = ahead.pop()
            yield concept["code"], concept
            ahead += concept.get("concept", ())


def _below(tree: Tree, code: str) -> set[str]:
    return {each for each in tree if code in _above(tree, each)}


def _above(tree: Tree, code: str) -> set[str]:
    seen, ahead = {code}, [code]
    while ahead:
        new = tree.get(ahead.pop(), set()) - seen
        seen |= new
        ahead += new
    return seen


def _is_whole(expansion: Mapping[str, Any]) -> bool:
    marks = [each for each in expansion.get("extension", ()) if each["url"] == _TOO_COSTLY]
    many = sum(1 for _ in _contained(expansion))
    return not marks and not expansion.get("offset") and expansion.get("total", 0) <= many


def _is_abstract(concept: Mapping[str, Any]) -> bool:
    properties = concept.get("property", ())
    return any(each["code"] == "notSelectable" and each["valueBoolean"] for each in properties)


def _contained(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for each in part.get("contains", ()):
        yield each
        yield from _contained(each)


def _mime_matches(modifier: str, value: str, held: str) -> bool:
    """A mime type with parameters lies below the same without."""
    asked = unescape(value).removeprefix(f"{_MIME_TYPES}|").casefold()
    if "/" not in asked or "|" in asked:
        raise Refused(f"{value} is no mime type")
    lower, upper = (asked, held.casefold()) if modifier == "above" else (held.casefold(), asked)
    return lower == upper or lower.partition(";")[0].rstrip() == upper
