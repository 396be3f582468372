"""The running system on one page: every long-lived component, built and closed once."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

from fhir_server.config import Settings
from fhir_server.definitions.registry import Definitions, load_definitions
from fhir_server.fhir import json_format
from fhir_server.interactions.capabilities import capability_statement
from fhir_server.interactions.context import Context, Policy
from fhir_server.interactions.failures import failed
from fhir_server.interactions.reindexing import keep_index_current
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.request import Reply, Request
from fhir_server.interactions.table import TABLE
from fhir_server.interactions.writing import Stamp
from fhir_server.kit.clock import Clock, SystemClock
from fhir_server.kit.ids import IdSource, TimeOrderedIds
from fhir_server.observability.metrics import Metrics
from fhir_server.search.catalog import Catalog
from fhir_server.search.controls import Sizes
from fhir_server.search.indexing import Indexer
from fhir_server.search.paging import Cursors
from fhir_server.search.query_string import Limits
from fhir_server.search.searching import Searching
from fhir_server.search.words import FullText
from fhir_server.storage.base import KeyValue
from fhir_server.storage.opening import Storage, open_store

_STORE_PATIENCE = 2.0
"""Seconds after which a store that does not answer makes the process not ready."""


@dataclass(frozen=True, slots=True)
class System:
    settings: Settings
    storage: Storage
    context: Context
    metrics: Metrics

    async def handle(self, request: Request) -> Reply:
        """Carry out one request; an error becomes its reply."""
        try:
            return await TABLE.perform(request, self.context)
        except Exception as error:  # noqa: BLE001 -- every failure is answered
            return failed(error)

    async def store_answers(self) -> bool:
        """Whether the store can be read just now."""
        try:
            async with asyncio.timeout(_STORE_PATIENCE):
                await self.storage.key_value.get("system", "page-key")
        except Exception:  # noqa: BLE001 -- whatever the reason: it does not answer
            return False
        return True


@asynccontextmanager
async def open_system(settings: Settings, clock: Clock | None = None) -> AsyncIterator[System]:
    """The system, opened; closed again at the end. Storage's StoreError if it cannot be."""
    clock = clock or SystemClock()
    metrics = Metrics()
    storage = await open_store(
        settings.store_url, blobs=settings.blobs, clock=clock, deadline=settings.request_deadline
    )
    try:
        context = await _context(settings, storage, clock, metrics)
        yield System(settings, storage, context, metrics)
    finally:
        await storage.store.close()


async def _context(settings: Settings, storage: Storage, clock: Clock, metrics: Metrics) -> Context:
    definitions, ids = load_definitions(), TimeOrderedIds(clock)
    base_url, zone = settings.fhir_base, settings.time_zone
    catalog = Catalog(definitions)
    stamp = await _stamp(settings, storage, catalog, clock, ids)
    page_key = await _page_key(storage.key_value)
    started, facts = clock.now(), storage.store.facts

    @cache
    def statement() -> bytes:
        return json_format.write(capability_statement(context, started, facts.warnings))

    context = Context(
        table=TABLE,
        repository=Repository(storage.store, stamp, committed=metrics.commit_ended),
        definitions=definitions,
        searching=_searching(settings, definitions, catalog, page_key, clock),
        policy=_policy(settings),
        base_url=base_url,
        cursors=Cursors(page_key),
        zone=zone,
        ids=ids,
        statement=statement,
        bundle_received=metrics.bundle_received,
    )
    return context


async def _stamp(
    settings: Settings, storage: Storage, catalog: Catalog, clock: Clock, ids: IdSource
) -> Stamp:
    """What makes versions of drafts, once all that is stored has the terms it would give."""
    zone = settings.time_zone
    full_text = FullText[settings.full_text.upper()]
    indexer = Indexer(
        catalog.definitions, settings.fhir_base, zone=zone, catalog=catalog, full_text=full_text
    )
    await keep_index_current(storage.store, storage.key_value, indexer)
    return Stamp(clock, ids, indexer)


def _searching(
    settings: Settings, definitions: Definitions, catalog: Catalog, page_key: bytes, clock: Clock
) -> Searching:
    return Searching(
        definitions,
        settings.fhir_base,
        page_key,
        limits=Limits(settings.max_parameters, settings.max_values),
        sizes=_sizes(settings),
        clock=clock,
        zone=settings.time_zone,
        catalog=catalog,
        full_text=FullText[settings.full_text.upper()],
    )


def _sizes(settings: Settings) -> Sizes:
    return Sizes(
        settings.page_size,
        settings.max_page_size,
        settings.max_sorted,
        settings.max_included,
        settings.max_include_depth,
    )


def _policy(settings: Settings) -> Policy:
    return Policy(
        conditional_delete=settings.conditional_delete,
        bundle_entries=settings.max_bundle_entries,
        history_count=settings.page_size,
        most_count=settings.max_page_size,
        url_bytes=settings.max_url,
        bundle_bytes=settings.max_bundle_answer,
        body_bytes=settings.max_body,
        json_depth=settings.max_depth,
        bundle_seconds=settings.bundle_deadline,
    )


async def _page_key(key_value: KeyValue) -> bytes:
    """The secret that seals page links, made once and shared by all processes of the store."""
    await key_value.compare_and_set("system", "page-key", None, secrets.token_bytes(32))
    key = await key_value.get("system", "page-key")
    assert key is not None  # noqa: S101 -- it was just made, if it was not there
    return key
