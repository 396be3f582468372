"""Expansions: value sets whose codes are all written out.

https://hl7.org/fhir/R4/valueset.html#expansion
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from fhir_server.terminology.reading import objects, text

_PART: Final = "http://hl7.org/fhir/StructureDefinition/valueset-toocostly"


class Coded(NamedTuple):
    """A code of a code system."""

    system: str
    code: str


def codes_of(expansion: Mapping[str, Any]) -> frozenset[Coded] | None:
    """All codes of an expansion; None when it is only a part, such as one page.

    What is abstract is there to be read by people and is no member.
    """
    if _is_part(expansion):
        return None
    entries = list(_entries(expansion))
    total = expansion.get("total")
    if type(total) is int and total > len(entries):
        return None
    return frozenset(
        Coded(text(each, "system"), text(each, "code"))
        for each in entries
        if text(each, "code") and each.get("abstract") is not True
    )


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
