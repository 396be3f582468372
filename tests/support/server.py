"""A whole server in this process: the application with its lifespan run, asked over HTTP.

Nothing is doubled but the network: requests go through httpx into the ASGI application.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from fhir_server.app import Application, create_app
from fhir_server.config import Settings
from fhir_server.definitions.registry import load_definitions

PUBLIC_URL = "https://fhir.example.org"
"""The base URL that servers of tests are given; nobody listens there."""
BASE = f"{PUBLIC_URL}/fhir"
FHIR_JSON = "application/fhir+json"

ON_ONE_STORE = pytest.mark.parametrize("start", ["embedded"], indirect=True, scope="module")
"""For modules about what never reaches the store: the fixture `start` need not try them all."""


@dataclass(frozen=True)
class Server:
    """One running server and a client for it. Paths are relative to the FHIR base.

    Headers are named arguments: `if_match='W/"1"'`. A body that is not bytes is sent as JSON.
    """

    settings: Settings
    app: Application
    client: httpx.AsyncClient

    async def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            named.setdefault("content-type", FHIR_JSON)
        return await self.client.request(method, path, content=content, headers=named)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.send("GET", path, **headers)

    async def head(self, path: str, **headers: str) -> httpx.Response:
        return await self.send("HEAD", path, **headers)

    async def delete(self, path: str, **headers: str) -> httpx.Response:
        return await self.send("DELETE", path, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return await self.send("POST", path, body, **headers)

    async def put(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return await self.send("PUT", path, body, **headers)

    async def create(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """The resource as stored; the test fails if it was not."""
        response = await self.post(resource["resourceType"], resource)
        assert response.status_code == 201, response.text
        stored: dict[str, Any] = response.json()
        return stored

    async def update(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """The resource as stored under the id it has; the test fails if it was not."""
        response = await self.put(f"{resource['resourceType']}/{resource['id']}", resource)
        assert response.status_code in {200, 201}, response.text
        stored: dict[str, Any] = response.json()
        return stored

    async def found(self, query: str) -> list[dict[str, Any]]:
        """The matches of one page of a search; the test fails if it failed."""
        response = await self.get(query)
        assert response.status_code == 200, response.text
        return [entry["resource"] for entry in response.json().get("entry", ())]

    async def count(self, query: str) -> int:
        """How many resources a search matches."""
        response = await self.get(f"{query}&_summary=count" if "?" in query else query)
        assert response.status_code == 200, response.text
        total: int = response.json()["total"]
        return total

    async def raw(
        self,
        method: str,
        raw_path: bytes,
        *,
        query: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: Iterable[bytes] = (b"",),
    ) -> "RawResponse":
        """A request byte by byte: no client tidies the path, and the body comes in these parts."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": raw_path.decode("latin-1"),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": [(b"host", b"localhost"), *headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }
        incoming = iter(
            [{"type": "http.request", "body": part, "more_body": True} for part in body]
        )
        response = RawResponse()

        async def receive() -> Mapping[str, Any]:
            return next(incoming, {"type": "http.request", "body": b"", "more_body": False})

        await self.app(scope, receive, response.take)
        return response


class RawResponse:
    """What the application sent, unchanged."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    async def take(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
        else:
            self.body += message.get("body", b"")


class Start(Protocol):
    """The fixture `start`: starts a server with these settings, on a new store if none is named."""

    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[Server]: ...


class _Given(Settings):
    """Settings from what is given alone: the test's own environment must not reach the server."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@asynccontextmanager
async def running(store: str, folder: Path, **settings: Any) -> AsyncIterator[Server]:
    """A server on a store, named as in the settings. The same store can be opened again."""
    named: dict[str, Any] = {"store": store, "data": folder, "base_url": PUBLIC_URL}
    chosen = _Given(**named | {"log_format": "json", "open": True} | settings)
    app = create_app(chosen)
    host = urlsplit(chosen.public_url).netloc
    # Each server hears of a signal alone, and none ends the tests.
    handler = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with _quick_start():
        async with _lifespan(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(
                transport=transport, base_url=BASE, headers={"host": host}
            ) as client:
                yield Server(chosen, app, client)
    signal.signal(signal.SIGTERM, handler)


@contextmanager
def _quick_start() -> Iterator[None]:
    """Definitions are read once for all servers, and the collector is left alone.

    To settle it means to visit every object of the test run.
    """
    with (
        patch("fhir_server.app.settle"),
        patch("fhir_server.system.load_definitions", _definitions),
    ):
        yield


_definitions = cache(load_definitions)


@asynccontextmanager
async def _lifespan(app: Application) -> AsyncIterator[None]:
    asked: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    told: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()

    async def run() -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, asked.get, told.put)

    task = asyncio.create_task(run())
    await asked.put({"type": "lifespan.startup"})
    answer = await told.get()
    if answer["type"] != "lifespan.startup.complete":
        await task
        raise RuntimeError(answer.get("message", "the server did not start"))
    try:
        yield
    finally:
        await asked.put({"type": "lifespan.shutdown"})
        await told.get()
        await task
