"""A package of definitions in one file, of which only what is asked for is read.

A file is a head, an index, a compression dictionary and one zstd frame per entry. Opening
reads the first three; an entry is read and unpacked by itself, byte for byte as it was
published. Entries are definitions (section is the resource type) and expansions.
"""

import mmap
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
import zstandard

EXPANSION = "expansion"
"""Section of ready expansions; ids are those of the value sets."""

_MAGIC = b"FHIRDEF1"
_HEAD = struct.Struct("<8sII")  # magic, length of the index, length of the dictionary
_LEVEL = 19
_DICTIONARY_BYTES = 112 * 1024
_SAMPLE_BYTES = 20_000  # what a dictionary learns from the head of one entry
_LONGEST_SAMPLED = 60_000


class Item(msgspec.Struct, frozen=True):
    """An entry to be written."""

    section: str
    id: str
    url: str | None
    version: str | None
    content: bytes


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where an entry lies. `offset` counts from the end of the dictionary."""

    section: str
    id: str
    url: str | None
    version: str | None
    offset: int
    length: int


class Package:
    """An open package. Safe to use from several threads and after a fork."""

    def __init__(self, path: Path) -> None:
        """Raises FileNotFoundError, or ValueError when the file is not a package."""
        with path.open("rb") as file:
            head = file.read(_HEAD.size)
            if not head.startswith(_MAGIC):
                raise ValueError(f"{path} is not a package of definitions, or of another version")
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        _, index_length, dictionary_length = _HEAD.unpack(head)
        dictionary_at = _HEAD.size + index_length
        self._frames_at = dictionary_at + dictionary_length
        self._dictionary = zstandard.ZstdCompressionDict(
            self._bytes[dictionary_at : self._frames_at]
        )
        index = zstandard.ZstdDecompressor().decompress(self._bytes[_HEAD.size : dictionary_at])
        entries = msgspec.msgpack.decode(index, type=tuple[Entry, ...])
        self._by_section: dict[str, dict[str, Entry]] = {}
        for entry in entries:
            self._by_section.setdefault(entry.section, {})[entry.id] = entry
        self._by_url = {entry.url: entry for entry in entries if entry.url is not None}

    def section(self, name: str) -> Mapping[str, Entry]:
        """Entries of a section by id, in the order of the ids; empty for an unknown one."""
        return MappingProxyType(self._by_section.get(name, {}))

    def canonical(self, url: str) -> Entry | None:
        """The definition with this canonical url, given without a version."""
        return self._by_url.get(url)

    def read(self, entry: Entry) -> bytes:
        start = self._frames_at + entry.offset
        # A decompressor serves one thread at a time; making one costs a microsecond.
        decompressor = zstandard.ZstdDecompressor(dict_data=self._dictionary)
        return decompressor.decompress(self._bytes[start : start + entry.length])


def write_package(path: Path, items: Iterable[Item]) -> None:
    """Write a package. The same items in any order give the same bytes."""
    ordered = sorted(items, key=lambda item: (item.section, item.id))
    dictionary = zstandard.train_dictionary(_DICTIONARY_BYTES, _samples(ordered))
    compressor = zstandard.ZstdCompressor(_LEVEL, dict_data=dictionary, write_dict_id=False)
    frames = [compressor.compress(item.content) for item in ordered]
    index = zstandard.ZstdCompressor(_LEVEL).compress(_index(ordered, frames))
    head = _HEAD.pack(_MAGIC, len(index), len(dictionary))
    path.write_bytes(b"".join((head, index, dictionary.as_bytes(), *frames)))


def _samples(items: list[Item]) -> "list[bytes | bytearray | memoryview[int]]":
    return [item.content[:_SAMPLE_BYTES] for item in items if len(item.content) <= _LONGEST_SAMPLED]


def _index(items: list[Item], frames: list[bytes]) -> bytes:
    entries = []
    offset = 0
    for item, frame in zip(items, frames, strict=True):
        place = Entry(item.section, item.id, item.url, item.version, offset, len(frame))
        entries.append(place)
        offset += len(frame)
    return msgspec.msgpack.encode(entries)
