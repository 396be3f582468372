"""What can be searched, and how resources are indexed, with the custom parameters of one moment."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from fhir_server.definitions.search_parameters import CustomParameter
from fhir_server.errors import Unavailable
from fhir_server.fhir.outcome import Issue
from fhir_server.interactions.custom.customs import Customs
from fhir_server.interactions.custom.progress import Record
from fhir_server.search.catalog import Catalog
from fhir_server.search.custom import concrete_types
from fhir_server.search.indexing import Indexer
from fhir_server.search.searching import Searching

Pair = tuple[str, str]
_NAMES: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Never changed, but replaced: who began with one may go on with it."""

    customs: Customs
    catalog: Catalog
    searching: Searching
    indexer: Indexer
    record: Record = Record()  # noqa: RUF009 -- frozen
    building: Mapping[str, tuple[CustomParameter, ...]] = field(default_factory=dict)
    """By code, the parameters that not every resource is indexed by."""

    def with_progress(self, record: Record) -> Self:
        """The same with what is known of the building."""
        building: dict[str, tuple[CustomParameter, ...]] = {}
        for each in self.customs.parameters:
            if each.incarnation not in record.ready and self._has_terms(each):
                building[each.code] = (*building.get(each.code, ()), each)
        return replace(self, record=record, building=building)

    @property
    def unbuilt(self) -> tuple[CustomParameter, ...]:
        return tuple(each for some in self.building.values() for each in some)

    def percent(self, type_: str, code: str) -> int | None:
        """How much of a parameter is built; None when nothing is left to do."""
        for each in self.building.get(code, ()):
            if self._applies(each, type_):
                return self.record.percent(each.incarnation)
        return None

    def warnings(self, types: Sequence[str], pairs: Iterable[Pair]) -> list[Issue]:
        """What to tell of a search that uses a parameter which is not built yet."""
        return [
            Issue("warning", "incomplete", _words(each, self.record))
            for each in self._used(types, pairs)
        ]

    def require_built(self, type_: str, pairs: Iterable[Pair]) -> None:
        """Unavailable when criteria that decide about a write use one that is not built yet."""
        for each in self._used([type_], pairs):
            raise Unavailable(f"{_words(each, self.record)} Nothing was written; try again later.")

    def _used(self, types: Sequence[str], pairs: Iterable[Pair]) -> list[CustomParameter]:
        """Of those being built, those that may be meant: behind a chain, whatever the type."""
        if not self.building:
            return []
        found: dict[str, CustomParameter] = {}
        for name, value in pairs:
            words = _words_of(name, value)
            if name.startswith("_revinclude") and "*" in value:
                words += self._followed(value.partition(":")[0])
            for at, word in enumerate(words):
                for each in self.building.get(word, ()):
                    if at or any(self._applies(each, type_) for type_ in types):
                        found[each.incarnation] = each
        return list(found.values())

    def _followed(self, source: str) -> list[str]:
        """Those being built that lead from a type, or from any, to what a wildcard asks for."""
        links = [each for each in self.unbuilt if each.type == "reference"]
        return [each.code for each in links if source == "*" or self._applies(each, source)]

    def _applies(self, parameter: CustomParameter, type_: str) -> bool:
        return self.catalog.definitions.applies(parameter, type_)

    def _has_terms(self, parameter: CustomParameter) -> bool:
        """Whether it needs terms of its own, and does not look where others look anyway."""
        types = concrete_types(parameter, self.catalog.definitions)
        return any(parameter.code not in self.catalog.of(type_).derived for type_ in types)


def _words_of(name: str, value: str) -> list[str]:
    """The names in a parameter, its own first; in `_filter` and the like the value has some."""
    words = _NAMES.findall(name)
    if "_filter" in words:
        words += _NAMES.findall(value)
    elif name.startswith("_revinclude"):
        words += value.split(":")
    return words


def _words(parameter: CustomParameter, record: Record) -> str:
    percent = record.percent(parameter.incarnation)
    return (
        f"The search parameter {parameter.code} is being built: {percent} % of what was stored "
        "before it came is indexed, so that matches may be missing."
    )
