"""Compose: the rules by which a value set takes codes, followed until all codes are known.

https://hl7.org/fhir/R4/valueset.html#compositions

    include    codes listed, or all of a system, or those that its filters leave;
               of several sets in one include what is in each of them
    exclude    the same, taken away at the end

What cannot be followed to the last code is refused by name.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final, Protocol

from fhir_server.errors import NotLoaded
from fhir_server.terminology.code_system import CodeSystem
from fhir_server.terminology.expansion import Coded
from fhir_server.terminology.reading import objects, text, texts

Codes = frozenset[Coded]


class Definitions(Protocol):
    """What rules refer to; NotLoaded says in a sentence what of it is not here."""

    async def code_system(self, url: str, version: str) -> CodeSystem:
        """All codes of a code system."""
        ...

    async def known_code_system(self, url: str) -> CodeSystem | None:
        """What is here of a code system; None if that is nothing."""
        ...

    async def members(self, canonical: str) -> Codes:
        """All codes of a value set."""
        ...


async def composed(compose: Mapping[str, Any], definitions: Definitions) -> Codes:
    """All codes that the rules select."""
    active_only = compose.get("inactive") is False
    taken: set[Coded] = set()
    for part in objects(compose, "include"):
        taken |= await _selected(part, definitions, active_only=active_only)
    for part in objects(compose, "exclude") if taken else ():
        taken -= await _selected(part, definitions, active_only=False)
    return frozenset(taken)


async def _selected(
    part: Mapping[str, Any], definitions: Definitions, *, active_only: bool
) -> Codes:
    """What one include or exclude is about."""
    sets = [await definitions.members(canonical) for canonical in texts(part, "valueSet")]
    system = text(part, "system")
    if system:
        codes = await _of_system(part, system, definitions)
        if active_only:
            known = await definitions.known_code_system(system)
            codes -= known.inactive if known is not None else frozenset()
        sets.append(frozenset(Coded(system, code) for code in codes))
    return reduce(frozenset.intersection, sets) if sets else frozenset()


async def _of_system(
    part: Mapping[str, Any], system: str, definitions: Definitions
) -> frozenset[str]:
    if "concept" in part:
        return frozenset(filter(None, (text(each, "code") for each in objects(part, "concept"))))
    found = await definitions.code_system(system, text(part, "version"))
    codes = frozenset(found.up) - found.abstract
    for each in objects(part, "filter"):
        codes = _filtered(codes, each, found)
    return codes


def _filtered(codes: frozenset[str], rule: Mapping[str, Any], system: CodeSystem) -> frozenset[str]:
    """The codes that a filter leaves."""
    property_, operator, value = (text(rule, name) for name in ("property", "op", "value"))
    operation = _OPERATIONS.get(operator)
    if property_ not in {"concept", "code"} or operation is None:
        raise NotLoaded(
            f"Codes of {system.url} are chosen by {property_} {operator} {value}, and only "
            f"{', '.join(_OPERATIONS)} of a concept can be followed."
        )
    if value not in system.up:
        raise NotLoaded(f"{system.url} has no code {value}, by which codes are chosen.")
    return operation(codes, system, value)


_OPERATIONS: Final[Mapping[str, Callable[[frozenset[str], CodeSystem, str], frozenset[str]]]] = {
    "=": lambda codes, _, code: codes & {code},
    "is-a": lambda codes, system, code: codes & system.below(code),
    "descendent-of": lambda codes, system, code: codes & system.below(code) - {code},
    "is-not-a": lambda codes, system, code: codes - system.below(code),
    "generalizes": lambda codes, system, code: codes & system.above(code),
}
"""https://hl7.org/fhir/R4/valueset-filter-operator.html"""


def implied(canonical: str) -> Mapping[str, Any] | None:
    """The rules of a value set that needs no resource; None when the url is not of such a one.

    https://hl7.org/fhir/R4/snomedct.html#implicit
    """
    system, mark, asked = canonical.partition("?fhir_vs")
    if not mark or (asked and not asked.startswith("=")):
        return None
    kind, _, code = asked[1:].partition("/")
    if not kind:
        return {"include": [{"system": system}]}
    if kind != "isa" or not code:
        return None
    rule = {"property": "concept", "op": "is-a", "value": code}
    return {"include": [{"system": system, "filter": [rule]}]}
