"""The catalog: every search parameter of a type compiled, and which of them need entries.

Compiled when a type is first asked about, a few milliseconds each, and kept. Where the
definitions came from does not matter here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from fhir_server.definitions.registry import Definitions
from fhir_server.definitions.search_parameters import CustomParameter, SearchParameter
from fhir_server.fhirpath.errors import FhirPathSyntaxError
from fhir_server.search import keys
from fhir_server.search.compiling import NotCompiled, compile_parameter
from fhir_server.search.entries import Indexed
from fhir_server.search.rewriting import Compiled, Derivation, derive

STORED: Final = frozenset({"_id", "_lastUpdated"})
"""Parameters about what a store keeps beside the terms; see `stored.py`."""


@dataclass(frozen=True, slots=True)
class TypeCatalog:
    """The search parameters of one resource type, by code."""

    type: str
    definitions: Mapping[str, SearchParameter]
    compiled: Mapping[str, Compiled]
    """Those with paths, derived or not."""
    derived: Mapping[str, Derivation]
    """Those that are searched on others."""
    left_over: Mapping[str, str]
    """Those that cannot be searched, and why."""

    @property
    def custom(self) -> frozenset[str]:
        """Those that come and go while the server runs: nothing else may be built on them."""
        found = self.definitions.items()
        return frozenset(code for code, each in found if isinstance(each, CustomParameter))

    def marked(self, code: str) -> Indexed:
        """What marks the entries of a parameter."""
        match self.definitions.get(code):
            case CustomParameter(incarnation=incarnation):
                return keys.indexed(self.type, f"{code}#{incarnation}")
            case _:
                return keys.indexed(self.type, code)


class Catalog:
    def __init__(self, definitions: Definitions, published: "Catalog | None" = None) -> None:
        """`published`, of the same definitions without custom parameters, has what is kept."""
        self._definitions = definitions
        self._published = published
        self._types: dict[str, TypeCatalog] = {}

    @property
    def definitions(self) -> Definitions:
        return self._definitions

    def of(self, type_: str) -> TypeCatalog:
        """The catalog of a concrete resource type; KeyError for anything else."""
        known = self._types.get(type_)
        if known is None:
            known = self._types[type_] = self._made(type_)
        return known

    def _made(self, type_: str) -> TypeCatalog:
        definitions = self._definitions.search_parameters(type_)
        if self._published is None:
            return self._compile(type_, definitions, {}, {})
        published = self._published.of(type_)
        if definitions.keys() == published.definitions.keys():
            return published
        return self._compile(type_, definitions, published.compiled, published.left_over)

    def _compile(
        self,
        type_: str,
        definitions: Mapping[str, SearchParameter],
        known: Mapping[str, Compiled],
        known_left_over: Mapping[str, str],
    ) -> TypeCatalog:
        compiled, left_over = dict(known), dict(known_left_over)
        for code, parameter in definitions.items():
            if code in STORED or code in compiled or code in left_over:
                continue
            try:
                found = compile_parameter(parameter, type_, self._definitions.elements)
            except (NotCompiled, FhirPathSyntaxError) as error:
                left_over[code] = str(error)
            else:
                compiled[code] = Compiled(code, parameter.type, found)
        custom = {code for code in compiled if isinstance(definitions[code], CustomParameter)}
        derived = derive(
            (each for code, each in compiled.items() if code not in custom),
            (each for code, each in compiled.items() if code in custom),
        )
        return TypeCatalog(
            type_,
            definitions,
            MappingProxyType(compiled),
            MappingProxyType(derived),
            MappingProxyType(left_over),
        )
