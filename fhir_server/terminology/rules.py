"""Code systems whose codes follow a rule, or are published only within value sets.

https://hl7.org/fhir/R4/terminologies-systems.html

    urn:ietf:bcp:13             media types, by their grammar and their top-level types
    urn:ietf:bcp:47             languages: what is well formed as such
    http://unitsofmeasure.org   UCUM, by its grammar and its units
    urn:iso:std:iso:4217        currencies, as R4 lists them
    urn:iso:std:iso:3166        countries: the codes of two letters that R4 lists, no others

The first three have more codes than can be listed: their value sets are asked, never expanded.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fhir_server.fhir.ucum import unit
from fhir_server.terminology.code_system import CodeSystem, read_code_system
from fhir_server.terminology.reading import objects, one, text

_LONGEST: Final = 255
_MEDIA_TYPE: Final = re.compile(
    r"(application|audio|font|haptics|image|message|model|multipart|text|video)"
    r"/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
    r"(\s*;\s*[a-z0-9!#$&^_.+-]+=([a-z0-9!#$%&'*^_`|~.+-]+|\"[^\"\\]*\"))*",
    re.IGNORECASE,
)
"""https://www.rfc-editor.org/rfc/rfc6838#section-4.2"""
_LANGUAGE: Final = re.compile(
    r"([a-z]{2,3}(-[a-z]{3}){0,3}|[a-z]{4,8})"  # language, with extensions of it
    r"(-[a-z]{4})?"  # script
    r"(-([a-z]{2}|[0-9]{3}))?"  # region
    r"(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"  # variants
    r"(-[a-wyz0-9](-[a-z0-9]{2,8})+)*"  # extensions
    r"(-x(-[a-z0-9]{1,8})+)?"  # private use
    r"|x(-[a-z0-9]{1,8})+",
    re.IGNORECASE,
)
"""https://www.rfc-editor.org/rfc/rfc5646#section-2.1"""

Rule = Callable[[str], bool]


@dataclass(frozen=True)
class RuleSystem(CodeSystem):
    """A code system that has every code that passes a rule."""

    rule: Rule = bool
    same: Callable[[str, str], bool] | None = None
    """Whether two codes come to the same when they are written canonically."""

    @property
    def listable(self) -> bool:
        return False

    def known(self, code: str) -> str | None:
        return code if len(code) <= _LONGEST and self.rule(code) else None

    def by_rule(self, property_: str, operator: str, value: str) -> Rule | None:
        """The test that a filter is; None when the rule says nothing of it."""
        same = self.same
        if same is None or operator != "=" or property_ != "canonical":
            return None
        return lambda code: same(code, value)


def _same_unit(code: str, value: str) -> bool:
    """Whether two units are of one kind, so that one can be converted to the other."""
    one_, other = unit(code), unit(value)
    return one_ is not None and other is not None and one_.powers == other.powers


def _is_whole(pattern: re.Pattern[str]) -> Rule:
    return lambda code: pattern.fullmatch(code) is not None


def _ruled(url: str, name: str, rule: Rule, version: str, **further: Any) -> RuleSystem:
    resource = {"resourceType": "CodeSystem", "url": url, "name": name, "content": "complete"}
    nothing: Mapping[str, Any] = {}
    none = frozenset[str]()
    return RuleSystem(
        resource,
        url,
        version,
        "complete",
        nothing,
        none,
        none,
        nothing,
        nothing,
        rule=rule,
        **further,
    )


_RULED: Final[Mapping[str, Callable[[str], RuleSystem]]] = {
    "urn:ietf:bcp:13": lambda version: _ruled(
        "urn:ietf:bcp:13", "MediaTypes", _is_whole(_MEDIA_TYPE), version
    ),
    "urn:ietf:bcp:47": lambda version: _ruled(
        "urn:ietf:bcp:47", "Languages", _is_whole(_LANGUAGE), version
    ),
    "http://unitsofmeasure.org": lambda version: _ruled(
        "http://unitsofmeasure.org",
        "UCUM",
        lambda code: unit(code) is not None,
        version,
        same=_same_unit,
    ),
}
_LISTED: Final[Mapping[str, tuple[str, str, str]]] = {
    "urn:iso:std:iso:4217": ("http://hl7.org/fhir/ValueSet/currencies", "Currencies", "complete"),
    "urn:iso:std:iso:3166": ("http://hl7.org/fhir/ValueSet/iso3166-1-2", "Countries", "fragment"),
}
"""The value set that lists the codes of a system, its name, and how much of it that is."""

Publication = Callable[[str], Mapping[str, Any] | None]
"""Finds what R4 publishes under a canonical."""


def known_by_rule(
    url: str, version: str, value_set: Publication, expansion: Publication
) -> CodeSystem | None:
    """A code system of this page; None for others. Its version is whatever version is asked for."""
    make = _RULED.get(url)
    if make is not None:
        return make(version)
    if url not in _LISTED:
        return None
    canonical, name, content = _LISTED[url]
    entries = _entries(url, value_set(canonical) or {}, expansion(canonical) or {})
    concepts = [
        {member: each[member] for member in ("code", "display") if member in each}
        for each in entries
    ]
    return read_code_system(
        {
            "resourceType": "CodeSystem",
            "url": url,
            "name": name,
            "version": version,
            "content": content,
            "concept": concepts,
        }
    )


def _entries(
    url: str, value_set: Mapping[str, Any], expansion: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]]:
    includes = objects(one(value_set, "compose"), "include")
    listed = [each for part in includes for each in objects(part, "concept")]
    return listed or [
        each for each in objects(expansion, "contains") if text(each, "system") == url
    ]
