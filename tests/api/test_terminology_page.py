"""The requests of docs/terminology.md get the answers that the page says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.server import Server

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "terminology.md").read_text("utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]*?) ?\| ", re.MULTILINE)
ROWS = ROW.findall(PAGE)


@pytest.fixture(scope="module")
async def clinic(server: Server) -> Server:
    """The server with the bundle of the page."""
    (bundle,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    response = await server.post("", json.loads(bundle))
    assert response.status_code == 200, response.text
    return server


@pytest.mark.parametrize(("url", "expected"), ROWS, ids=[url for url, _ in ROWS])
async def test_a_request_of_the_page_gets_the_answer_it_says(
    clinic: Server, url: str, expected: str
) -> None:
    path, _, query = url.partition("?")
    pairs = [each.split("=", 1) for each in query.split("&") if each]
    asked = "&".join(f"{name}={quote(value)}" for name, value in pairs)
    response = await clinic.get(f"{path}?{asked}")

    if expected.startswith("`"):
        (issue,) = response.json()["issue"]
        assert f"`{response.status_code} {issue['code']}`" == expected
        return
    assert response.status_code == 200, response.text
    assert " ".join(told(path.rpartition("$")[2], response.json())) == expected


def told(operation: str, answer: dict[str, Any]) -> Iterator[str]:
    """What an answer comes to."""
    if operation == "expand":
        return codes(answer["expansion"].get("contains", []))
    if operation == "translate":
        return translations(answer)
    wanted = {"validate-code": "result", "lookup": "display", "subsumes": "outcome"}[operation]
    (found,) = (each for each in answer["parameter"] if each["name"] == wanted)
    (value,) = (content for name, content in found.items() if name != "name")
    return iter([str(value).lower() if value in (True, False) else value])


def codes(contains: list[dict[str, Any]]) -> Iterator[str]:
    for each in contains:
        yield each["code"]
        yield from codes(each.get("contains", []))


def translations(answer: dict[str, Any]) -> Iterator[str]:
    matches = [each["part"] for each in answer["parameter"] if each["name"] == "match"]
    for part in (part for match in matches for part in match if part["name"] == "concept"):
        yield part["valueCoding"]["code"]


def test_the_page_has_requests_of_every_operation() -> None:
    asked = {url.partition("?")[0].rpartition("$")[2] for url, _ in ROWS}

    assert asked == {"expand", "validate-code", "lookup", "subsumes", "translate"}
