"""Tables of searches: resources by label, and for each query the labels that it finds.

The label is the id. Every row is asked of the server and of the brute-force evaluator, so that
both are held to what a person wrote down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import msgspec

from fhir_server.definitions.registry import Definitions, load_definitions
from tests.support.brute_force.evaluator import BruteForce
from tests.support.builders import a_batch, an_update
from tests.support.server import BASE, Server

Resource = dict[str, Any]
Row = tuple[str, str]
"""A query, and the labels it finds with blanks in between."""

_ENTRIES_AT_ONCE = 500
_ENCODE = msgspec.json.Encoder(decimal_format="number").encode
"""Keeps the digits of decimals."""


@cache
def definitions() -> Definitions:
    return load_definitions()


def labelled(type_: str, by_label: Mapping[str, Mapping[str, Any]]) -> list[Resource]:
    """Resources of one type, with their labels as ids."""
    return [{"resourceType": type_, "id": label, **by_label[label]} for label in by_label]


@dataclass(frozen=True)
class Loaded:
    """Resources in a server, and the same in the evaluator."""

    server: Server
    brute_force: BruteForce

    async def asked(self, url: str) -> list[str]:
        """`Type/id` of all matches, page by page."""
        return [place for place, mode in await self.entries(url) if mode == "match"]

    async def entries(self, url: str) -> list[tuple[str, str]]:
        """`Type/id` and mode of all entries, page by page."""
        found: list[tuple[str, str]] = []
        following: str | None = quoted(url) + ("&" if "?" in url else "?") + "_count=1000"
        while following:
            response = await self.server.get(following)
            assert response.status_code == 200, f"{url}: {response.text}"
            bundle = response.json()
            for entry in bundle.get("entry", ()):
                resource = entry["resource"]
                place = f"{resource['resourceType']}/{resource['id']}"
                found.append((place, entry["search"]["mode"]))
            following = next(
                (link["url"] for link in bundle["link"] if link["relation"] == "next"), None
            )
        return found

    async def check(self, row: Row) -> None:
        """Server and evaluator find the labels of a row, the server each of them once."""
        url, labels = row
        expected = sorted(labels.split())
        by_hand = sorted(place.partition("/")[2] for place in self.brute_force.matches(url))
        assert by_hand == expected, f"the evaluator finds {by_hand}"
        found = await self.asked(url)
        assert sorted(place.partition("/")[2] for place in found) == expected

    async def check_refused(self, url: str) -> None:
        """A search that means nothing is a 400 that names the parameter."""
        response = await self.server.get(quoted(url))
        assert response.status_code == 400, response.text
        name = url.partition("?")[2].partition("=")[0].partition(":")[0]
        assert name in response.json()["issue"][0]["diagnostics"]


async def load(server: Server, resources: Sequence[Resource], **facts: Any) -> Loaded:
    """Store resources under the ids they have; `facts` are those of the evaluator."""
    updated: dict[str, str] = {}
    for at in range(0, len(resources), _ENTRIES_AT_ONCE):
        some = resources[at : at + _ENTRIES_AT_ONCE]
        response = await server.post("", _ENCODE(a_batch(*map(an_update, some))))
        assert response.status_code == 200, response.text
        answers = [each["response"] for each in response.json()["entry"]]
        refused = [each for each in answers if each["status"][:3] not in {"200", "201"}]
        assert refused == [], refused
        for resource, answer in zip(some, answers, strict=True):
            updated[f"{resource['resourceType']}/{resource['id']}"] = answer["lastModified"]
    return Loaded(
        server, BruteForce(resources, definitions(), base_url=BASE, updated=updated, **facts)
    )


def quoted(url: str) -> str:
    """Texts of tables are written as a person would; what they already escaped stays."""
    path, mark, query = url.partition("?")
    return path + mark + quote(query, safe="=&%+:,|$/*'()!~-._\\;@?")
