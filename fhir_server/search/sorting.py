"""Sorting: what `_sort` asks for, as an order of the store's or as values to compare.

https://hl7.org/fhir/R4/search.html#sort

A store's indexes run by creation, last update, id and main date. By anything else the matches are
sorted here, by values read from their content. Upwards the least of several values counts,
downwards the greatest; what has no value comes last either way. Equal rows stand in the order of
their creation, backwards if the first key runs downwards.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

import msgspec

from fhir_server.errors import UnknownParameter
from fhir_server.search import keys
from fhir_server.search.catalog import STORED, Catalog, TypeCatalog
from fhir_server.search.clause import shown
from fhir_server.search.collecting import nearest
from fhir_server.search.conditions import decider, reacher
from fhir_server.search.controls import SortKey
from fhir_server.search.glancing import glance_at
from fhir_server.search.paging import Place, Value
from fhir_server.search.paths import Found, Path, Truth
from fhir_server.search.rewriting import Compiled
from fhir_server.search.schemes import Scheme
from fhir_server.search.sort_values import SortValues, sort_values
from fhir_server.storage.query import By, Order
from fhir_server.storage.versions import Version

Values = tuple[Value, ...]
Read = Callable[[Version], Values]
"""What a version is sorted by, a value for each key."""

_KEPT: Final[Mapping[str, Callable[[Version], Value]]] = {
    "_id": lambda version: version.id,
    "_lastUpdated": lambda version: version.updated,
}
_BY: Final[Mapping[str, By]] = {"_id": By.ID, "_lastUpdated": By.UPDATED}
_MOST_NEAREST: Final = 3


class ByIndex(msgspec.Struct, frozen=True):
    """An order in which a store finds its matches."""

    order: Order

    @property
    def dated_first(self) -> bool:
        """Whether what has no date must be put behind the rest: the store has it in front."""
        return self.order.by is By.START and not self.order.descending


_AS_CREATED: Final = ByIndex(Order())


@dataclass(frozen=True, slots=True)
class ByValues:
    """An order by values that are read from the matches themselves."""

    keys: tuple[SortKey, ...]
    readers: Mapping[str, Read]
    """By type."""

    def place(self, version: Version, *, backward: bool = False) -> Place:
        """Where a version stands."""
        return Place(self.readers[version.type](version), version.ordinal, backward)

    def rank(self, place: Place) -> tuple[Any, ...]:
        """What places are compared by: the lower, the earlier."""
        ranks = [
            (True, 0) if value is None else (False, _Falling(value) if key.descending else value)
            for key, value in zip(self.keys, place.values, strict=True)
        ]
        return (*ranks, -place.ordinal if self.keys[0].descending else place.ordinal)


class _Falling:
    """A value that comes the earlier the greater it is."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_Falling") -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Falling) and bool(self.value == other.value)

    __hash__ = None  # type: ignore[assignment]  # it is only compared


class Sorter:
    """Finds out how results are sorted; what it makes of definitions is kept."""

    def __init__(
        self, catalog: Catalog, scheme: Callable[[str], Scheme], zone: tzinfo, base_url: str
    ) -> None:
        self._catalog = catalog
        self._scheme = scheme
        self._values = sort_values(zone, base_url)
        self._reader = lru_cache(maxsize=1024)(self._make_reader)
        self._kept_order = lru_cache(maxsize=1024)(self._order)

    def order(self, types: Sequence[str], sort: tuple[SortKey, ...]) -> ByIndex | ByValues:
        """How a search of these types is sorted.

        UnknownParameter for a name that is no parameter of each of them, or cannot be sorted by.
        """
        return self._kept_order(tuple(types), sort) if sort else _AS_CREATED

    def _order(self, types: tuple[str, ...], sort: tuple[SortKey, ...]) -> ByIndex | ByValues:
        for type_ in types:
            for key in sort:
                self._require_sortable(type_, key.code)
        if len(sort) == 1 and (by := self._index(types, sort[0].code)):
            return ByIndex(Order(by, sort[0].descending))
        return ByValues(sort, {type_: self._reader(type_, sort) for type_ in types})

    def _index(self, types: Sequence[str], code: str) -> By | None:
        if code in _BY:
            return _BY[code]
        if len(types) == 1:
            wanted = keys.interval_key(keys.indexed(types[0], code))
            return By.START if self._scheme(types[0]).main_date == wanted else None
        return None

    def _require_sortable(self, type_: str, code: str) -> None:
        if code in STORED:
            return
        catalog = self._catalog.of(type_)
        compiled = catalog.compiled.get(code)
        if compiled is not None and compiled.type in self._values:
            return
        if code in catalog.definitions:
            kind = compiled.type if compiled is not None else "special"
            raise UnknownParameter(
                f"_sort: {type_} cannot be sorted by {code}, which is a {kind} parameter."
            )
        known = sorted({*STORED, *(each for each in catalog.compiled)})
        close = get_close_matches(code[:64], known, _MOST_NEAREST)
        advice = f" Did you mean {' or '.join(close)}?" if close else ""
        raise UnknownParameter(
            f"_sort: {type_} has no search parameter {shown(code)!r}.{advice}",
        )

    def _make_reader(self, type_: str, sort: tuple[SortKey, ...]) -> Read:
        catalog = self._catalog.of(type_)
        found = [each for key in sort for each in self._found(catalog, key.code)]
        glance = glance_at(found)
        chosen = [
            None if key.code in STORED else self._chooser(catalog.compiled[key.code], key)
            for key in sort
        ]

        def read(version: Version) -> Values:
            resource = glance(version.content or b"{}") if found else {}
            return tuple(
                _KEPT[key.code](version) if choose is None else choose(resource)
                for key, choose in zip(sort, chosen, strict=True)
            )

        return read

    def _found(self, catalog: TypeCatalog, code: str) -> tuple[Found, ...]:
        return () if code in STORED else catalog.compiled[code].found

    def _chooser(self, compiled: Compiled, key: SortKey) -> Callable[[Any], Value]:
        """The value that counts among those of all paths."""
        collects = [self._collect(compiled.type, found) for found in compiled.found]
        choose: Any = max if key.descending else min

        def value(resource: Any) -> Value:
            found = [each for collect in collects for each in collect(resource)]
            chosen: Value = choose(found, default=None)
            return chosen

        return value

    def _collect(self, search_type: str, found: Found) -> Callable[[Any], Sequence[Value]]:
        known = self._values[search_type]
        match found:
            case Path(type=type_):
                kind = nearest(known, type_, self._catalog.definitions.elements)
                return _nothing if kind is None else _at_ends(found, known[kind])
            case Truth(condition):
                decide = decider(condition)
                return lambda resource: list(known["boolean"](decide(resource)))
            case _:
                return _nothing


def _nothing(_: Any) -> Sequence[Value]:
    return ()


def _at_ends(path: Path, values: SortValues) -> Callable[[Any], Sequence[Value]]:
    reach = reacher((path,))
    return lambda resource: [value for element in reach(resource) for value in values(element)]
