"""An inquiry: one question to the terminology, with what was found out on the way.

What is stored on the server comes before what is published with R4, so that a newer value set can
be loaded. An expansion that is whole is taken as it is; else the rules are followed (`compose.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from fhir_server.errors import Circular, NoDefinition, NotLoaded, TooCostly
from fhir_server.fhir import json_format
from fhir_server.terminology.code_system import CodeSystem
from fhir_server.terminology.compose import composed, implied
from fhir_server.terminology.expansion import Written, written_out
from fhir_server.terminology.library import Held, Library
from fhir_server.terminology.reading import objects, one, refusing, text
from fhir_server.terminology.value_set import Part, ValueSet
from fhir_server.terminology.versions import VersionRules, age, is_open, matches

MOST_NESTED: Final = 20
"""How deep value sets may include one another."""
MOST_SETS: Final = 200
"""How many value sets one may include in all."""
_SUPPLEMENT: Final = "http://hl7.org/fhir/StructureDefinition/valueset-supplement"
_NO_CODES: Final[Mapping[str, str]] = {
    "example": "Only examples of its codes are here.",
    "fragment": "Only a part of its codes is here.",
    "not-present": "Its codes are not loaded.",
    "supplement": "It adds to the codes of another and has none of its own.",
}
"""Why a code system cannot be asked, by its content."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a question wants its definitions chosen."""

    versions: VersionRules = field(default_factory=VersionRules)
    carried: tuple[str, str] = ("", "")
    """A code system, and the version of it that a code names; taken where no other is fixed."""
    value_set_versions: Mapping[str, str] = field(default_factory=dict)
    """The versions of value sets where none is named, by their urls."""
    supplements: tuple[str, ...] = ()
    """Canonicals of what is to be added to code systems."""
    fragments: bool = False
    """Whether a part of a code system will do."""
    trusts_lists: bool = True
    """Whether a code that a value set lists counts, even where its code system does not know it.

    A search finds what was recorded, be it right or wrong; who validates wants to know.
    """


class Known(Protocol):
    """What is kept for all inquiries."""

    def published(self, type_: str, canonical: str) -> dict[str, Any] | None:
        """What R4 publishes under a canonical, if that is of the type."""
        ...

    def published_expansion(self, canonical: str) -> Written | None:
        """What R4 publishes of a value set's codes; None when that is not all of them."""
        ...

    def published_system(self, canonical: str) -> CodeSystem | None:
        """A code system as R4 publishes it, or one that is known by rule; None if neither."""
        ...

    def held_system(self, held: Held) -> CodeSystem:
        """A stored code system."""
        ...


class Inquiry:
    """One question, with what was found out on the way to its answer."""

    def __init__(self, known: Known, library: Library, wishes: Wishes | None = None) -> None:
        self._stock = known
        self._library = library
        self.wishes = wishes or Wishes()
        self._known: dict[str, ValueSet] = {}
        self._systems: dict[tuple[str, str], CodeSystem | None] = {}
        self._supplements = list(self.wishes.supplements)
        self._contained: dict[str, Mapping[str, Any]] = {}
        """Value sets within those that were read, by the references to them."""
        self._within: list[str] = []
        """The value sets that are being read, each for the sake of the one before."""

    def again(self, carried: tuple[str, str]) -> "Inquiry":
        """The same question for another code, which carries this version of its code system."""
        other = Inquiry(self._stock, self._library, replace(self.wishes, carried=carried))
        other._systems = self._systems
        return other

    async def value_set(self, canonical: str) -> ValueSet:
        """The value set named by `url` or `url|version`; NotLoaded says what is not here."""
        known = self._known.get(canonical)
        if known is not None:
            return known
        self._require_end(canonical)
        self._within.append(canonical)
        found = self._known[canonical] = await self._named(canonical)
        self._within.pop()
        return found

    async def value_set_by_id(self, id_: str) -> ValueSet:
        """The ValueSet that is stored under an id, or published under it."""
        name = f"ValueSet/{id_}"
        held = await self._library.by_id("ValueSet", id_)
        if held is None:
            raise NoDefinition(f"There is no {name} here.")
        return await self.value_set_of(name, json_format.parse(held.content))

    async def value_set_of(self, name: str, value_set: Mapping[str, Any]) -> ValueSet:
        """The value set of a resource, be it stored or not."""
        with refusing(f"The value set {name} cannot be expanded"):
            entries = written_out(one(value_set, "expansion")) if "expansion" in value_set else None
            rules = one(value_set, "compose")
            self._contained |= {
                f"#{text(each, 'id')}": each for each in objects(value_set, "contained")
            }
        await self._require_supplements(value_set)
        with refusing(f"The value set {name} cannot be expanded"):
            if entries is not None:
                return await self._written(name, value_set, entries)
            return await self._composed(name, value_set, rules)

    async def _require_supplements(self, value_set: Mapping[str, Any]) -> None:
        """NoDefinition for what a value set wants to be added to code systems and is not here."""
        for each in objects(value_set, "extension"):
            if text(each, "url") == _SUPPLEMENT:
                canonical = text(each, "valueUri") or text(each, "valueCanonical")
                await self.supplement(canonical)
                self._supplements.append(canonical)

    async def code_system(self, url: str, version: str) -> CodeSystem:
        with refusing(f"The code system {url} cannot be asked"):
            found = await self.known_code_system(url, version)
            if found is not None and found.content != "complete":
                self._require_enough(found)
        if found is None:
            what = f"version {version} of the code system {url}" if version else url
            raise NoDefinition(f"No codes of {what} are loaded here.")
        return found

    def _require_enough(self, found: CodeSystem) -> None:
        partly = found.content in {"fragment", "example"} and found.concepts
        if not (self.wishes.fragments and partly):
            raise NotLoaded(_NO_CODES.get(found.content, "It does not say that it is complete."))

    async def known_code_system(self, url: str, version: str = "") -> CodeSystem | None:
        """What is here of a code system, with what is to be added; None if that is nothing."""
        place = url, version
        if place not in self._systems:
            found = await self._code_system(url, version)
            self._systems[place] = found and await self._supplemented(found)
        return self._systems[place]

    async def _code_system(self, url: str, version: str) -> CodeSystem | None:
        if is_open(version):
            fitting = [each for each in await self.versions(url) if matches(each, version)]
            if not fitting:
                return None
            version = max(fitting, key=age)
        held = await self._library.by_canonical("CodeSystem", url, version)
        stored = self._stock.held_system(held) if held is not None else None
        if stored is not None and stored.content == "complete":
            return stored
        published = self._stock.published_system(f"{url}|{version}" if version else url)
        if published is not None and published.content == "complete":
            return published
        return stored or published

    async def versions(self, url: str) -> list[str]:
        """All versions that are here of a code system."""
        published = self._stock.published_system(url)
        further = [published.version] if published is not None and published.version else []
        return [*await self._library.versions("CodeSystem", url), *further]

    async def _supplemented(self, system: CodeSystem) -> CodeSystem:
        for canonical in self._supplements:
            supplement = await self.supplement(canonical)
            if text(supplement, "supplements").partition("|")[0] == system.url:
                system = system.supplemented(supplement)
        return system

    async def supplement(self, canonical: str) -> Mapping[str, Any]:
        """The CodeSystem that adds to another; NoDefinition if it is not here."""
        url, _, version = canonical.partition("|")
        held = await self._library.by_canonical("CodeSystem", url, version)
        if held is None:
            raise NoDefinition(f"There is no supplement {canonical} here.")
        found: dict[str, Any] = json_format.parse(held.content)
        return found

    async def concept_map(self, canonical: str) -> Mapping[str, Any]:
        """The ConceptMap named by `url` or `url|version`; NoDefinition if it is not here."""
        url, _, version = canonical.partition("|")
        held = await self._library.by_canonical("ConceptMap", url, version)
        if held is not None:
            found: dict[str, Any] = json_format.parse(held.content)
            return found
        published = self._stock.published("ConceptMap", canonical)
        if published is None:
            raise NoDefinition(f"There is no concept map {canonical} here.")
        return published

    @property
    def trusts_lists(self) -> bool:
        return self.wishes.trusts_lists

    async def is_value_set(self, url: str) -> bool:
        """Whether a url is that of a value set."""
        held = await self._library.by_canonical("ValueSet", url, "")
        return held is not None or self._stock.published("ValueSet", url) is not None

    async def version(self, system: str, stated: str) -> str:
        """The version to look for: what the rules say, or within that what the code carries."""
        wanted = self.wishes.versions.wanted(system, stated)
        of, carried = self.wishes.carried
        fits = of == system and carried and matches(carried, wanted)
        return carried if fits and carried in await self.versions(system) else wanted

    def _require_end(self, canonical: str) -> None:
        if canonical in self._within:
            raise Circular(f"The value set {canonical} includes itself.")
        if len(self._within) >= MOST_NESTED or len(self._known) >= MOST_SETS:
            raise TooCostly(
                f"The value set {self._within[0]} includes too many others: {MOST_NESTED} within "
                f"one another and {MOST_SETS} in all are followed."
            )

    async def _named(self, canonical: str) -> ValueSet:
        """A value set that is stored, or published, or implied by its url."""
        if canonical in self._contained:
            return await self.value_set_of(canonical, self._contained[canonical])
        url, _, version = canonical.partition("|")
        version = version or self.wishes.value_set_versions.get(url, "")
        named = f"{url}|{version}" if version else canonical
        held = await self._library.by_canonical("ValueSet", url, version)
        if held is not None:
            return await self.value_set_of(named, json_format.parse(held.content))
        resource = self._stock.published("ValueSet", named)
        entries = self._stock.published_expansion(named) if resource is not None else None
        if entries is not None:
            return replace(await self._written(named, resource or {}, entries), published=True)
        rules = one(resource, "compose") if resource is not None else implied(canonical)
        if rules is None:
            raise NoDefinition(f"There is no value set {named} here.", name=canonical)
        with refusing(f"The value set {named} cannot be expanded"):
            return await self._composed(named, resource or {"url": canonical}, rules)

    async def _composed(
        self, name: str, resource: Mapping[str, Any], rules: Mapping[str, Any]
    ) -> ValueSet:
        if not rules:
            raise NotLoaded("It has no rules by which it takes codes.")
        return await composed(name, resource, rules, self)

    async def _written(self, name: str, resource: Mapping[str, Any], entries: Written) -> ValueSet:
        parts = []
        for (system, version), listed in entries.items():
            known = system and not self.trusts_lists
            source = await self.known_code_system(system) if known else None
            parts.append(Part(system, version, source, listed, trusted=True))
        return ValueSet(name, resource, parts, ways=len(parts))
