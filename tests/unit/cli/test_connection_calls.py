"""How the application is called, and answered for when it fails.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from tests.support.site import GET, POST, App, answer, bodies, last, site, whole

pytestmark = pytest.mark.anyio


async def test_no_more_is_read_than_the_application_takes() -> None:
    taken = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await taken.wait()
        body = await whole(receive)
        await answer(send, b"%d" % len(body or b""))

    async with site(app) as here:
        reader, writer = await here.connect()
        size = 20_000_000
        writer.write(last(POST % (b"", size)) + b"x" * size)
        await asyncio.sleep(0.2)
        waiting = writer.transport.get_write_buffer_size()
        taken.set()
        said = await reader.read()

    assert waiting > size // 2
    assert bodies(said) == [b"20000000"]


async def test_a_stream_goes_out_as_it_comes() -> None:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"two"})

    async with site(app) as here:
        reader, writer = await here.connect()
        writer.write(last(GET % b""))
        first = await reader.readuntil(b"one\r\n")
        go_on.set()
        rest = await reader.read()

    assert b"transfer-encoding: chunked\r\n" in first
    assert rest == b"3\r\ntwo\r\n0\r\n\r\n"


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError


async def says_nothing(scope: Any, receive: Any, send: Any) -> None:
    pass


async def has_only_a_head(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def forges_a_header(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"x", 200, (b"location", b"x\r\nset-cookie: y"))


async def announces_another_length(scope: Any, receive: Any, send: Any) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]}
    )
    await send({"type": "http.response.body", "body": b"x"})


async def has_no_head(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.body", "body": b"x"})


@pytest.mark.parametrize(
    "app",
    [
        raises,
        says_nothing,
        has_only_a_head,
        forges_a_header,
        announces_another_length,
        has_no_head,
    ],
)
async def test_an_application_that_fails_is_answered_for(app: App) -> None:
    async with site(app) as here:
        said = await here.says(GET % b"")

    assert said.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert said.count(b"HTTP/1.1") == 1
    assert b"set-cookie" not in said


async def test_an_answer_that_breaks_off_is_seen_to_be_broken() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        raise ValueError

    async with site(app) as here:
        said = await here.says(GET % b"")

    assert said.endswith(b"3\r\none\r\n")


word: ContextVar[str] = ContextVar("word", default="")


async def test_a_request_begins_without_a_task_and_waits_in_one_with_its_own_context() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((asyncio.current_task(), word.get()))
        word.set(scope["path"])
        await asyncio.sleep(0)
        async with asyncio.timeout(1):
            await asyncio.sleep(0.01)
        seen.append((asyncio.current_task() is not None, word.get()))
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            await answer(send, word.get().encode())

    async with site(app) as here:
        said = await here.says(GET % b"1" + last(GET % b"2"))

    assert bodies(said) == [b"/1", b"/2"]
    assert seen == [(None, ""), (True, "/1"), (None, ""), (True, "/2")]


async def test_the_first_wait_is_resumed_like_any_other() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        done, failed, later = loop.create_future(), loop.create_future(), loop.create_future()
        done.set_result(b"a")
        failed.set_exception(KeyError("b"))
        loop.call_later(0.01, later.set_result, b"c")
        first = {"/1": done, "/2": failed, "/3": later}[scope["path"]]
        try:
            found = await first
        except KeyError:
            found = b"b"
        failed.exception()
        await answer(send, found)

    async with site(app) as here:
        said = await here.says(GET % b"1" + GET % b"2" + last(GET % b"3"))

    assert bodies(said) == [b"a", b"b", b"c"]
