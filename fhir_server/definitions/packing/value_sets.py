"""Which code systems a value set draws from, by its compose.

https://hl7.org/fhir/R4/valueset.html#compositions
"""

from collections.abc import Iterable, Mapping
from typing import Any


def code_systems(value_sets: Iterable[dict[str, Any]]) -> dict[str, frozenset[str]]:
    """Code systems by canonical url of the value set; empty when that cannot be told.

    A value set that includes another draws from that one's systems. What is excluded takes
    codes away, never a system.
    """
    by_url = {each["url"]: each for each in value_sets}
    return {url: _systems_of(url, by_url, frozenset()) or frozenset() for url in by_url}


def _systems_of(
    url: str, by_url: Mapping[str, dict[str, Any]], seen: frozenset[str]
) -> frozenset[str] | None:
    value_set = by_url.get(url)
    if value_set is None or url in seen:
        return None
    found: set[str] = set()
    for include in value_set.get("compose", {}).get("include", ()):
        if "system" in include:
            found.add(include["system"])
            continue
        for canonical in include.get("valueSet", ()):
            systems = _systems_of(canonical.partition("|")[0], by_url, seen | {url})
            if systems is None:
                return None
            found |= systems
    return frozenset(found)
