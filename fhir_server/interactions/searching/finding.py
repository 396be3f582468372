"""A page of the matches: in an order of the store's, or sorted here by values.

https://hl7.org/fhir/R4/search.html#sort and https://hl7.org/fhir/R4/http.html#paging

A page is what lies behind or before a place, in the order of the result. Places are values and
an ordinal, never a number of rows, so that what others write meanwhile moves nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from fhir_server.errors import TooCostly
from fhir_server.interactions.repository import Repository
from fhir_server.search.paging import Place
from fhir_server.search.prepared import Parts, Prepared
from fhir_server.search.sorting import ByIndex, ByValues
from fhir_server.storage.query import By, Order, Plan
from fhir_server.storage.versions import Page, Position, Version

_AT_ONCE: Final = 500
"""Matches read together while they are sorted; others get their turn in between."""


class Found(msgspec.Struct, frozen=True):
    """One page of a result."""

    versions: Sequence[Version] = ()
    previous: Place | None = None
    """Where the page before this one ends; None when this is the first."""
    next: Place | None = None
    """Where the page behind this one begins; None when this is the last."""
    parts: Sequence[int] = ()
    """Of each version the part of the result it is in, where the store has the order."""
    total: int | None = None
    """How many matches there are, where it had to be found out."""


async def find(prepared: Prepared, parts: Parts, repository: Repository, most_sorted: int) -> Found:
    """The page that was asked for; TooCostly when more would have to be sorted than allowed."""
    if isinstance(prepared.order, ByIndex):
        order = prepared.order.order
        if prepared.place is None and len(parts) == 1:
            return await _first_of_one(parts[0], order, prepared.controls.count, repository)
        return await _in_order(prepared, order, parts, repository)
    (plans,) = parts
    await require_few(prepared.order, plans, repository, most_sorted)
    return await _sorted(prepared, prepared.order, plans, repository)


async def _first_of_one(
    plans: Sequence[Plan], order: Order, count: int, repository: Repository
) -> Found:
    """The first page of a result of one part, as nearly all are."""
    page = await _merged(plans, order, None, count, repository)
    following = None if page.next is None else _place(0, page.next)
    return Found(page.versions, None, following, [0] * len(page.versions))


async def _in_order(
    prepared: Prepared, order: Order, parts: Parts, repository: Repository
) -> Found:
    """The page as indexes yield it, from one part on to the next until it is full."""
    place, count = prepared.place, prepared.controls.count
    backward = place is not None and place.backward
    walked = Order(order.by, order.descending is not backward)
    pages: list[tuple[int, Page]] = []
    further: Place | None = None
    for at, after in _walk(parts, place, backward=backward):
        left = count - sum(len(page.versions) for _, page in pages)
        page = await _merged(parts[at], walked, after, max(left, 1), repository)
        if not left and page.versions:
            further = Place((at,), 0)
        if not left:
            break
        pages.append((at, page))
        if page.next is not None:
            further = _place(at, page.next)
            break
    first = next((_place(at, page.first) for at, page in pages if page.first is not None), None)
    versions = [version for _, page in pages for version in page.versions]
    numbers = [at for at, page in pages for _ in page.versions]
    back = first if first is not None else _beyond(place, walked)
    shown = _found(versions, back if place is not None else None, further, backward=backward)
    return replace(shown, parts=numbers[::-1] if backward else numbers)


def _walk(
    parts: Parts, place: Place | None, *, backward: bool
) -> Sequence[tuple[int, Position | None]]:
    """The parts from a place on, in the direction of the page, and where in each to begin."""
    numbers = range(len(parts))
    if place is None:
        return [(at, None) for at in numbers]
    part, *value = place.values
    begun = Position(value[0], place.ordinal) if value else None  # type: ignore[arg-type]  # as sealed
    ahead = [at for at in numbers if (at < part if backward else at > part)]  # type: ignore[operator]  # likewise
    return [(int(part), begun), *((at, None) for at in (ahead[::-1] if backward else ahead))]  # type: ignore[arg-type]  # likewise


async def _merged(
    plans: Sequence[Plan],
    order: Order,
    after: Position | None,
    limit: int,
    repository: Repository,
) -> Page:
    """The page of several types together, in one order."""
    asked = [_asking(plan, order, after, limit) for plan in plans]
    if len(asked) == 1:
        return await repository.find(asked[0])
    pages = await asyncio.gather(*map(repository.find, asked))
    place_of = _POSITIONS[order.by]
    versions = sorted(
        (version for page in pages for version in page.versions),
        key=place_of,
        reverse=order.descending,
    )
    shown = versions[:limit]
    more = len(versions) > limit or any(page.next is not None for page in pages)
    return Page(
        shown,
        place_of(shown[-1]) if more and shown else None,
        place_of(shown[0]) if shown else None,
    )


def _asking(plan: Plan, order: Order, after: Position | None, limit: int) -> Plan:
    """The plan of one page; of a first page it often is that already."""
    if after is None and plan.after is None and plan.limit == limit and plan.order == order:
        return plan
    return replace(plan, order=order, after=after, limit=limit)


_POSITIONS: Final[dict[By, Callable[[Version], Position]]] = {
    By.ORDINAL: lambda version: Position(version.ordinal, version.ordinal),
    By.UPDATED: lambda version: Position(version.updated, version.ordinal),
    By.ID: lambda version: Position(version.id, version.ordinal),
}
"""Where a version stands, in the orders that several types have in common."""


def _place(part: int, position: Position) -> Place:
    return Place((part, position.value), position.ordinal)


def _beyond(place: Place | None, walked: Order) -> Place | None:
    """The place itself as the end of the page on its other side: nothing lies behind it."""
    if place is None:
        return None
    return place._replace(ordinal=place.ordinal + (-1 if walked.descending else 1))


def _found(
    versions: list[Version],
    back: Place | None,
    further: Place | None,
    *,
    backward: bool,
    total: int | None = None,
) -> Found:
    """A page from what was walked: `back` is where it was begun, `further` where it goes on."""
    if backward:
        previous = further._replace(backward=True) if further else None
        following = back and back._replace(backward=False)
        return Found(versions[::-1], previous, following, total=total)
    previous = back._replace(backward=True) if back else None
    return Found(versions, previous, further, total=total)


async def require_few(
    order: ByValues,
    plans: Sequence[Plan],
    repository: Repository,
    most: int,
) -> None:
    """TooCostly when all plans together have more than `most` matches to sort."""
    left = most
    for plan in plans:
        number, exact = await repository.count(plan, left)
        if not exact:
            names = ",".join(f"{'-' * key.descending}{key.code}" for key in order.keys)
            raise TooCostly(
                f"_sort={names} looks at every match, and there are more than {most}: add a "
                "condition that narrows the search, such as a patient, a code or a date, or sort "
                "by _lastUpdated or _id alone, of which there is an index."
            )
        left -= number


async def _sorted(
    prepared: Prepared, order: ByValues, plans: Sequence[Plan], repository: Repository
) -> Found:
    """The page among all matches, which are read a few at a time; only the best are kept."""
    place, count = prepared.place, prepared.controls.count
    backward = place is not None and place.backward
    from_ = order.rank(place) if place is not None else None
    best: list[tuple[tuple[Any, ...], Place, Version]] = []
    total = 0
    for plan in plans:
        after: Position | None = None
        while True:
            page = await repository.find(replace(plan, order=Order(), after=after, limit=_AT_ONCE))
            total += len(page.versions)
            best += _ranked(page.versions, order, from_, backward=backward)
            best.sort(key=_rank, reverse=backward)
            del best[count + 1 :]
            if page.next is None:
                break
            after = page.next
            await asyncio.sleep(0)
    shown = best[:count]
    walked = Order(By.ORDINAL, order.keys[0].descending is not backward)
    back = None if place is None else shown[0][1] if shown else _beyond(place, walked)
    further = shown[-1][1] if len(best) > count else None
    return _found([each[2] for each in shown], back, further, backward=backward, total=total)


def _rank(ranked: tuple[tuple[Any, ...], Place, Version]) -> tuple[Any, ...]:
    return ranked[0]


def _ranked(
    versions: Sequence[Version],
    order: ByValues,
    from_: tuple[Any, ...] | None,
    *,
    backward: bool,
) -> list[tuple[tuple[Any, ...], Place, Version]]:
    """Those of the versions that lie on the page's side of the place."""
    found = []
    for version in versions:
        place = order.place(version)
        rank = order.rank(place)
        if from_ is None or (rank < from_ if backward else rank > from_):
            found.append((rank, place, version))
    return found
