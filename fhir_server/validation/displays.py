"""Displays: the words that code systems have for their codes.

https://hl7.org/fhir/R4/datatypes-definitions.html#Coding.display

Any designation of a code will do, in any case and with any blanks between words.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fhir_server.fhir import json_format
from fhir_server.terminology.library import Library
from fhir_server.terminology.service import Terminology

_MOST_SYSTEMS: Final = 64

Words = Mapping[str, tuple[str, ...]]
"""Code to its display and designations."""


class Displays:
    def __init__(self, terminology: Terminology) -> None:
        self._terminology = terminology
        self._known: dict[str, Words | None] = {}

    def forget(self) -> None:
        self._known.clear()

    async def is_known(self, system: str, library: Library) -> bool:
        """Whether anything of a code system is here."""
        return await self._words(system, library) is not None

    async def are_wrong(self, coding: Mapping[str, Any], library: Library) -> bool:
        """Whether a coding has a display that its code is known not to have."""
        system, code, display = (coding.get(name) for name in ("system", "code", "display"))
        if system is None or code is None or display is None:
            return False
        words = (await self._words(system, library) or {}).get(code, ())
        return bool(words) and _folded(display) not in map(_folded, words)

    async def _words(self, system: str, library: Library) -> Words | None:
        if system not in self._known:
            held = await library.by_canonical("CodeSystem", system, "")
            resource = (
                self._terminology.published("CodeSystem", system)
                if held is None
                else json_format.parse(held.content)
            )
            if len(self._known) >= _MOST_SYSTEMS:
                self._known.clear()
            self._known[system] = None if resource is None else dict(_concepts(resource))
        return self._known[system]


def _concepts(within: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for concept in within.get("concept", ()):
        others = (each.get("value") for each in concept.get("designation", ()))
        words = filter(None, (concept.get("display"), *others))
        yield concept.get("code", ""), tuple(words)
        yield from _concepts(concept)


def _folded(words: str) -> str:
    return " ".join(words.split()).casefold()
