"""Resolving: criteria that ask the store before they can be tested.

https://hl7.org/fhir/R4/search.html#chaining

A chain, `_has` or `_list` is a search of its own, whose matches become a plain criterion:

    subject:Patient.name=peter  →  find Patients by name=peter  →  subject=Patient/1,Patient/2
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fhir_server.search.criterion import Criterion
from fhir_server.search.planning import Ways
from fhir_server.search.schemes import Scheme
from fhir_server.storage.query import Driver, Order, Plan
from fhir_server.storage.versions import Page


class Finder(Protocol):
    """What a search may ask on its way to a plan; the repository of the caller is one."""

    async def estimate(self, type_: str, driver: Driver | None) -> int:
        """About how many live resources a driver yields, at most 1,000."""
        ...

    async def find(self, plan: Plan) -> Page:
        """The matches themselves, at most `plan.limit`."""
        ...

    async def find_ids(self, plan: Plan) -> Sequence[str]:
        """Ids of the matches, at most `plan.limit`."""
        ...

    async def find_keys(self, plan: Plan, low: bytes, high: bytes) -> Sequence[bytes]:
        """Keys in [low, high) that the matches carry, each once, at most `plan.limit`."""
        ...

    async def count(self, plan: Plan, cap: int | None = None) -> tuple[int, bool]:
        """The number of matches, no further than `cap`; True if exact."""
        ...


@dataclass(frozen=True, slots=True)
class Deferred:
    """A criterion that is known once other resources were found."""

    code: str
    """The parameter as it was sent, for explanations."""
    resolve: Callable[[Finder], Awaitable[Criterion]]
    """Asks what there is to ask; BadRequest or TooCostly says what is wrong with the answer."""
    by_others: bool = False
    """Whether it is about what refers to a match, which nothing does to a contained resource."""


def ways_of(scheme: Scheme, criteria: Sequence[Criterion | Deferred], order: Order) -> Ways | None:
    """The ways to search, which can be kept; None where the criteria are not known yet."""
    known = [each for each in criteria if isinstance(each, Criterion)]
    return Ways(scheme, known, order) if len(known) == len(criteria) else None


async def resolved(
    criteria: Sequence[Criterion | Deferred], finder: Finder
) -> tuple[Criterion, ...]:
    """All criteria, the deferred ones resolved one after the other."""
    return tuple(
        [await each.resolve(finder) if isinstance(each, Deferred) else each for each in criteria]
    )
