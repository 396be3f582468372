"""The running system on one page: every long-lived component, built and closed once."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache, partial

from fhir_server.config import Settings
from fhir_server.definitions.registry import load_definitions
from fhir_server.fhir import json_format
from fhir_server.interactions.capabilities import capability_statement
from fhir_server.interactions.context import Context, Policy
from fhir_server.interactions.custom.building import cancelled, live
from fhir_server.interactions.custom.customs import Customs
from fhir_server.interactions.custom.learning import Learner, Pace
from fhir_server.interactions.custom.vocabulary import Vocabulary
from fhir_server.interactions.failures import failed
from fhir_server.interactions.reindexing import keep_index_current
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.request import Reply, Request
from fhir_server.interactions.table import TABLE
from fhir_server.interactions.writing import Stamp
from fhir_server.kit.clock import Clock, SystemClock
from fhir_server.kit.ids import TimeOrderedIds
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
from fhir_server.validation.rules import Rules
from fhir_server.validation.validator import Validator

_STORE_PATIENCE = 2.0
"""Seconds after which a store that does not answer makes the process not ready."""


@dataclass(frozen=True, slots=True)
class System:
    settings: Settings
    storage: Storage
    context: Context
    metrics: Metrics
    learner: Learner
    """What it knows of custom search parameters."""

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
async def open_system(
    settings: Settings, clock: Clock | None = None, *, builds: bool = True
) -> AsyncIterator[System]:
    """The system, opened; closed again at the end. Storage's StoreError if it cannot be.

    Unless it `builds`, it leaves it to others to index what new search parameters look at.
    """
    clock = clock or SystemClock()
    metrics = Metrics()
    storage = await open_store(
        settings.store_url, blobs=settings.blobs, clock=clock, deadline=settings.request_deadline
    )
    try:
        learner = await _learner(settings, storage, clock)
        context = await _context(settings, storage, learner, clock, metrics)
        async with _living(learner, builds=builds):
            yield System(settings, storage, context, metrics, learner)
    finally:
        await storage.store.close()


@asynccontextmanager
async def _living(learner: Learner, *, builds: bool) -> AsyncIterator[None]:
    task = asyncio.create_task(live(learner, builds=builds))
    try:
        yield
    finally:
        await cancelled(task)
        await learner.close()


async def _context(
    settings: Settings, storage: Storage, learner: Learner, clock: Clock, metrics: Metrics
) -> Context:
    ids = TimeOrderedIds(clock)
    await _index(settings, storage, learner)
    started, facts = clock.now(), storage.store.facts

    @lru_cache(maxsize=1)
    def statement(_: Vocabulary) -> bytes:
        return json_format.write(capability_statement(context, started, facts.warnings))

    context = Context(
        table=TABLE,
        repository=_repository(storage, Stamp(clock, ids, learner), learner, metrics),
        definitions=learner.definitions,
        vocabulary=lambda: learner.vocabulary,
        policy=_policy(settings),
        base_url=settings.fhir_base,
        cursors=Cursors(await _page_key(storage.key_value)),
        zone=settings.time_zone,
        ids=ids,
        validator=Validator(learner.definitions),
        rules=Rules(learner.definitions, learner.vocabulary.searching.terminology),
        statement=lambda: statement(learner.vocabulary),
        bundle_received=metrics.bundle_received,
    )
    return context


async def _index(settings: Settings, storage: Storage, learner: Learner) -> None:
    await keep_index_current(
        storage.store, storage.key_value, learner.index_stored, _full_text(settings)
    )


def _repository(storage: Storage, stamp: Stamp, learner: Learner, metrics: Metrics) -> Repository:
    return Repository(storage.store, stamp, learner, committed=metrics.commit_ended)


async def _learner(settings: Settings, storage: Storage, clock: Clock) -> Learner:
    """Who knows the custom search parameters, once it has read what is stored."""
    definitions = load_definitions()
    page_key = await _page_key(storage.key_value)

    base_url, zone = settings.fhir_base, settings.time_zone
    published = Catalog(definitions)
    index = partial(Indexer, zone=zone, full_text=_full_text(settings))
    indexer = index(definitions, base_url, catalog=published)

    def make(customs: Customs) -> Vocabulary:
        extended = definitions.with_custom(customs.parameters)
        catalog = Catalog(extended, published)
        return Vocabulary(
            customs,
            catalog,
            _searching(settings, catalog, page_key, clock),
            index(extended, base_url, catalog=catalog, published=indexer),
        )

    learner = Learner(storage.store, storage.key_value, definitions, make, clock, Pace())
    await learner.learn()
    return learner


def _searching(settings: Settings, catalog: Catalog, page_key: bytes, clock: Clock) -> Searching:
    return Searching(
        catalog.definitions,
        settings.fhir_base,
        page_key,
        limits=Limits(settings.max_parameters, settings.max_values),
        sizes=_sizes(settings),
        clock=clock,
        zone=settings.time_zone,
        catalog=catalog,
        full_text=_full_text(settings),
    )


def _full_text(settings: Settings) -> FullText:
    return FullText[settings.full_text.upper()]


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
