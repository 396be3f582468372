"""Fixtures every layer shares."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # most layers need no server, and should not wait for its imports
    from tests.support.server import Server, Start

pytest.register_assert_rewrite("tests.support.asserts")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=["embedded", "mongodb"])
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Start":
    """Starts a server on new, empty data: `async with start(max_body=1000) as server`.

    With `store=other.settings.store` it runs on the data of another one.
    """
    from tests.support.server import running  # noqa: PLC0415 -- see above
    from tests.support.stores import STORES  # noqa: PLC0415 -- likewise

    (kind,) = (kind for kind in STORES if kind.name == request.param)

    def start(**settings: Any) -> AbstractAsyncContextManager["Server"]:
        folder = tmp_path_factory.mktemp("server")
        store = settings.pop("store", None) or kind.address(folder)
        return running(store, folder, **settings)

    return start


@pytest.fixture(scope="module")
async def server(start: "Start", anyio_backend: str) -> AsyncIterator["Server"]:
    """A server for all tests of a module, which tell their resources apart by `unique()`."""
    async with start() as server:
        yield server
