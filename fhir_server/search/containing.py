"""Containing: the plans of a search for contained resources, by what contains them.

https://hl7.org/fhir/R4/search.html#contained

    _containedType=container   one plan a type: any of its slots meets the criteria, each match once
    _containedType=contained   one part of the result a slot, so that each match is one resource

Which types contain such resources, and how many each, is asked of the store first.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fhir_server.errors import BadRequest, TooCostly
from fhir_server.search.contained import MOST_SLOTS, criteria_in_slot, there
from fhir_server.search.controls import Contained
from fhir_server.search.criterion import Criterion, Rank, any_of
from fhir_server.search.planning import make_plan
from fhir_server.search.prepared import Parts, Prepared
from fhir_server.search.resolving import Deferred, Finder, resolved
from fhir_server.search.schemes import Scheme
from fhir_server.search.sorting import ByIndex
from fhir_server.storage.query import AllOf, By, KeyIs, Order, Plan, Test


def require_containable(prepared: Prepared) -> None:
    """BadRequest for what cannot be asked of contained resources."""
    scope, order = prepared.scope, prepared.order
    if len(scope.path) != 1 or scope.compartment is not None:
        raise BadRequest(
            "_contained is for a search of one type, such as Medication?_contained=true."
        )
    if not isinstance(order, ByIndex) or order.order.by is By.START:
        raise BadRequest("With _contained, _sort takes _lastUpdated or _id, those of containers.")
    if prepared.controls.explain:
        raise BadRequest("_explain cannot be asked together with _contained; ask for either.")
    for criteria in prepared.criteria.values():
        for each in criteria:
            if isinstance(each, Deferred) and each.by_others:
                raise BadRequest(
                    f"{each.code} cannot be asked together with _contained, as it is about what"
                    " refers to a match (_has or _list): nothing refers to a contained resource"
                    " from elsewhere."
                )


def first_slot(prepared: Prepared) -> int:
    """The part of the result that is the first slot, where each slot is a part."""
    return 1 if prepared.controls.contained is Contained.BOTH else 0


@dataclass(frozen=True, slots=True)
class _Asking:
    type: str
    criteria: tuple[Criterion, ...]
    finder: Finder
    order: Order


class Containing:
    """Makes plans; `containers` are the types that may contain resources."""

    def __init__(self, containers: Sequence[str], scheme: Callable[[str], Scheme]) -> None:
        self._containers = containers
        self._scheme = scheme

    async def plans(self, prepared: Prepared, finder: Finder) -> Parts:
        """The parts of the result; see `Searching.plans`. TooCostly beyond MOST_SLOTS."""
        ((type_, criteria),) = prepared.criteria.items()
        assert isinstance(prepared.order, ByIndex)  # noqa: S101 -- no other order is let through
        asking = _Asking(type_, await resolved(criteria, finder), finder, prepared.order.order)
        slots = await self._slots(type_, finder)
        both = prepared.controls.contained is Contained.BOTH
        if not prepared.controls.contained_alone:
            return [await self._of_containers(asking, slots, both=both)]
        parts = [[await self._plan(asking, type_, asking.criteria)]] if both else []
        for slot in range(max(slots.values(), default=0)):
            having = [each for each, number in slots.items() if number > slot]
            parts.append(
                [
                    await self._plan(asking, each, criteria_in_slot(type_, asking.criteria, slot))
                    for each in having
                ]
            )
        reached = int(prepared.place.values[0]) + 1 if prepared.place else 1  # type: ignore[arg-type]  # as sealed
        return [*parts, *([] for _ in range(reached - len(parts)))]

    async def _of_containers(
        self, asking: _Asking, slots: dict[str, int], *, both: bool
    ) -> Sequence[Plan]:
        plans = []
        for container in dict.fromkeys((*slots, *((asking.type,) if both else ()))):
            ways = [
                criteria_in_slot(asking.type, asking.criteria, slot)
                for slot in range(slots.get(container, 0))
            ]
            if both and container == asking.type:
                ways.append(asking.criteria)
            criteria = ways[0] if len(ways) == 1 else (_any_way(ways),)
            plans.append(await self._plan(asking, container, criteria))
        return plans

    async def _plan(self, asking: _Asking, type_: str, criteria: tuple[Criterion, ...]) -> Plan:
        return await make_plan(
            self._scheme(type_), criteria, asking.finder.estimate, order=asking.order
        )

    async def _slots(self, type_: str, finder: Finder) -> dict[str, int]:
        """How many contained resources of the type there are at most, by types that have some."""
        numbers = await asyncio.gather(
            *(_slots_in(container, type_, finder) for container in self._containers)
        )
        return {
            container: number
            for container, number in zip(self._containers, numbers, strict=True)
            if number
        }


def _any_way(ways: Sequence[tuple[Criterion, ...]]) -> Criterion:
    tests: list[Test] = [AllOf(tuple(each.test for each in way)) for way in ways]
    return Criterion("_contained", any_of(tests), Rank.TOKEN)


async def _slots_in(container: str, type_: str, finder: Finder) -> int:
    number = 0
    while (await finder.count(Plan(container, KeyIs((there(type_, number),))), 1))[0]:
        number += 1
        if number > MOST_SLOTS:
            raise TooCostly(
                f"Some {container} contains more than {MOST_SLOTS} resources of type {type_}, which"
                " is more than _contained looks through; search without it."
            )
    return number
