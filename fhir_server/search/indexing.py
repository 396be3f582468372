"""Indexing: the terms by which a resource will be found.

https://hl7.org/fhir/R4/search.html

One walk for all parameters of the type, then drivers from what was found. A type's extractor
is made when the type is first met.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Final

from fhir_server.definitions.registry import Definitions
from fhir_server.search import keys
from fhir_server.search.catalog import Catalog, TypeCatalog
from fhir_server.search.collecting import Collectors, noting
from fhir_server.search.contained import add_contained, adder
from fhir_server.search.extracting import Find, extractor
from fhir_server.search.gathering import Gathered, Visit
from fhir_server.search.remembering import Memory
from fhir_server.search.schemes import PATIENT, Scheme, scheme_of
from fhir_server.search.words import FullText, full_text_finds
from fhir_server.storage.versions import Terms

FORMAT: Final = 2
"""Raise it with every change by which a resource gets other terms than before: what is stored is
indexed again when a program with another number opens it."""


@dataclass(frozen=True, slots=True)
class _TypeIndex:
    visit: Visit
    scheme: Scheme
    own: bytes
    """What comes before the value of the id in the key of the resource itself."""


class Indexer:
    """Terms of resources. Whoever changes what it is made with must index everything again."""

    def __init__(
        self,
        definitions: Definitions,
        base_url: str,
        *,
        zone: tzinfo = UTC,
        catalog: Catalog | None = None,
        full_text: FullText = FullText.TEXT,
        remembers: bool = True,
        published: "Indexer | None" = None,
    ) -> None:
        """`zone` is for dates and times that name none; a catalog may be shared.

        Who does not remember looks at every element as if it were the first of its kind: it
        finds the same, and takes longer. `published` indexes types without custom parameters, in
        the same way, in the same zone and at the same base.
        """
        self.full_text = full_text
        self._published = published
        self._catalog = catalog or Catalog(definitions)
        self._known = definitions.resource_types
        self._patients = definitions.compartment(PATIENT)
        self._memory = Memory() if remembers else None
        self._collectors = Collectors(definitions.elements, base_url, zone)
        add = adder(self._entries)
        self._add_in_slot = add if self._memory is None else self._memory.of_each(add)
        self._types: dict[str, _TypeIndex] = {}

    def terms(self, resource: dict[str, Any]) -> Terms:
        """Keys, intervals, drivers and main date of a resource of a known type.

        Malformed parts give no terms and never raise; a type that does not exist is a KeyError.
        """
        type_ = resource["resourceType"]
        index = self._types.get(type_) or self._index(type_)
        gathered = _gathered(resource, index)
        if "contained" in resource:
            add_contained(resource["contained"], self._known, self._add_in_slot, gathered)
        drivers, start, end = index.scheme.drivers(gathered)
        found = gathered.keys
        if len(set(found)) != len(found):
            found = list(dict.fromkeys(found))
        return Terms(found, drivers, gathered.intervals, start, end)

    def _entries(self, contained: dict[str, Any]) -> Gathered:
        return _gathered(contained, self._index(contained["resourceType"]))

    def _index(self, type_: str) -> _TypeIndex:
        known = self._types.get(type_)
        if known is None:
            known = self._types[type_] = self._compile(type_)
        return known

    def _compile(self, type_: str) -> _TypeIndex:
        catalog = self._catalog.of(type_)
        if self._published is not None and not catalog.custom:
            return self._published._index(type_)  # noqa: SLF001 -- another of this class
        scheme = scheme_of(catalog, self._patients)
        finds = [
            *self._finds(catalog, scheme),
            *self._collectors.of_members(scheme),
            *full_text_finds(type_, catalog.definitions, self.full_text),
        ]
        own = keys.itself(type_).prefix + keys.group(type_)
        return _TypeIndex(extractor(finds, self._memory), scheme, own)

    def _finds(self, catalog: TypeCatalog, scheme: Scheme) -> Iterator[Find]:
        for code, compiled in catalog.compiled.items():
            if code not in catalog.derived:
                marked = catalog.marked(code)
                for find in self._collectors.of_parameter(compiled, marked):
                    yield noting(find, code, scheme)


def _gathered(resource: dict[str, Any], index: _TypeIndex) -> Gathered:
    """What one walk collects, and the key of the resource itself."""
    gathered = Gathered(resource=resource)
    index.visit(resource, gathered)
    id_ = resource.get("id")
    if type(id_) is str:
        gathered.keys.append(index.own + keys.value(id_))
    return gathered
