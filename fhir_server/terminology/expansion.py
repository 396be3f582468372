"""Expansions: value sets whose codes are all written out.

https://hl7.org/fhir/R4/valueset.html#expansion
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from fhir_server.terminology.reading import objects, text

_PART: Final = "http://hl7.org/fhir/StructureDefinition/valueset-toocostly"

Written = Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]]
"""Entries by code, by system and version."""


class Coded(NamedTuple):
    """A code of a code system."""

    system: str
    code: str


Codes = frozenset[Coded]


def codes_of(expansion: Mapping[str, Any]) -> Codes | None:
    """All codes of an expansion; None when it is only a part, such as one page.

    What is abstract is there to be read by people and is no member.
    """
    written = written_out(expansion)
    if written is None:
        return None
    return frozenset(
        Coded(system, code)
        for (system, _), entries in written.items()
        for code, entry in entries.items()
        if entry.get("abstract") is not True
    )


def written_out(expansion: Mapping[str, Any]) -> Written | None:
    """All entries of an expansion; None when it is only a part, such as one page."""
    if _is_part(expansion):
        return None
    entries = list(_entries(expansion))
    total = expansion.get("total")
    if type(total) is int and total > len(entries):
        return None
    found: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for each in entries:
        code = text(each, "code")
        if code:
            place = text(each, "system"), text(each, "version")
            _keep(found.setdefault(place, {}), code, each)
    return found


def _keep(entries: dict[str, Mapping[str, Any]], code: str, entry: Mapping[str, Any]) -> None:
    """Of two entries of one code the one that may be chosen."""
    known = entries.get(code)
    if known is None or known.get("abstract") is True:
        entries[code] = entry


def _is_part(expansion: Mapping[str, Any]) -> bool:
    offset = expansion.get("offset")
    return (type(offset) is int and offset > 0) or any(
        text(each, "url") == _PART and each.get("valueBoolean") is True
        for each in objects(expansion, "extension")
    )


def _entries(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for each in objects(part, "contains"):
        yield each
        yield from _entries(each)
