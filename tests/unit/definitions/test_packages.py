"""A package gives back what was put in, one entry at a time."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fhir_server.definitions.packages import Item, Package, write_package

_ITEMS = [
    Item(
        section,
        f"{section.lower()}-{number}",
        f"http://example.org/{section}/{number}",
        "1" if number % 2 else None,
        f'{{"resourceType":"{section}","number":{number}.0,"text":"{"ä" * number}"}}'.encode(),
    )
    for section in ("ValueSet", "CodeSystem")
    for number in range(300)
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("package") / "a.pack"
    write_package(path, _ITEMS)
    return path


def test_every_entry_is_found_by_section_and_id_byte_for_byte(path: Path) -> None:
    package = Package(path)
    for item in _ITEMS:
        entry = package.section(item.section)[item.id]
        assert package.read(entry) == item.content
        assert (entry.url, entry.version) == (item.url, item.version)


def test_every_entry_is_found_by_its_canonical_url(path: Path) -> None:
    package = Package(path)
    for item in _ITEMS:
        entry = package.canonical(str(item.url))
        assert entry is not None
        assert package.read(entry) == item.content


def test_what_is_not_there_is_not_found(path: Path) -> None:
    package = Package(path)
    assert package.canonical("http://example.org/ValueSet/300") is None
    assert package.section("ValueSet").get("codesystem-1") is None
    assert not package.section("Patient")


def test_an_entry_without_url_has_no_canonical(tmp_path: Path) -> None:
    write_package(tmp_path / "a.pack", [*_ITEMS, Item("expansion", "x", None, None, b"{}")])
    package = Package(tmp_path / "a.pack")
    assert package.read(package.section("expansion")["x"]) == b"{}"


def test_the_same_items_in_another_order_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    shuffled = random.Random(1).sample(_ITEMS, len(_ITEMS))
    write_package(tmp_path / "b.pack", shuffled)
    assert (tmp_path / "b.pack").read_bytes() == path.read_bytes()


def test_reading_an_entry_needs_no_other_entry(path: Path, tmp_path: Path) -> None:
    package = Package(path)
    wanted = package.section("CodeSystem")["codesystem-7"]
    content = path.read_bytes()
    last = len(content) - sum(
        entry.length
        for name in ("CodeSystem", "ValueSet")
        for entry in package.section(name).values()
    )
    start = last + wanted.offset
    damaged = content[:last] + b"\0" * wanted.offset + content[start : start + wanted.length]
    (tmp_path / "damaged.pack").write_bytes(damaged)
    assert b'"number":7.0' in Package(tmp_path / "damaged.pack").read(wanted)


def test_threads_may_read_at_the_same_time(path: Path) -> None:
    package = Package(path)

    def read(item: Item) -> bool:
        return package.read(package.section(item.section)[item.id]) == item.content

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, _ITEMS * 3))


@pytest.mark.parametrize("content", [b"", b"short", b"another kind of file altogether"])
def test_a_file_that_is_no_package_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(ValueError, match=r"other is not a package of definitions"):
        Package(tmp_path / "other")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Package(tmp_path / "none.pack")
