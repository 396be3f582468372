"""The searches of docs/searching.md do what the page says of them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.server import Server

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "searching.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]*?) ?\| ", re.MULTILINE)
IN_ORDER = "_sort="


def rows() -> Iterator[tuple[str, str]]:
    """Each search of the page, with what it finds or how it is refused."""
    for url, found in ROW.findall(PAGE):
        yield url.replace("\\|", "|"), found


@pytest.fixture(scope="module")
async def clinic(server: Server) -> Server:
    """The server with the bundle of the page."""
    (bundle,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    response = await server.post("", json.loads(bundle))
    assert response.status_code == 200, response.text
    return server


def told(bundle: dict[str, Any]) -> list[str]:
    """Ids in their order, included ones with a plus."""
    marks = {"match": "", "include": "+"}
    return [
        marks[entry["search"]["mode"]] + entry["resource"]["id"]
        for entry in bundle.get("entry", ())
        if entry["search"]["mode"] in marks
    ]


@pytest.mark.parametrize(("url", "expected"), list(rows()))
async def test_a_search_of_the_page_does_what_it_says(
    clinic: Server, url: str, expected: str
) -> None:
    response = await clinic.get(quote(url, safe="/?&=:,$*|\\"))

    if expected.startswith("`"):
        (issue,) = response.json()["issue"]
        assert f"`{response.status_code} {issue['code']}`" == expected
        return
    assert response.status_code == 200, response.text
    found, wanted = told(response.json()), expected.split()
    assert found == wanted if IN_ORDER in url else sorted(found) == sorted(wanted)


def test_the_page_has_searches_of_every_kind() -> None:
    searches = " ".join(url for url, _ in rows())

    assert len(list(rows())) > 50
    assert "_sort" in searches
    assert "_has" in searches
