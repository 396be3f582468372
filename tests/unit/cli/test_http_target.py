"""Loading over HTTP: what goes out, and what every kind of answer becomes."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import httpx
import pytest

from fhir_server.cli.http_target import over_http
from fhir_server.cli.refusal import Refusal
from fhir_server.cli.targets import Answer, Target

BASE = "http://fhir.example/base"
Respond = Callable[[httpx.Request], httpx.Response]


@asynccontextmanager
async def answering(respond: Respond) -> AsyncIterator[Target]:
    """A target whose server answers `/metadata` well and everything else by a function."""

    def all_of_it(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/base/metadata":
            return httpx.Response(200, json={"resourceType": "CapabilityStatement"})
        return respond(request)

    async with over_http(f"{BASE}/", httpx.MockTransport(all_of_it)) as target:
        yield target


@pytest.mark.anyio
async def test_a_bundle_is_posted_to_the_base() -> None:
    asked: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"resourceType": "Bundle"})

    async with answering(respond) as target:
        answer = await target.send({"resourceType": "Bundle", "value": Decimal("1.10")})

    [request] = asked
    assert (request.method, str(request.url)) == ("POST", BASE)
    assert request.headers["content-type"] == "application/fhir+json"
    assert request.headers["prefer"] == "return=minimal"
    assert b"1.10" in request.content
    assert answer == Answer(200, {"resourceType": "Bundle"})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (httpx.Response(422, json={"resourceType": "OperationOutcome"}), 422),
        (httpx.Response(502, text="<html>Bad gateway</html>"), 502),
        (httpx.Response(200, content=b"[]"), 200),
    ],
    ids=["outcome", "page", "no object"],
)
async def test_whatever_comes_back_is_an_answer(response: httpx.Response, answer: int) -> None:
    async with answering(lambda _: response) as target:
        got = await target.send({})

    expected = json.loads(response.content) if answer == 422 else {}
    assert got == Answer(answer, expected)


@pytest.mark.anyio
async def test_a_server_that_falls_silent_is_an_answer_too() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    async with answering(respond) as target:
        answer = await target.send({})

    [issue] = answer.resource["issue"]
    assert answer.status == 503
    assert issue["diagnostics"] == "the server did not answer: ReadTimeout"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("response", "words"),
    [
        (httpx.Response(404, json={"detail": "Not Found"}), "answers 404 and no Capability"),
        (httpx.ConnectError("refused"), "does not answer: refused"),
    ],
    ids=["something else", "nobody"],
)
async def test_what_does_not_speak_fhir_is_refused(
    response: httpx.Response | Exception, words: str
) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    with pytest.raises(Refusal, match=words):
        async with over_http(BASE, httpx.MockTransport(respond)):
            pass
