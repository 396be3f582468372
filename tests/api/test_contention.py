"""Many who write the same resource at the same moment: each comes in, in some order.

On the embedded store: a database elsewhere takes longer than a write is decided anew.
"""

import asyncio

import pytest

from tests.support.builders import a_basic, unique
from tests.support.server import ON_ONE_STORE, Server

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]


async def test_three_hundred_updates_at_once_all_succeed(server: Server) -> None:
    id_ = unique("hot")
    resource = a_basic(id=id_)

    answers = await asyncio.gather(*(server.put(f"Basic/{id_}", resource) for _ in range(300)))

    assert sorted(answer.status_code for answer in answers) == [200] * 299 + [201]
    current = await server.get(f"Basic/{id_}")
    assert current.json()["meta"]["versionId"] == "300"
