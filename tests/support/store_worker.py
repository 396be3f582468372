"""A process that writes to a store and tells what was acknowledged.

Run as `python -m tests.support.store_worker MODE ADDRESS SEED`. Each line it writes is one
acknowledged commit, as JSON `[[type, id, number], …]`, written after the commit returned. Race
tests run several at once; crash tests kill it.

What a version says decides its terms, so that whoever reads it knows by what it must be found.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from itertools import count
from random import Random

from msgspec import structs

from fhir_server.kit.clock import SystemClock
from fhir_server.kit.ids import TimeOrderedIds
from fhir_server.storage.base import Conflict, GuardFailed, Store
from fhir_server.storage.opening import open_store
from fhir_server.storage.query import Guard, KeyIs, Plan
from fhir_server.storage.versions import KEY_BYTES, Change, Terms, Version

TYPES = ("Alpha", "Beta")
SHARED = tuple(f"shared-{number}" for number in range(3))
BATCH = 5
_clock = SystemClock()
_ids = TimeOrderedIds(_clock)


def batch_key(batch: str) -> str:
    """What all versions of one commit have in common."""
    return f"batch:{batch}"


def tag_key(tag: int) -> bytes:
    return bytes([tag]) * KEY_BYTES


def terms_of(version: Version) -> Terms:
    """The terms that belong to a version."""
    if version.content is None:
        return Terms()
    said = json.loads(version.content)
    tag, moment = said["tag"], version.updated
    return Terms(
        keys=(tag_key(tag), batch_key(said["batch"])),
        drivers=(tag_key(tag),),
        intervals=((tag, float(version.number), moment),),
        start=moment,
        end=moment,
    )


def first_version(type_: str, id_: str, batch: str, tag: int) -> Version:
    ordinal, now = _ids.new_ordinal(), _clock.now()
    return Version(type_, id_, 1, ordinal, now, "POST", _content(batch, tag))


def next_version(before: Version, batch: str, tag: int, *, delete: bool = False) -> Version:
    return structs.replace(
        before,
        number=before.number + 1,
        updated=max(_clock.now(), before.updated + 1),
        method="DELETE" if delete else "PUT",
        content=None if delete else _content(batch, tag),
    )


async def store_and_tell(store: Store, versions: Sequence[Version]) -> None:
    await store.commit([_tagged(version) for version in versions])
    _tell(versions)


async def compare_and_set(store: Store, random: Random) -> None:
    """Take turns with others at a few shared resources; as many wins as fit in the time."""
    for number in range(40):
        id_ = random.choice(SHARED)
        for attempt in count():
            before = await store.get("Alpha", id_)
            name = f"{random.random()}-{number}-{attempt}"
            after = (
                next_version(before, name, number % 7, delete=random.random() < 0.1)
                if before
                else first_version("Alpha", id_, name, number % 7)
            )
            try:
                await store_and_tell(store, [after])
            except Conflict:
                continue
            break


async def write_until_killed(store: Store, random: Random) -> None:
    """Creations, updates, deletions and commits of several, from a few tasks at once."""
    await asyncio.gather(*(_write_on(store, random, f"w{each}") for each in range(4)))


async def create_until_killed(store: Store, random: Random) -> None:
    """Creations only, from a few tasks at once, and nobody who looks."""

    async def create(writer: str) -> None:
        for number in count():
            versions = [
                first_version(random.choice(TYPES), _ids.new_id(), batch, random.randrange(7))
                for batch in [f"{writer}-{random.random()}-{number}"]
                for _ in range(random.choice((1, 1, 1, BATCH)))
            ]
            await store_and_tell(store, versions)

    await asyncio.gather(*(create(f"c{each}") for each in range(4)))


async def _write_on(store: Store, random: Random, writer: str) -> None:
    mine: list[Version] = []
    for number in count():
        batch = f"{writer}-{random.random()}-{number}"
        size = BATCH if random.random() < 0.4 else 1
        versions = [
            first_version(random.choice(TYPES), _ids.new_id(), batch, random.randrange(7))
            for _ in range(size)
        ]
        if mine and random.random() < 0.7:
            before = mine.pop(random.randrange(len(mine)))
            versions[0] = next_version(before, batch, random.randrange(7), delete=size == 1)
        await store_and_tell(store, versions)
        mine += [version for version in versions if not version.deleted]


async def create_if_none(store: Store, random: Random) -> None:
    """Conditional creations of a few things that several processes all want to create."""
    for number in range(25):
        version = first_version("Alpha", _ids.new_id(), f"only-{number}", 1)
        nobody = Guard(Plan("Alpha", KeyIs((batch_key(f"only-{number}"),))), frozenset())
        try:
            await store.commit([_tagged(version)], [nobody])
        except GuardFailed:
            continue
        _tell([version])


async def count_up(store: Store, _: Random) -> None:
    """A creation, then an update of a counter, again and again: the second implies the first."""
    counter = first_version("Alpha", "counter", "counter", 0)
    await store_and_tell(store, [counter])
    for _turn in range(150):
        await store.commit([_tagged(first_version("Alpha", _ids.new_id(), "counted", 0))])
        counter = next_version(counter, "counter", 0)
        await store.commit([_tagged(counter)])


MODES = {
    each.__name__: each
    for each in (
        compare_and_set,
        count_up,
        create_if_none,
        create_until_killed,
        write_until_killed,
    )
}


async def main(mode: str, address: str, seed: int) -> None:
    storage = await open_store(address)
    await MODES[mode](storage.store, Random(seed))
    await storage.store.close()


def _tagged(version: Version) -> Change:
    return Change(version, terms_of(version))


def _tell(versions: Sequence[Version]) -> None:
    sys.stdout.write(json.dumps([[each.type, each.id, each.number] for each in versions]) + "\n")
    sys.stdout.flush()


def _content(batch: str, tag: int) -> bytes:
    return json.dumps({"batch": batch, "tag": tag, "filling": "x" * 500}).encode()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
