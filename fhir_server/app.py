"""The application that serves everything: FHIR by a plain ASGI face, the rest by FastAPI.

FastAPI stands behind: a FHIR request never passes through it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI

from fhir_server.api.fhir import FhirFace, Limits
from fhir_server.api.health import health_router
from fhir_server.config import FHIR_PATH, OPEN_ONLY, InvalidSettings, Settings, load_settings
from fhir_server.kit.interpreter import settle
from fhir_server.observability import logs
from fhir_server.observability.readiness import Readiness
from fhir_server.storage.base import StoreError
from fhir_server.system import System, open_system

_log = structlog.get_logger()

Application = Callable[[Any, Any, Any], Awaitable[None]]


def create_app(settings: Settings | None = None) -> Application:
    """The ASGI application; its lifespan opens and closes the system.

    Whoever serves it: without access control it starts only when the settings say `open`.
    """
    settings = settings or load_settings()
    logs.configure(settings.log_level, settings.log_format)
    faces: dict[str, Application] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _opened(settings) as system:
            readiness = Readiness(settings.drain_delay, _grace(settings))
            readiness.watch()
            app.include_router(health_router(system.metrics, readiness, system.store_answers))
            faces["fhir"] = face = _fhir_face(system, readiness)
            settle()
            yield
            face.close()

    # Without the description of the routes there are no pages of it either.
    rest = FastAPI(lifespan=lifespan, openapi_url=None)

    async def application(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        is_fhir = scope["type"] == "http" and _is_fhir(scope["path"])
        if not is_fhir:
            await asyncio.sleep(0)  # the FHIR face may be called without a task, FastAPI may not
        await (faces["fhir"] if is_fhir else rest)(scope, receive, send)

    return application


def _is_fhir(path: str) -> bool:
    return path == FHIR_PATH or path.startswith(f"{FHIR_PATH}/")


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[System]:
    """The system; what keeps it from opening is told in words before the start fails."""
    if not settings.open:
        _log.error("the server does not start", reason=OPEN_ONLY)
        raise InvalidSettings(OPEN_ONLY)
    async with AsyncExitStack() as stack:
        try:
            system = await stack.enter_async_context(open_system(settings))
        except (StoreError, OSError) as error:
            _log.error("the store cannot be opened", reason=str(error))
            raise
        yield system


def _grace(settings: Settings) -> float:
    """Seconds of the time to finish after which a step that begins might not end in it."""
    return max(0.0, settings.drain_timeout - settings.request_deadline)


def _fhir_face(system: System, readiness: Readiness) -> FhirFace:
    settings = system.settings
    return FhirFace(
        system.context,
        FHIR_PATH,
        limits=Limits(
            settings.max_body, settings.max_depth, settings.max_url, settings.request_deadline
        ),
        metrics=system.metrics,
        log=logs.RequestLog(settings.log_format) if settings.log_requests else None,
        hosts=settings.own_hosts,
        closing=lambda: readiness.closing,
        at_once=system.storage.store.facts.at_once,
    )
