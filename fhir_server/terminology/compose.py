"""Compose: the rules by which a value set takes codes, made ready to be asked.

https://hl7.org/fhir/R4/valueset.html#compositions

    include    codes listed, or all of a system, or those that its filters leave;
               of several sets in one include what is in each of them
    exclude    the same, taken away at the end

What the rules refer to is looked for here, and what is not found is refused by name.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from fhir_server.errors import NoDefinition, NotLoaded, TooCostly
from fhir_server.terminology.code_system import CodeSystem
from fhir_server.terminology.filters import test_of
from fhir_server.terminology.reading import objects, text, texts
from fhir_server.terminology.value_set import Part, ValueSet

MOST_WAYS: Final = 2_000
"""How many parts of value sets within one another may be asked for one code."""


class Definitions(Protocol):
    """What rules refer to; NotLoaded says in a sentence what of it is not here."""

    async def code_system(self, url: str, version: str) -> CodeSystem:
        """All codes of a code system."""
        ...

    async def known_code_system(self, url: str, version: str) -> CodeSystem | None:
        """What is here of a code system; None if that is nothing."""
        ...

    async def value_set(self, canonical: str) -> ValueSet:
        """A value set, ready to be asked."""
        ...

    @property
    def trusts_lists(self) -> bool:
        """Whether a code that is listed counts, even where its code system does not know it."""
        ...

    async def version(self, system: str, stated: str) -> str:
        """The version to look for, where a value set states one or none."""
        ...


async def composed(
    name: str, resource: Mapping[str, Any], compose: Mapping[str, Any], definitions: Definitions
) -> ValueSet:
    """The value set of these rules."""
    active_only = compose.get("inactive") is False
    includes = [
        await _part(each, definitions, known=active_only) for each in objects(compose, "include")
    ]
    excludes = [await _part(each, definitions, known=False) for each in objects(compose, "exclude")]
    parts = [*_each_once(includes), *_each_once(excludes)]
    ways = sum(1 + sum(each.ways for each in part.sets) for part in parts)
    if ways > MOST_WAYS:
        raise TooCostly(
            f"The value set {name} includes others that include one another in too many ways: "
            f"{MOST_WAYS} are followed."
        )
    return ValueSet(
        name,
        resource,
        _each_once(includes),
        _each_once(excludes),
        active_only=active_only,
        ways=ways,
    )


def _each_once(parts: Iterable[Part]) -> Sequence[Part]:
    """The parts without those that only name the same value sets again."""
    found: dict[object, Part] = {}
    for part in parts:
        named = (id(part),) if part.system else tuple(id(each) for each in part.sets)
        found.setdefault(named, part)
    return list(found.values())


async def _part(part: Mapping[str, Any], definitions: Definitions, *, known: bool) -> Part:
    """What one include or exclude is about; `known`: what is known of listed codes matters."""
    sets = [await definitions.value_set(canonical) for canonical in texts(part, "valueSet")]
    system = text(part, "system")
    if not system:
        return Part("", sets=sets)
    stated = await definitions.version(system, text(part, "version"))
    if "concept" in part:
        if definitions.trusts_lists and not known:
            return Part(system, stated, None, _listed(part), sets=sets, trusted=True)
        return await _listing(part, system, stated, sets, definitions)
    return await _rule(part, system, stated, sets, definitions)


async def _listing(
    part: Mapping[str, Any],
    system: str,
    stated: str,
    sets: Sequence[ValueSet],
    definitions: Definitions,
) -> Part:
    missing = None
    source = await definitions.known_code_system(system, stated)
    if source is None:
        what = f"version {stated} of the code system {system}" if stated else system
        missing = NoDefinition(f"No codes of {what} are loaded here.")
    trusted, listed = definitions.trusts_lists, _listed(part)
    return Part(system, stated, source, listed, sets=sets, missing=missing, trusted=trusted)


def _listed(part: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """What a part says of each code that it lists."""
    return {text(each, "code"): each for each in objects(part, "concept") if text(each, "code")}


async def _rule(
    part: Mapping[str, Any],
    system: str,
    stated: str,
    sets: Sequence[ValueSet],
    definitions: Definitions,
) -> Part:
    rules = objects(part, "filter")
    try:
        source = await definitions.code_system(system, stated)
    except NotLoaded as error:
        return Part(system, stated, sets=sets, missing=error)
    return Part(system, stated, source, tests=[test_of(each, source) for each in rules], sets=sets)


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
