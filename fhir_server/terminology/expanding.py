"""Expanding: the codes of a value set written out, a page of them if asked for.

https://hl7.org/fhir/R4/valueset-operation-expand.html

More codes than allowed are refused with their number, unless a page is asked for. Pages are cut
from one order, that of the value set's rules and of its code systems; they are never nested.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fhir_server.errors import TooCostly
from fhir_server.terminology.displays import Languages, display, names
from fhir_server.terminology.reading import text
from fhir_server.terminology.value_set import Member, ValueSet

_PROPERTY: Final = (
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-ValueSet.expansion.contains.property"
)
"""How R4 carries what R5 has as an element."""

_YIELD_EVERY: Final = 2_000
"""Codes looked at before others have their turn."""

Entry = dict[str, Any]
"""One of expansion.contains."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an expansion should hold, and how it is written."""

    filter: str = ""
    """Words that must be in a name or the code."""
    offset: int = 0
    count: int | None = None
    """Of a page; None for all at once."""
    active_only: bool = False
    selectable_only: bool = False
    """Whether headings are left out."""
    nested: bool = True
    designations: bool = False
    properties: frozenset[str] = frozenset()
    languages: Languages = field(default_factory=Languages)
    without: frozenset[str] = frozenset()
    """Code systems that are left out, as `url` or `url|version`."""

    @property
    def selects(self) -> bool:
        """Whether some codes of the value set may not be wanted."""
        return bool(self.filter or self.active_only or self.selectable_only or self.without)


@dataclass(frozen=True, slots=True)
class Expansion:
    total: int
    contains: Sequence[Entry]
    used: Sequence[Mapping[str, str]]
    """Code systems and supplements, each by a name and its canonical."""


async def expand(value_set: ValueSet, wanted: Wanted, most: int) -> Expansion:
    """The codes of a value set; NotLoaded when they are not known, TooCostly when too many."""
    paged = wanted.count is not None or wanted.offset > 0
    total, page = await _taken(value_set, wanted, most)
    if len(page) > most:
        raise TooCostly(
            f"The value set {value_set.canonical} has {total} codes; {most} are allowed at once. "
            "Ask for a page, by count and offset, or for fewer by filter."
        )
    write = _writer(value_set, wanted)
    flat = paged or not wanted.nested or _is_listed(value_set)
    contains = [write(each) for each in page] if flat else _nested(page, write)
    return Expansion(total, contains, _used(value_set))


async def _taken(value_set: ValueSet, wanted: Wanted, most: int) -> tuple[int, Sequence[Member]]:
    """How many codes there are, and those of the page; never many more than are allowed."""
    most_taken = most + 1 if wanted.count is None else min(wanted.count, most + 1)
    known = None if wanted.selects else value_set.size
    total, page = 0, list[Member]()
    for at, member in enumerate(value_set):
        if known is not None and len(page) == most_taken:
            return known, page
        if _is_wanted(member, wanted):
            if total >= wanted.offset and len(page) < most_taken:
                page.append(member)
            total += 1
        if at % _YIELD_EVERY == 0:
            await asyncio.sleep(0)
    return total, page


def _is_wanted(member: Member, wanted: Wanted) -> bool:
    if wanted.active_only and member.inactive:
        return False
    if wanted.selectable_only and not member.selectable:
        return False
    if wanted.without and _is_without(member, wanted):
        return False
    return not wanted.filter or _has_words(member, wanted.filter)


def _is_without(member: Member, wanted: Wanted) -> bool:
    return not wanted.without.isdisjoint((member.system, f"{member.system}|{member.version}"))


def _has_words(member: Member, words: str) -> bool:
    known = " ".join((member.code, *(name.value for name in names(member)))).casefold()
    return all(word in known for word in words.casefold().split())


def _is_listed(value_set: ValueSet) -> bool:
    """Whether codes come in an order of their own, which nesting would undo."""
    return any(part.listed is not None for part in value_set.parts())


def _writer(value_set: ValueSet, wanted: Wanted) -> Callable[[Member], Entry]:
    versions: dict[str, set[str]] = {}
    for part in value_set.parts():
        versions.setdefault(part.system, set()).add(part.version)

    def write(member: Member) -> Entry:
        entry = _entry(member, wanted)
        if member.version and len(versions.get(member.system, ())) > 1:
            entry["version"] = member.version
        return entry

    return write


def _entry(member: Member, wanted: Wanted) -> Entry:
    shown = display(member, wanted.languages)
    entry: Entry = {"system": member.system} if member.system else {}
    if member.abstract:
        entry["abstract"] = True
    if member.inactive:
        entry["inactive"] = True
    entry["code"] = member.code
    if shown is not None:
        entry["display"] = shown.value
    if wanted.designations:
        further = [
            dict(name.designation) or {"language": name.language, "value": name.value}
            for name in names(member)
            if name != shown and (name.designation or name.language)
        ]
        if further:
            entry["designation"] = further
    properties = [*_properties(member, wanted.properties)]
    if properties:
        entry["extension"] = properties
    return entry


def _properties(member: Member, wanted: frozenset[str]) -> Iterable[Entry]:
    if not wanted or member.source is None or member.code not in member.source.concepts:
        return
    definition = text(member.concept, "definition")
    if "definition" in wanted and definition:
        yield _property("definition", {"valueString": definition})
    for each in member.source.properties(member.code):
        name = text(each, "code")
        if name in wanted:
            yield _property(name, {k: v for k, v in each.items() if k.startswith("value")})


def _property(name: str, content: Mapping[str, Any]) -> Entry:
    parts = [{"url": "code", "valueCode": name}]
    parts += [{"url": "value", key: value} for key, value in content.items()]
    return {"url": _PROPERTY, "extension": parts}


def _nested(members: Sequence[Member], write: Callable[[Member], Entry]) -> list[Entry]:
    """Each entry within that of the code right above it, if that is there."""
    entries = {(each.system, each.version, each.code): write(each) for each in members}
    roots = list[Entry]()
    for (system, version, code), member in zip(entries, members, strict=True):
        above = member.source.up.get(code, ()) if member.source is not None else ()
        places = ((system, version, each) for each in above if each != code)
        place = next((each for each in places if each in entries), None)
        within = roots if place is None else entries[place].setdefault("contains", [])
        within.append(entries[system, version, code])
    reached = _count(roots)
    return roots if reached == len(entries) else [write(each) for each in members]


def _count(entries: Iterable[Entry]) -> int:
    """How many entries there are in all; fewer than there were when some lie in a circle."""
    total, ahead = 0, list(entries)
    while ahead:
        entry = ahead.pop()
        total += 1
        ahead += entry.get("contains", ())
    return total


def _used(value_set: ValueSet) -> Sequence[Mapping[str, str]]:
    """What the codes came from."""
    used: dict[tuple[str, str], None] = {}
    for part in value_set.parts():
        if part.source is None:
            continue
        used["used-codesystem", part.source.canonical] = None
        if part.source.content == "fragment":
            used["used-fragment", part.source.canonical] = None
        for each in part.source.supplements:
            used["used-supplement", each] = None
    return [{"name": name, "valueUri": canonical} for name, canonical in used]
