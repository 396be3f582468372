"""Versions for tests, made as an interaction makes them: numbered, timed, one after another."""

from collections.abc import AsyncIterator, Sequence
from itertools import count

from msgspec import structs
from msgspec.structs import replace

from fhir_server.storage.base import Store
from fhir_server.storage.query import Plan
from fhir_server.storage.versions import KEY_BYTES, NO_TERMS, Change, Key, Terms, Version

TYPE = "Alpha"
START = 1_700_000_000_000
_ordinals = count(1)


def created(
    id_: str, terms: Terms = NO_TERMS, *, type_: str = TYPE, at: int = START, ordinal: int = 0
) -> Change:
    """The first version of a resource, with an ordinal of its own unless one is given."""
    content = f'{{"id":"{id_}","v":1}}'.encode()
    number = ordinal or next(_ordinals)
    return Change(Version(type_, id_, 1, number, at, "POST", content), terms)


def updated(before: Change, terms: Terms = NO_TERMS, *, after: int = 10) -> Change:
    """The version that follows, so many milliseconds later."""
    version = before.version
    number = version.number + 1
    content = f'{{"id":"{version.id}","v":{number}}}'.encode()
    moment = version.updated + after
    return Change(
        structs.replace(version, number=number, updated=moment, method="PUT", content=content),
        terms,
    )


def deleted(before: Change, *, after: int = 10) -> Change:
    """The deletion that follows."""
    version = updated(before, after=after).version
    return Change(structs.replace(version, method="DELETE", content=None))


def key(number: int) -> bytes:
    return number.to_bytes(KEY_BYTES)


def keyed(*keys: Key) -> Terms:
    return Terms(keys=keys)


async def found(store: Store, plan: Plan) -> list[str]:
    """Ids of all matches in order, page by page; a page that repeats or is too long fails."""
    ids: list[str] = []
    async for page in pages(store, plan):
        assert len(page) <= plan.limit
        ids += page
    assert len(ids) == len(set(ids))
    return ids


async def pages(store: Store, plan: Plan) -> AsyncIterator[Sequence[str]]:
    while True:
        page = await store.find(plan)
        yield [version.id for version in page.versions]
        if page.next is None:
            return
        plan = replace(plan, after=page.next)
