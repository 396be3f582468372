"""A folder of published definitions into a package file and the tables compiled from them."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import zstandard

from fhir_server.definitions.constraints import CONSTRAINTS, Constraints
from fhir_server.definitions.packages import EXPANSION, Item, write_package
from fhir_server.definitions.packing.compartments import compile_compartments
from fhir_server.definitions.packing.constraints import compile_constraints, is_base
from fhir_server.definitions.packing.search_parameters import compile_search_parameters
from fhir_server.definitions.packing.snapshots import compile_elements, compile_types
from fhir_server.definitions.packing.source import Source, expansion_of, read_source
from fhir_server.definitions.packing.value_sets import code_systems
from fhir_server.definitions.registry import PACKAGE, TABLES, Tables

_LEVEL = 19


def pack(folder: Path, target: Path) -> None:
    """Write the files into the target folder. The same source gives the same bytes."""
    source = read_source(folder)
    target.mkdir(exist_ok=True)
    _write(target / TABLES, compile_tables(source))
    _write(target / CONSTRAINTS, constraints(source))
    write_package(target / PACKAGE, items(source))


def _write(path: Path, tables: Tables | Constraints) -> None:
    path.write_bytes(zstandard.ZstdCompressor(_LEVEL).compress(msgspec.msgpack.encode(tables)))


def items(source: Source) -> Iterator[Item]:
    """Everything a package holds."""
    for each in source.definitions:
        resource = each.resource
        kind, url, version = resource["resourceType"], resource.get("url"), resource.get("version")
        yield Item(kind, resource["id"], url, version, each.text)
    for each in source.expansions:
        # Known by the value set's id; its canonical leads to the value set.
        yield Item(EXPANSION, each.resource["id"], None, None, expansion_of(each))


def constraints(source: Source) -> Constraints:
    return compile_constraints(filter(is_base, source.of_type("StructureDefinition")))


def compile_tables(source: Source) -> Tables:
    structures = [
        each
        for each in source.of_type("StructureDefinition")
        if each["kind"] != "logical" and each.get("derivation") != "constraint"
    ]
    elements = compile_elements(structures, code_systems(source.of_type("ValueSet")))
    return Tables(
        compile_types(structures),
        {path: msgspec.Raw(msgspec.msgpack.encode(each)) for path, each in elements.items()},
        compile_search_parameters(source.of_type("SearchParameter")),
        compile_compartments(source.of_type("CompartmentDefinition")),
    )
