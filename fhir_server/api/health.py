"""Health of the process: /livez, /readyz, /metrics.

Live means: do not restart me. Ready means: send me requests. Neither needs a sign-in, and
neither tells anything of what is stored.
"""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from fhir_server.observability.metrics import CONTENT_TYPE, Metrics
from fhir_server.observability.readiness import Readiness


def health_router(
    metrics: Metrics, readiness: Readiness, store_answers: Callable[[], Awaitable[bool]]
) -> APIRouter:
    """The three routes; `store_answers` tells whether a read of the store succeeds in time."""
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def livez() -> JSONResponse:
        return JSONResponse({"status": "live"})

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        if readiness.stopping:
            return JSONResponse({"status": "stopping"}, status_code=503)
        if not await store_answers():
            return JSONResponse({"status": "the store does not answer"}, status_code=503)
        return JSONResponse({"status": "ready"})

    @router.get("/metrics")
    async def metrics_text() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return router
