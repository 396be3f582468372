"""https://hl7.org/fhir/R4/json.html: what comes back is what was sent"""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.support.builders import unique
from tests.support.server import Server

pytestmark = pytest.mark.anyio

NEEDED = '"status":"final","code":{"text":"x"}'
"""What an Observation must have."""
DECIMALS = [
    "0",
    "1.0",
    "1.50",
    "100",
    "-0.0",
    "0.1",
    "0.10000000000000000000000000000001",
    "123456789.123456789123456789123456789",
    "18446744073709551616",
    "123456789012345678901234567890",
    "2.0E+3",
    "1E-22",
    "9007199254740993",
    "0.0",
    "3.141592653589793238462643383279",
]

TEXTS = {
    "accents": "Zoë Müller-Strauß",
    "decomposed": "Zoe\u0308",
    "han": "王秀英",
    "arabic": "فاطمة",
    "hebrew and marks": "\u200f\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
    "emoji": "👩🏽\u200d⚕️",
    "beyond the plane": "𠜎𝔘",
    "escapes": 'a"b\\c/d\te\nf\rg',
    "angle brackets": "</script><b>&amp;",
    "zero width": "a\u200bb\ufeffc",
    "line separators": "a\u2028b\u2029c",
}


def exact(data: bytes) -> Any:
    """JSON with every digit, and members as pairs so that their order counts."""
    return json.loads(data, parse_float=Decimal, parse_int=Decimal, object_pairs_hook=list)


def without_ids(pairs: Any) -> Any:
    return [(name, value) for name, value in pairs if name not in {"id", "meta"}]


async def everywhere(server: Server, type_: str, mark: str, id_: str) -> list[bytes]:
    """The stored resource as each reading interaction sends it."""

    def only_resource(response: httpx.Response) -> bytes:
        bundle = response.content
        start = bundle.index(b'"resource":') + len(b'"resource":')
        _, length = json.JSONDecoder().raw_decode(bundle[start:].decode())
        return bundle[start:].decode()[:length].encode()

    read = await server.get(f"{type_}/{id_}")
    vread = await server.get(f"{type_}/{id_}/_history/1")
    history = await server.get(f"{type_}/{id_}/_history")
    search = await server.get(f"{type_}?identifier={mark}")
    batch = await server.post(
        "",
        {
            "resourceType": "Bundle",
            "type": "batch",
            "entry": [{"request": {"method": "GET", "url": f"{type_}/{id_}"}}],
        },
    )
    return [read.content, vread.content, *map(only_resource, (history, search, batch))]


@pytest.mark.parametrize("number", DECIMALS)
async def test_a_decimal_keeps_its_digits_everywhere(server: Server, number: str) -> None:
    mark = unique()
    body = (
        f'{{"resourceType":"Observation","identifier":[{{"value":"{mark}"}}],{NEEDED},'
        f'"valueQuantity":{{"value":{number}}}}}'
    ).encode()

    created = await server.post("Observation", body)

    found = await everywhere(server, "Observation", mark, created.json()["id"])
    for content in (created.content, *found):
        assert f'"valueQuantity":{{"value":{number}}}'.encode() in content


async def test_a_decimal_with_an_exponent_keeps_its_value_and_precision(server: Server) -> None:
    for number in ("1e2", "0.00000001", "1.20e-5", "1E400"):
        body = f'{{"resourceType":"Observation",{NEEDED},"valueQuantity":{{"value":{number}}}}}'
        stored = await server.post("Observation", body.encode())
        value = dict(dict(exact(stored.content))["valueQuantity"])["value"]
        assert value.as_tuple() == Decimal(number).as_tuple()


async def test_members_keep_their_order_everywhere(server: Server) -> None:
    mark = unique()
    body = (
        f'{{"status":"final","_status":{{"id":"s"}},"resourceType":"Observation","code":'
        f'{{"text":"t","coding":[{{"code":"c","system":"s"}}]}},"valueRange":{{"high":{{"value":1}},'
        f'"low":{{"value":0}}}},"identifier":[{{"value":"{mark}","system":"u"}}],"language":"de"}}'
    ).encode()
    sent = [pair for pair in exact(body) if pair[0] != "resourceType"]

    created = await server.post("Observation", body)

    found = await everywhere(server, "Observation", mark, created.json()["id"])
    for content in (created.content, *found):
        pairs = exact(content)
        assert [name for name, _ in pairs[:3]] == ["resourceType", "id", "meta"]
        assert pairs[3:] == sent


async def test_members_of_meta_keep_their_order(server: Server) -> None:
    body = (
        b'{"resourceType":"Basic","code":{"text":"c"},'
        b'"meta":{"tag":[{"code":"t"}],"source":"#a","profile":["p"]}}'
    )

    created = await server.post("Basic", body)

    meta = dict(exact(created.content))["meta"]
    assert [name for name, _ in meta] == ["tag", "source", "profile", "versionId", "lastUpdated"]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_a_text_keeps_its_characters_everywhere(server: Server, text: str) -> None:
    mark = unique()
    patient = {
        "resourceType": "Patient",
        "identifier": [{"value": mark}],
        "name": [{"text": text, "family": text}],
    }

    created = await server.create(patient)

    for content in await everywhere(server, "Patient", mark, created["id"]):
        assert json.loads(content)["name"] == [{"text": text, "family": text}]


async def test_every_version_of_the_same_content_is_the_same_but_for_meta(server: Server) -> None:
    body = (
        b'{"resourceType":"Basic","id":"%b","code":{"text":"1.50"},'
        b'"extension":[{"url":"u","valueDecimal":1.50}]}'
    )
    id_ = unique("same").encode()
    for _ in range(2):
        await server.put(f"Basic/{id_.decode()}", body % id_)

    first, second = [
        (await server.get(f"Basic/{id_.decode()}/_history/{n}")).content for n in (1, 2)
    ]

    assert without_ids(exact(first)) == without_ids(exact(second))
