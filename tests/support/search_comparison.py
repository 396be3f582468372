"""Searches of a server compared with brute force; a difference is told by the smallest search."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.support.brute_force import sorting
from tests.support.brute_force.query import Refused, parse
from tests.support.search_tables import Loaded, quoted

_MOST_TOLD = 5
_MOST_SHOWN = 3


@dataclass(frozen=True)
class Difference:
    url: str
    told: str

    def __str__(self) -> str:
        return f"{self.url}\n  {self.told}"


async def differences(loaded: Loaded, urls: Iterable[str]) -> tuple[int, int, list[Difference]]:
    """How many searches were compared, how many of them found something, and what differs."""
    compared, hits = 0, 0
    found: list[Difference] = []
    for url in dict.fromkeys(urls):
        compared += 1
        told, hit = await _difference(loaded, url)
        hits += hit
        if told is not None:
            found.append(await _smallest(loaded, Difference(url, told)))
            if len(found) == _MOST_TOLD:
                break
    return compared, hits, found


async def _difference(loaded: Loaded, url: str) -> tuple[str | None, bool]:
    """What differs, if anything; and whether brute force finds anything."""
    try:
        expected = loaded.brute_force.matches(url)
    except Refused as refused:
        response = await loaded.server.get(quoted(url))
        is_refused = response.status_code == 400
        return None if is_refused else f"is no error, but should be: {refused}", False
    try:
        entries = await loaded.entries(url)
    except AssertionError as error:
        return f"answers {error}", bool(expected)
    matches = [place for place, mode in entries if mode == "match"]
    told = _unlike(loaded, "finds", expected, matches)
    if told is None and "_sort" in url and not in_order(loaded, url, matches):
        told = f"orders {matches}, but should {expected}"
    if told is None and "include" in url:
        brought = [place for place, mode in entries if mode == "include"]
        told = _unlike(loaded, "brings", sorted(loaded.brute_force.included(url)), brought)
    return told, bool(expected)


def _unlike(loaded: Loaded, verb: str, expected: list[str], found: list[str]) -> str | None:
    if sorted(expected) == sorted(found):
        return None
    missed, wrong = set(expected) - set(found), set(found) - set(expected)
    shown = {"too few": sorted(missed), "too many": sorted(wrong)}
    told = [
        f"{verb} {len(each)} {what}: {', '.join(each[:_MOST_SHOWN])}"
        for what, each in shown.items()
        if each
    ] or [f"{verb} some of them twice"]
    one = loaded.brute_force.by_place.get(next(iter(sorted(missed | wrong)), ""), {})
    return f"{'; '.join(told)}\n  {json.dumps(one, default=str, ensure_ascii=False)[:2000]}"


def in_order(loaded: Loaded, url: str, matches: list[str]) -> bool:
    """Whether these places are in an order that the `_sort` of the url allows."""
    resources = [loaded.brute_force.by_place[place] for place in matches]
    return sorting.in_order(resources, parse(url).controls, loaded.brute_force)


async def _smallest(loaded: Loaded, difference: Difference) -> Difference:
    """The difference after leaving out all that does not matter to it."""
    for smaller in _smaller(difference.url):
        told, _ = await _difference(loaded, smaller)
        if told is not None:
            return await _smallest(loaded, Difference(smaller, told))
    return difference


def _smaller(url: str) -> Iterator[str]:
    path, _, query = url.partition("?")
    pairs = query.split("&")
    if path.count("/") == 2:
        yield f"{path.rpartition('/')[2]}?{query}"
    for at in range(len(pairs) if len(pairs) > 1 else 0):
        yield f"{path}?{'&'.join(pairs[:at] + pairs[at + 1 :])}"
    for at, pair in enumerate(pairs):
        name, _, value = pair.partition("=")
        values = value.split(",")
        for nth in range(len(values) if len(values) > 1 else 0):
            left = ",".join(values[:nth] + values[nth + 1 :])
            if not values[nth].endswith("\\") and not values[nth - 1].endswith("\\"):
                yield f"{path}?{'&'.join([*pairs[:at], f'{name}={left}', *pairs[at + 1 :]])}"


def told(found: list[Difference]) -> str:
    return "\n".join(map(str, found))
