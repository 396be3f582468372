"""Reindexing: what another version of this program stored is made findable as by this one.

The store keeps the number of the format in which its terms were made (`search/indexing.py`). When
it is older, the terms of every current version are made anew before the first request is answered:
about a minute for a million resources on one core. Only terms change, no version and no time.
It keeps as well what is indexed word by word (`search/words.py`): more of it than before means to
index again, less only that it be remembered.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from fhir_server.search.indexing import FORMAT
from fhir_server.search.words import FullText
from fhir_server.storage.base import KeyValue, NewerSchema, Store
from fhir_server.storage.versions import Version

_NAMESPACE: Final = "system"
_KEY: Final = "index-format"
_FULL_TEXT_KEY: Final = "index-full-text"
_AT_ONCE: Final = 500
_TOLD_EVERY: Final = 50_000
_log = structlog.get_logger()


Index = Callable[[Sequence[Version]], Awaitable[None]]
"""Gives stored versions the terms of now."""


async def keep_index_current(
    store: Store, key_value: KeyValue, index: Index, full_text: FullText
) -> int:
    """Index everything again if its terms are of an older format; how many resources that were.

    `full_text` says what `index` makes words of.

    NewerSchema when a newer program made them. Several processes may do it at once; none of an
    older program may write meanwhile.
    """
    known = await key_value.get(_NAMESPACE, _KEY)
    stored = 0 if known is None else int(known)
    if stored > FORMAT:
        raise NewerSchema(f"the index has format {stored}, this program knows {FORMAT}")
    words = await key_value.get(_NAMESPACE, _FULL_TEXT_KEY)
    done = 0
    if stored < FORMAT or full_text > FullText(int(words or 0)):
        done = await _index_all(store, index, stored)
    await key_value.compare_and_set(_NAMESPACE, _FULL_TEXT_KEY, words, str(int(full_text)).encode())
    await key_value.compare_and_set(_NAMESPACE, _KEY, known, str(FORMAT).encode())
    return done


async def _index_all(store: Store, index: Index, stored: int) -> int:
    done = 0
    for type_, number in sorted((await store.counts()).items()):
        if done == 0:
            _log.warning(
                "the index is of an older format, or lacks words, and is made again", found=stored
            )
        done = await _index_type(store, type_, index, done)
        _log.info("indexed again", type=type_, resources=number)
    return done


async def _index_type(store: Store, type_: str, index: Index, done: int) -> int:
    """Index a type; how many resources that makes with those `done` before."""
    after = ""
    while versions := await store.scan(type_, after, _AT_ONCE):
        await index(versions)
        after = versions[-1].id
        done += len(versions)
        if done % _TOLD_EVERY < len(versions):
            _log.info("indexing again", resources=done)
    return done
