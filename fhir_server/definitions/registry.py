"""Every definition the server stands on, from one folder.

https://hl7.org/fhir/R4/conformance-module.html

Tables the server needs at once are loaded; definitions themselves are read when asked for,
each into a new object that belongs to who asked. Numbers are Decimal, digits kept.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import zstandard

from fhir_server.definitions.compartments import CompartmentDefinition
from fhir_server.definitions.elements import ElementTable
from fhir_server.definitions.packages import EXPANSION, Entry, Package
from fhir_server.definitions.search_parameters import CustomParameter, SearchParameter
from fhir_server.definitions.types import Type

R4 = Path(__file__).parent / "r4"
"""The folder of FHIR R4 4.0.1, made by `scripts/pack-definitions`."""
PACKAGE = "definitions.pack"
"""What was published. It only changes with the publication."""
TABLES = "tables.msgpack.zst"
"""What is compiled from it. It also changes with our code, so it is a small file of its own."""


class Tables(msgspec.Struct, frozen=True, array_like=True):
    """What is compiled from the definitions when they are packed."""

    types: dict[str, Type]
    elements: dict[str, msgspec.Raw]
    """Type path to its elements, still encoded."""
    search_parameters: tuple[SearchParameter, ...]
    compartments: dict[str, tuple[str, dict[str, tuple[str, ...]]]]
    """Code to canonical url and parameter codes by type."""


class Definitions:
    """The definitions of one publication; nothing changes once it is made."""

    def __init__(self, package: Package, tables: Tables) -> None:
        self._package = package
        self._decode = msgspec.json.Decoder(float_hook=Decimal).decode
        self.elements = ElementTable(tables.types, tables.elements)
        self.resource_types = frozenset(
            each.name
            for each in tables.types.values()
            if each.kind == "resource" and not each.abstract
        )
        """The concrete ones, which can be stored."""
        self._parameters = self._by_type(tables.search_parameters)
        self.parameters_by_url = {each.url: each for each in tables.search_parameters}
        """The published search parameters, for who finds them by their canonical url."""
        self._compartments = {
            code: CompartmentDefinition(code, url, MappingProxyType(parameters))
            for code, (url, parameters) in tables.compartments.items()
        }

    def search_parameters(self, resource_type: str) -> Mapping[str, SearchParameter]:
        """A concrete type's parameters by code, those of its base types too; else KeyError."""
        return self._parameters[resource_type]

    def search_parameter(self, resource_type: str, code: str) -> SearchParameter | None:
        return self._parameters[resource_type].get(code)

    def with_custom(self, parameters: Iterable[CustomParameter]) -> "Definitions":
        """These definitions and further search parameters, without another copy of the rest.

        What is published stays what it is: a further parameter does not take its code.
        """
        further, extended = tuple(parameters), copy(self)
        extended._parameters = {  # noqa: SLF001 -- a copy of this very object
            name: MappingProxyType(
                {each.code: each for each in further if self.applies(each, name)} | {**published}
            )
            for name, published in self._parameters.items()
        }
        return extended

    def applies(self, parameter: SearchParameter, resource_type: str) -> bool:
        """Whether a parameter is one of a concrete type, or of a type it is derived from."""
        return any(self.elements.is_a(resource_type, base) for base in parameter.base)

    def compartment(self, code: str) -> CompartmentDefinition | None:
        """The compartment about a resource type, such as Patient."""
        return self._compartments.get(code)

    def by_canonical(self, url: str, version: str | None = None) -> dict[str, Any] | None:
        """The definition named by `url` or `url|version`; None if there is none of that version."""
        entry = self._entry(url, version)
        return None if entry is None else self._read(entry)

    def expansion(self, url: str, version: str | None = None) -> dict[str, Any] | None:
        """The published expansion (ValueSet.expansion) of a value set, where there is one.

        An extension `valueset-toocostly` marks those that are only a part.
        """
        entry = self._entry(url, version)
        ready = entry and self._package.section(EXPANSION).get(entry.id)
        return self._read(ready) if ready else None

    def read(self, resource_type: str, resource_id: str) -> dict[str, Any] | None:
        entry = self._package.section(resource_type).get(resource_id)
        return None if entry is None else self._read(entry)

    def canonicals(self, resource_type: str) -> list[str]:
        """Canonical urls of all definitions of a type, sorted."""
        entries = self._package.section(resource_type).values()
        return sorted(entry.url for entry in entries if entry.url is not None)

    def _entry(self, canonical: str, version: str | None) -> Entry | None:
        entry, stated = self._package.canonical(canonical), ""
        if entry is None:  # only now: some published urls have a | of their own
            url, _, stated = canonical.rpartition("|")
            entry = self._package.canonical(url)
        wanted = version or stated or None
        return None if entry is None or wanted not in {None, entry.version} else entry

    def _read(self, entry: Entry) -> dict[str, Any]:
        resource: dict[str, Any] = self._decode(self._package.read(entry))
        return resource

    def _by_type(
        self, parameters: tuple[SearchParameter, ...]
    ) -> dict[str, Mapping[str, SearchParameter]]:
        by_base: dict[str, dict[str, SearchParameter]] = {}
        for parameter in parameters:
            for base in parameter.base:
                by_base.setdefault(base, {})[parameter.code] = parameter
        return {
            name: MappingProxyType(
                {
                    code: parameter
                    for base in self._line_of(name)
                    for code, parameter in by_base.get(base, {}).items()
                }
            )
            for name in sorted(self.resource_types)
        }

    def _line_of(self, name: str) -> list[str]:
        """A type and its ancestors, the most general first, so that the nearest has its say."""
        line = [name]
        while base := self.elements.types[line[-1]].base:
            line.append(base)
        return line[::-1]


def load_definitions(folder: Path = R4) -> Definitions:
    """Open a package and load its tables: some 20 milliseconds, some 10 megabytes.

    Raises FileNotFoundError; ValueError or msgspec.ValidationError when the files were packed
    by other versions of this code.
    """
    return Definitions(Package(folder / PACKAGE), read_tables(folder))


def read_tables(folder: Path) -> Tables:
    packed = (folder / TABLES).read_bytes()
    return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(packed), type=Tables)
