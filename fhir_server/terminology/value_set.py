"""A value set ready to be asked: whether it has a code, and which codes it has.

https://hl7.org/fhir/R4/valueset.html#compositions

To ask for one code never goes through all of them: a part knows its codes by a table or by a test.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fhir_server.errors import NotLoaded
from fhir_server.terminology.code_system import CodeSystem
from fhir_server.terminology.expansion import Coded, Codes
from fhir_server.terminology.filters import Test
from fhir_server.terminology.reading import refusing, text

_NOTHING: Mapping[str, Any] = {}


class Member(NamedTuple):
    """A code of a value set, with what is known of it."""

    system: str
    version: str
    """Of the code system; empty when that is not here and none is stated."""
    code: str
    source: CodeSystem | None
    """Where it is defined; None when that is not here."""
    listed: Mapping[str, Any] | None
    """What the value set itself says of it; None when it came by a rule."""

    @property
    def coded(self) -> Coded:
        return Coded(self.system, self.code)

    @property
    def concept(self) -> Mapping[str, Any]:
        """What the code system says of it; empty if nothing."""
        return _NOTHING if self.source is None else self.source.concepts.get(self.code, _NOTHING)

    @property
    def abstract(self) -> bool:
        """Whether it is there to hold others together."""
        stated = self.listed is not None and self.listed.get("abstract") is True
        return stated or (self.source is not None and self.code in self.source.abstract)

    @property
    def inactive(self) -> bool:
        stated = self.listed is not None and self.listed.get("inactive") is True
        return stated or (self.source is not None and self.code in self.source.inactive)

    @property
    def selectable(self) -> bool:
        """Whether records may carry it: it is no mere heading, or was listed all the same."""
        if self.listed is not None:
            return self.listed.get("abstract") is not True
        return not self.abstract


@dataclass(frozen=True, slots=True)
class Part:
    """One include or exclude. Without a system it is what its sets have in common."""

    system: str
    stated: str = ""
    """The version that is asked for; empty for any."""
    source: CodeSystem | None = None
    listed: Mapping[str, Mapping[str, Any]] | None = None
    tests: Sequence[Test] = ()
    sets: Sequence["ValueSet"] = ()
    missing: NotLoaded | None = None
    """Why its code system cannot be asked."""
    trusted: bool = False
    """Whether what is listed counts, even where the code system does not know it."""

    @property
    def version(self) -> str:
        """Of the code system that is asked; what is stated when that is not here."""
        return self.stated if self.source is None else self.source.version

    def find(self, system: str, code: str) -> Member | None:
        """The member with this code; NotLoaded when that cannot be told."""
        if not self.system and self.listed is None:
            first = self.sets[0].find(system, code) if self.sets else None
            others = self.sets[1:]
        else:
            first, others = self._own(system, code), self.sets
        return first if first and all(each.find(*first.coded) for each in others) else None

    def _own(self, system: str, code: str) -> Member | None:
        if system != self.system:
            return None
        if self.listed is not None:
            own = code if code in self.listed or not self.source else self.source.known(code)
            return None if own is None or not self._lists(own) else self._member(own)
        if self.source is None:
            raise self.missing or NotLoaded(f"The codes of {system} are not here.")
        known = self.source.known(code)
        if known is None or not all(test(known) for test in self.tests):
            return None
        return self._member(known)

    def _lists(self, code: str) -> bool:
        """Whether a code is listed, and is one of the code system where that can be told."""
        if self.listed is None or code not in self.listed:
            return False
        if self.source is None or self.trusted or self.source.content != "complete":
            return True
        return self.source.known(code) is not None

    def _member(self, code: str) -> Member:
        listed = None if self.listed is None else self.listed[code]
        return Member(self.system, self.version, code, self.source, listed)

    def __iter__(self) -> Iterator[Member]:
        """All members in their order; NotLoaded when they are not known."""
        if not self.system and self.listed is None:
            found = iter(self.sets[0]) if self.sets else iter(())
            others = self.sets[1:]
        else:
            found, others = map(self._member, self._codes()), self.sets
        for member in found:
            if all(each.find(*member.coded) for each in others):
                yield member

    def coded(self, *, headings: bool) -> Codes:
        """All members at once; with or without those that are there to hold others together."""
        if not self.system and self.listed is None:
            own = self.sets[0].coded(headings=headings) if self.sets else frozenset()
            others = self.sets[1:]
        else:
            codes = self._own_codes(headings=headings)
            own, others = frozenset([Coded(self.system, each) for each in codes]), self.sets
        for each in others:
            own &= each.coded(headings=True)
        return own

    def _own_codes(self, *, headings: bool) -> Iterable[str]:
        codes = self._codes()
        if headings:
            return codes
        if self.listed is not None:
            listed = self.listed
            return [code for code in codes if listed[code].get("abstract") is not True]
        abstract = self.source.abstract if self.source is not None else frozenset[str]()
        return [code for code in codes if code not in abstract]

    def _codes(self) -> Iterator[str]:
        if self.listed is not None:
            return filter(self._lists, self.listed)
        if self.source is None:
            raise self.missing or NotLoaded(f"The codes of {self.system} are not here.")
        if not self.source.listable:
            raise NotLoaded(
                f"The codes of {self.system} cannot be asked for all at once: they follow a rule, "
                "by which a code can be validated."
            )
        codes = iter(self.source.concepts)
        for test in self.tests:
            codes = filter(test, codes)
        return codes


@dataclass(frozen=True, slots=True)
class ValueSet:
    """Its rules, with all they refer to."""

    name: str
    """How messages name it."""
    resource: Mapping[str, Any]
    includes: Sequence[Part] = ()
    excludes: Sequence[Part] = ()
    active_only: bool = False
    published: bool = False
    """Whether these are the codes that R4 publishes, as they are."""
    ways: int = 1
    """How many parts are looked at to find that a code is none of it, within sets as well."""

    @property
    def canonical(self) -> str:
        """Url and version, or what else names it."""
        url, version = text(self.resource, "url"), text(self.resource, "version")
        return f"{url}|{version}" if url and version else url or self.name

    @property
    def size(self) -> int | None:
        """How many members there are, where that is known without going through them."""
        if len(self.includes) != 1 or self.excludes or self.active_only:
            return None
        (part,) = self.includes
        plain = part.listed is None and not part.tests and not part.sets
        return len(part.source.concepts) if plain and part.source is not None else None

    def find(self, system: str, code: str) -> Member | None:
        """The member with this code; NotLoaded when that cannot be told."""
        return next(self.finds(system, code), None)

    def finds(self, system: str, code: str) -> Iterator[Member]:
        """The members with this code: one of each version of the code system."""
        for part in self.includes:
            member = part.find(system, code)
            if member is not None and self._keeps(member):
                yield member

    def _keeps(self, member: Member) -> bool:
        if self.active_only and member.inactive:
            return False
        return not any(
            self._is_about(part, member) and part.find(*member.coded) for part in self.excludes
        )

    def _is_about(self, exclude: Part, member: Member) -> bool:
        """Whether an exclude means the member's version of its code system.

        One that states a version from which nothing is included means the codes of any version.
        """
        if not exclude.stated or exclude.version == member.version:
            return True
        ours = (part.version for part in self.includes if part.system == exclude.system)
        return exclude.version not in ours

    def __iter__(self) -> Iterator[Member]:
        """All members, each once, in their order; NotLoaded when they are not known."""
        seen = set[tuple[str, str, str]]()
        with refusing(f"The value set {self.name} cannot be expanded"):
            for part in self.includes:
                for member in part:
                    identity = (member.system, member.code, member.version)
                    if identity not in seen and self._keeps(member):
                        seen.add(identity)
                        yield member

    def coded(self, *, headings: bool) -> Codes:
        """All members at once, without what else is known of them; as `Part.coded`."""
        if self.active_only or any(part.stated for part in self.excludes):
            return frozenset(each.coded for each in self if headings or each.selectable)
        with refusing(f"The value set {self.name} cannot be expanded"):
            taken = [part.coded(headings=headings) for part in self.includes]
            found = frozenset[Coded]().union(*taken)
            for part in self.excludes if found else ():
                found -= part.coded(headings=True)
        return found

    def parts(self, system: str = "") -> Iterator[Part]:
        """The parts that take codes of a system, or of any, within sets as well."""
        for part in self.includes:
            if part.system and (not system or part.system == system):
                yield part
            for each in part.sets:
                yield from each.parts(system)
