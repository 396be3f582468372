"""What must be true of a store at rest, whatever happened to it: used after races and crashes."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from fhir_server.storage.base import Store
from fhir_server.storage.query import DriverIs, IntervalIs, KeyIs, Plan
from fhir_server.storage.versions import Version
from tests.support.store_worker import BATCH, TYPES, tag_key, terms_of

Acknowledged = Collection[tuple[str, str, int]]


async def all_versions(store: Store) -> Mapping[tuple[str, str], list[Version]]:
    """Every version by type and id, newest first."""
    versions: dict[tuple[str, str], list[Version]] = defaultdict(list)
    for version in await store.history(limit=1_000_000):
        versions[version.type, version.id].append(version)
    return versions


async def acknowledged_are_there(store: Store, acknowledged: Acknowledged) -> None:
    for type_, id_, number in acknowledged:
        assert await store.get_version(type_, id_, number) is not None, (type_, id_, number)


async def histories_are_dense(store: Store) -> None:
    """Numbers 1, 2, 3 …, one ordinal, rising times, and the newest is the current one."""
    for (type_, id_), versions in (await all_versions(store)).items():
        assert [each.number for each in versions] == list(range(len(versions), 0, -1))
        assert len({each.ordinal for each in versions}) == 1
        times = [each.updated for each in versions]
        assert times == sorted(set(times), reverse=True)
        assert await store.get(type_, id_) == versions[0]


async def batches_are_whole(store: Store) -> None:
    """Of commits of several versions all are there, or none is."""
    sizes: dict[str, int] = defaultdict(int)
    for versions in (await all_versions(store)).values():
        for version in versions:
            for key in terms_of(version).keys:
                if isinstance(key, str):
                    sizes[key] += 1
    assert set(sizes.values()) <= {1, BATCH}


async def terms_agree_with_contents(store: Store) -> None:
    """Each live version is found by its own terms, and nothing else is found by them."""
    for type_ in TYPES:
        live = await store.scan(type_, limit=1_000_000)
        by_tag: dict[int, set[str]] = defaultdict(set)
        by_batch: dict[str, set[str]] = defaultdict(set)
        for version in live:
            terms = terms_of(version)
            by_tag[terms.intervals[0][0]].add(version.id)
            by_batch[str(terms.keys[1])].add(version.id)
        for tag in range(7):
            drivers = (
                KeyIs((tag_key(tag),)),
                DriverIs((tag_key(tag),)),
                IntervalIs((tag, tag)),
            )
            for driver in drivers:
                found = await store.find_ids(Plan(type_, driver, limit=1_000_000))
                assert sorted(found) == sorted(by_tag[tag]), (type_, driver)
        for batch, ids in list(by_batch.items())[:50]:
            assert set(await store.find_ids(Plan(type_, KeyIs((batch,))))) == ids
        assert sorted(await store.find_ids(Plan(type_, limit=1_000_000))) == [
            version.id for version in live
        ]
