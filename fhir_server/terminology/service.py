"""The terminology service: members of value sets, and codes above and below others.

https://hl7.org/fhir/R4/terminology-service.html

What is stored on the server comes before what is published with R4, so that a newer value set can
be loaded. An expansion that is whole is taken as it is; else the rules are followed (`compose.py`).
"""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from fhir_server.definitions.registry import Definitions
from fhir_server.errors import BadRequest, NotLoaded, TooCostly, UnknownCode
from fhir_server.fhir import json_format
from fhir_server.terminology.code_system import CodeSystem, read_code_system
from fhir_server.terminology.compose import Codes, composed, implied
from fhir_server.terminology.expansion import Coded, codes_of
from fhir_server.terminology.library import Held, Library
from fhir_server.terminology.reading import one

MOST_CODES: Final = 10_000
MOST_NESTED: Final = 20
"""How deep value sets may include one another."""
MOST_SETS: Final = 200
"""How many value sets one may include in all."""
_MOST_REMEMBERED: Final = 64
_NO_CODES: Final[Mapping[str, str]] = {
    "example": "Only examples of its codes are here.",
    "fragment": "Only a part of its codes is here.",
    "not-present": "Its codes are not loaded.",
    "supplement": "It adds to the codes of another and has none of its own.",
}
"""Why a code system cannot be asked, by its content."""


class Terminology:
    """Answers for any caller; what it keeps is the same for all of them."""

    def __init__(self, definitions: Definitions, *, most_codes: int = MOST_CODES) -> None:
        """`most_codes` is how many codes one answer may have."""
        self._definitions = definitions
        self.most_codes = most_codes
        self._systems: dict[Hashable, CodeSystem] = {}
        self._expanded: dict[str, Codes | None] = {}

    async def members(self, canonical: str, library: Library) -> Codes:
        """All codes of the value set named by `url` or `url|version`.

        NotLoaded says what is not here or cannot be followed; TooCostly that they are too many.
        """
        return await _Inquiry(self, library).members(canonical)

    async def members_by_id(self, id_: str, library: Library) -> Codes:
        """All codes of the ValueSet that is stored under an id; as `members`."""
        return await _Inquiry(self, library).members_by_id(id_)

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
        found = await _Inquiry(self, library).code_system(system, "")
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
        """What R4 publishes under a canonical, if that is of the type."""
        found = self._definitions.by_canonical(canonical)
        return found if found is not None and found["resourceType"] == type_ else None

    def published_expansion(self, canonical: str) -> Codes | None:
        """All codes of a value set that R4 publishes expanded; None when it does not."""
        if canonical not in self._expanded:
            expansion = self._definitions.expansion(canonical)
            codes = codes_of(expansion) if expansion is not None else None
            if len(self._expanded) >= _MOST_REMEMBERED:
                self._expanded.clear()
            self._expanded[canonical] = codes
        return self._expanded[canonical]

    def held_system(self, held: Held) -> CodeSystem:
        """A stored code system, read once."""
        identity = held.type, held.id, held.number
        known = self._systems.get(identity)
        return known or self._remembered(identity, json_format.parse(held.content))

    def published_system(self, canonical: str) -> CodeSystem | None:
        """A code system as R4 publishes it, read once; None if it does not."""
        known = self._systems.get(canonical)
        if known is None:
            resource = self.published("CodeSystem", canonical)
            known = self._remembered(canonical, resource) if resource is not None else None
        return known

    def _remembered(self, identity: Hashable, resource: Mapping[str, Any]) -> CodeSystem:
        if len(self._systems) >= _MOST_REMEMBERED:
            self._systems.clear()
        found = self._systems[identity] = read_code_system(resource)
        return found


class _Inquiry:
    """One question, with what was found out on the way to its answer."""

    def __init__(self, terminology: Terminology, library: Library) -> None:
        self._terminology = terminology
        self._library = library
        self._known: dict[str, Codes] = {}
        self._within: list[str] = []
        """The value sets that are being expanded, each for the sake of the one before."""

    async def members(self, canonical: str) -> Codes:
        known = self._known.get(canonical)
        if known is not None:
            return known
        self._require_end(canonical)
        self._within.append(canonical)
        found = await self._named(canonical)
        self._within.pop()
        self._terminology.require_few(f"the value set {canonical}", len(found))
        self._known[canonical] = found
        return found

    async def members_by_id(self, id_: str) -> Codes:
        name = f"ValueSet/{id_}"
        held = await self._library.by_id("ValueSet", id_)
        if held is None:
            raise NotLoaded(f"There is no {name} here.")
        found = await self._of_resource(name, json_format.parse(held.content))
        self._terminology.require_few(name, len(found))
        return found

    async def code_system(self, url: str, version: str) -> CodeSystem:
        with _refusing(f"The code system {url} cannot be asked"):
            found = await self._code_system(url, version)
        if found is None:
            what = f"version {version} of the code system {url}" if version else url
            raise NotLoaded(f"No codes of {what} are loaded here.")
        return found

    async def _code_system(self, url: str, version: str) -> CodeSystem | None:
        """The code system, if it is here; NotLoaded when not all of it is."""
        held = await self._library.by_canonical("CodeSystem", url, version)
        stored = self._terminology.held_system(held) if held is not None else None
        if stored is not None and stored.content == "complete":
            return stored
        found = self._terminology.published_system(f"{url}|{version}" if version else url) or stored
        if found is not None and found.content != "complete":
            raise NotLoaded(_NO_CODES.get(found.content, "It does not say that it is complete."))
        return found

    async def known_code_system(self, url: str) -> CodeSystem | None:
        held = await self._library.by_canonical("CodeSystem", url, "")
        if held is not None:
            return self._terminology.held_system(held)
        return self._terminology.published_system(url)

    def _require_end(self, canonical: str) -> None:
        if canonical in self._within:
            raise BadRequest(f"The value set {canonical} includes itself.")
        if len(self._within) >= MOST_NESTED or len(self._known) >= MOST_SETS:
            raise TooCostly(
                f"The value set {self._within[0]} includes too many others: {MOST_NESTED} within "
                f"one another and {MOST_SETS} in all are followed."
            )

    async def _named(self, canonical: str) -> Codes:
        """The codes of a value set that is stored, or published, or implied by its url."""
        url, _, version = canonical.partition("|")
        held = await self._library.by_canonical("ValueSet", url, version)
        if held is not None:
            return await self._of_resource(canonical, json_format.parse(held.content))
        published = self._terminology.published_expansion(canonical)
        if published is not None:
            return published
        resource = self._terminology.published("ValueSet", canonical)
        rules = one(resource, "compose") if resource is not None else implied(canonical)
        if rules is None:
            raise NotLoaded(f"There is no value set {canonical} here.")
        return await self._composed(canonical, rules)

    async def _of_resource(self, name: str, value_set: Mapping[str, Any]) -> Codes:
        with _refusing(f"The value set {name} cannot be expanded"):
            codes = codes_of(one(value_set, "expansion")) if "expansion" in value_set else None
            rules = one(value_set, "compose")
        return codes if codes is not None else await self._composed(name, rules)

    async def _composed(self, name: str, rules: Mapping[str, Any]) -> Codes:
        with _refusing(f"The value set {name} cannot be expanded"):
            if not rules:
                raise NotLoaded("It has no rules by which it takes codes.")
            return await composed(rules, self)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Says in front of a refusal what it is about."""
    try:
        yield
    except NotLoaded as error:
        raise NotLoaded(f"{what}: {error.message}") from None
