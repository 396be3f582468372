"""The terminology service: one for search, for operations and for whoever else asks.

https://hl7.org/fhir/R4/terminology-service.html

It keeps what is read again and again; each question is an `Inquiry` of its own.
"""

from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Any, Final

from fhir_server.definitions.registry import Definitions
from fhir_server.errors import TooCostly, UnknownCode
from fhir_server.fhir import json_format
from fhir_server.terminology.code_system import CodeSystem, read_code_system
from fhir_server.terminology.expansion import Coded, Codes, Written, written_out
from fhir_server.terminology.inquiry import MOST_NESTED, MOST_SETS, Inquiry, Wishes
from fhir_server.terminology.library import ENCLOSED, Held, Library
from fhir_server.terminology.rules import known_by_rule
from fhir_server.terminology.value_set import ValueSet

MOST_CODES: Final = 10_000
_MOST_REMEMBERED: Final = 64
_MOST_CONCEPTS: Final = 150_000
"""Of all code systems that are remembered; one that has more is remembered alone."""
_CUT_SHORT: Final = frozenset({"http://hl7.org/fhir/ValueSet/condition-code"})
"""Published expansions that end after 1,000 codes of SNOMED CT and do not say so."""


class Terminology:
    """Answers for any caller; what it keeps is the same for all of them."""

    def __init__(self, definitions: Definitions, *, most_codes: int = MOST_CODES) -> None:
        """`most_codes` is how many codes one answer may have."""
        self._definitions = definitions
        self.most_codes = most_codes
        self._systems: dict[Hashable, CodeSystem] = {}
        self._expanded: dict[str, Written | None] = {}
        self._coded: dict[str, Codes] = {}
        """Codes of published value sets, by their canonicals."""
        self._published = lru_cache(maxsize=_MOST_REMEMBERED)(self._read_published)

    def inquiry(self, library: Library, wishes: Wishes | None = None) -> Inquiry:
        """A question about what is here for its caller."""
        return Inquiry(self, library, wishes)

    async def members(self, canonical: str, library: Library) -> Codes:
        """All codes of the value set named by `url` or `url|version`.

        NotLoaded says what is not here or cannot be followed; TooCostly that they are too many.
        """
        found = await self.inquiry(library).value_set(canonical)
        return self._codes(f"the value set {canonical}", found)

    async def members_by_id(self, id_: str, library: Library) -> Codes:
        """All codes of the ValueSet that is stored under an id; as `members`."""
        found = await self.inquiry(library).value_set_by_id(id_)
        return self._codes(f"ValueSet/{id_}", found)

    def _codes(self, what: str, value_set: ValueSet) -> Codes:
        known = self._coded.get(value_set.name) if value_set.published else None
        found = known if known is not None else value_set.coded(headings=False)
        if value_set.published and known is None:
            if len(self._coded) >= _MOST_REMEMBERED:
                self._coded.clear()
            self._coded[value_set.name] = found
        self.require_few(what, len(found))
        return found

    async def below(self, system: str, code: str, library: Library) -> Codes:
        """A code and all that it subsumes.

        NotLoaded when the hierarchy is not here, UnknownCode when the code is not in it, TooCostly
        when they are too many.
        """
        found, own = await self._found(system, code, library)
        return self._limited(f"{code} of {system} and what lies below it", found.below(own), system)

    async def above(self, system: str, code: str, library: Library) -> Codes:
        """A code and all that subsume it; as `below`."""
        found, own = await self._found(system, code, library)
        return self._limited(f"{code} of {system} and what lies above it", found.above(own), system)

    async def _found(self, system: str, code: str, library: Library) -> tuple[CodeSystem, str]:
        found = await self.inquiry(library).code_system(system, "")
        own = found.find(code)
        if own is None:
            raise UnknownCode(f"The code system {system} has no code {code}.")
        return found, own

    def _limited(self, what: str, codes: set[str], system: str) -> Codes:
        self.require_few(what, len(codes))
        return frozenset(Coded(system, each) for each in codes)

    def require_few(self, what: str, number: int) -> None:
        """TooCostly when these are more codes than allowed."""
        if number > self.most_codes:
            raise TooCostly(f"There are {number} codes in {what}; {self.most_codes} are allowed.")

    def published(self, type_: str, canonical: str) -> dict[str, Any] | None:
        """What R4 publishes under a canonical, if that is of the type; not to be changed."""
        if type_ == "ValueSet":
            return self._published(canonical)
        return self._of_type(type_, canonical)

    def _read_published(self, canonical: str) -> dict[str, Any] | None:
        return self._of_type("ValueSet", canonical)

    def _of_type(self, type_: str, canonical: str) -> dict[str, Any] | None:
        found = self._definitions.by_canonical(canonical)
        return found if found is not None and found["resourceType"] == type_ else None

    def published_by_id(self, type_: str, id_: str) -> dict[str, Any] | None:
        return self._definitions.read(type_, id_)

    def published_expansion(self, canonical: str) -> Written | None:
        """What R4 publishes of a value set's codes; None when that is not all of them."""
        if canonical.partition("|")[0] in _CUT_SHORT:
            return None
        if canonical not in self._expanded:
            expansion = self._definitions.expansion(canonical)
            written = written_out(expansion) if expansion is not None else None
            if len(self._expanded) >= _MOST_REMEMBERED:
                self._expanded.clear()
            self._expanded[canonical] = written
        return self._expanded[canonical]

    def held_system(self, held: Held) -> CodeSystem:
        """A code system, read once if it is stored."""
        if held.number == ENCLOSED:
            return read_code_system(json_format.parse(held.content))
        identity = held.type, held.id, held.number
        known = self._systems.get(identity)
        return known or self._remembered(identity, json_format.parse(held.content))

    def published_system(self, canonical: str) -> CodeSystem | None:
        """A code system as R4 publishes it, read once; None if it does not."""
        known = self._systems.get(canonical)
        if known is None:
            resource = self.published("CodeSystem", canonical)
            if resource is not None:
                return self._remembered(canonical, resource)
            known = self._by_rule(canonical)
        return known

    def _by_rule(self, canonical: str) -> CodeSystem | None:
        url, _, version = canonical.partition("|")
        publications = self._definitions.by_canonical, self._definitions.expansion
        found = known_by_rule(url, version, *publications)
        return None if found is None else self._kept(canonical, found)

    def _remembered(self, identity: Hashable, resource: Mapping[str, Any]) -> CodeSystem:
        return self._kept(identity, read_code_system(resource))

    def _kept(self, identity: Hashable, system: CodeSystem) -> CodeSystem:
        kept = sum(len(each.concepts) for each in self._systems.values())
        if len(self._systems) >= _MOST_REMEMBERED or kept + len(system.concepts) > _MOST_CONCEPTS:
            self._systems.clear()
        self._systems[identity] = system
        return system


__all__ = ["MOST_CODES", "MOST_NESTED", "MOST_SETS", "Terminology"]
