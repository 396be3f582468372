"""Schemes: which drivers a resource type has, found out from its usage and its compartment.

https://hl7.org/fhir/R4/compartmentdefinition-patient.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from fhir_server.definitions.compartments import CompartmentDefinition
from fhir_server.search import keys
from fhir_server.search.catalog import TypeCatalog
from fhir_server.search.drivers import DriverTerms
from fhir_server.search.gathering import Gathered
from fhir_server.search.paths import Found, Only, Path, RefersTo
from fhir_server.search.usage import Usage, usage_of
from fhir_server.storage.query import LONG
from fhir_server.storage.versions import EARLIEST, Key

PATIENT: Final = "Patient"


@dataclass(frozen=True, slots=True)
class Scheme:
    """The drivers of one resource type."""

    terms: DriverTerms
    main_date: int | None
    """Key of the intervals that are the main date; None when the type has none."""
    codes: frozenset[str]
    """Parameters whose keys are drivers alone and with a patient."""
    categories: frozenset[str]
    """Parameters whose keys are drivers with a patient only."""
    memberships: Mapping[str, bool]
    """Reference parameters that make a patient's member, and whether no other one does."""
    members: tuple[Path, ...]
    """Where references that make a patient's member lie."""

    def drivers(self, gathered: Gathered) -> tuple[Sequence[bytes], int, int]:
        """Driver terms, and the main date from its first millisecond to its last."""
        wanted, start, end = self.main_date, EARLIEST, EARLIEST
        if wanted is not None:
            for key, low, high in gathered.intervals:
                if key == wanted:
                    start, end = int(low), int(high)
                    start += start == EARLIEST  # which says that there is none
                    break
        found = self.terms.combined(
            gathered.members,
            gathered.codes,
            gathered.categories,
            dated=wanted is not None,
            lasting=end - start >= LONG,
        )
        return found, start, end


def scheme_of(catalog: TypeCatalog, patients: CompartmentDefinition | None) -> Scheme:
    """The drivers of a type; `patients` is the definition of the Patient compartment."""
    usage = usage_of(catalog.type)
    members = _member_paths(catalog, patients)
    return Scheme(
        DriverTerms(catalog.type),
        _main_date(catalog, usage),
        _known(catalog, usage.codes),
        _known(catalog, usage.categories),
        MappingProxyType(_memberships(catalog, members)),
        members,
    )


def _main_date(catalog: TypeCatalog, usage: Usage) -> int | None:
    code = usage.date
    if code is None or code not in _lasting(catalog) or code in catalog.derived:
        return None
    return keys.interval_key(keys.indexed(catalog.type, code))


def _known(catalog: TypeCatalog, codes: tuple[str, ...]) -> frozenset[str]:
    return frozenset(codes) & _lasting(catalog)


def _lasting(catalog: TypeCatalog) -> frozenset[str]:
    """The parameters that drivers may be made of: custom ones come and go."""
    return frozenset(catalog.compiled) - catalog.custom


def _member_paths(catalog: TypeCatalog, patients: CompartmentDefinition | None) -> tuple[Path, ...]:
    codes = patients.get(catalog.type, ()) if patients is not None else ()
    found = (
        path
        for code in codes
        if code in _lasting(catalog)
        for path in _patient_paths(catalog.compiled[code].found)
    )
    return tuple(dict.fromkeys(found))


def _patient_paths(found: tuple[Found, ...]) -> list[Path]:
    """Paths to references that may name a patient, without the filter that asks for it."""
    paths = []
    for path in found:
        if isinstance(path, Path) and path.type == "Reference":
            last = path.steps[-1]
            if last == Only(RefersTo(PATIENT)):
                paths.append(replace(path, steps=path.steps[:-1]))
            elif not (isinstance(last, Only) and isinstance(last.condition, RefersTo)):
                paths.append(path)
    return paths


def _memberships(catalog: TypeCatalog, members: tuple[Path, ...]) -> dict[str, bool]:
    memberships = {}
    for code, compiled in catalog.compiled.items():
        paths = frozenset(_patient_paths(compiled.found))
        if paths and paths <= frozenset(members) and compiled.type == "reference":
            # A patient is its own member, whatever it refers to.
            memberships[code] = paths == frozenset(members) and catalog.type != PATIENT
    return memberships


_GROUP = slice(keys.PREFIX_BYTES, keys.PREFIX_BYTES + keys.GROUP_BYTES)


def names_group(key: Key) -> bool:
    """Whether a key says of which system or type its value is: only those become drivers."""
    return isinstance(key, bytes) and key[_GROUP] != keys.ANY
