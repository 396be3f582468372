"""What lies in the package is what packing the published definitions gives."""

import msgspec
import pytest
import zstandard

from fhir_server.definitions.constraints import CONSTRAINTS
from fhir_server.definitions.packages import Package
from fhir_server.definitions.packing.packing import compile_tables, constraints, items
from fhir_server.definitions.packing.source import Source, read_source
from fhir_server.definitions.registry import PACKAGE, R4, read_tables
from tests.support.data import data_folder

_MEND = "run scripts/pack-definitions"


@pytest.fixture(scope="module")
def source() -> Source:
    return read_source(data_folder("r4"))


def test_the_package_holds_what_was_published(source: Source) -> None:
    package = Package(R4 / PACKAGE)
    count = 0
    for item in items(source):
        entry = package.section(item.section).get(item.id)
        assert entry is not None, _MEND
        assert package.read(entry) == item.content, _MEND
        assert (entry.url, entry.version) == (item.url, item.version), _MEND
        count += 1
    sections = {each.section for each in items(source)}
    assert sum(len(package.section(name)) for name in sections) == count, _MEND


def test_the_constraints_are_what_our_code_makes_of_it(source: Source) -> None:
    packed = zstandard.ZstdDecompressor().decompress((R4 / CONSTRAINTS).read_bytes())
    assert msgspec.msgpack.encode(constraints(source)) == packed, _MEND


def test_the_tables_are_what_our_code_makes_of_it(source: Source) -> None:
    assert msgspec.msgpack.encode(compile_tables(source)) == msgspec.msgpack.encode(
        read_tables(R4)
    ), _MEND
