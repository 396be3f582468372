"""Joining: a criterion that is answered by other searches first, each of them a stage.

https://hl7.org/fhir/R4/search.html#chaining

A stage matches at most as many resources as the house allows; beyond, the search is refused and
never cut short. Between stages go keys and ids, no resource is read:

    a reference  →  the resource it refers to    prefix of the reference, form  →  own prefix, form
    a resource   →  references to it             id  →  prefix of the reference, form of the id
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec.structs import replace

from fhir_server.errors import TooCostly
from fhir_server.search.bound import Bound
from fhir_server.search.clause import Clause, shown
from fhir_server.search.criterion import Criterion
from fhir_server.search.planning import OLDEST_FIRST, Ways, make_plan
from fhir_server.search.resolving import Deferred, Finder, resolved, ways_of
from fhir_server.search.schemes import Scheme
from fhir_server.search.values.parameter import Context
from fhir_server.storage.query import IdIs, KeyIn, Plan
from fhir_server.terminology.service import Terminology

MOST_LINKS: Final = 16
"""How deep joins may nest in one criterion."""
MOST_STAGES: Final = 200
"""How many searches one criterion may need; a chain without types asks every type it may mean."""
_MOST_TRIED: Final = 2 * MOST_STAGES
"""How many may be begun, those included that come to nothing as a type lacks the parameter."""
_COUNTED: Final = 10
"""How many times the allowed number is counted to, to say how many there are."""

Criteria = tuple[Criterion | Deferred, ...]
"""All of them must hold."""


class Binding(Protocol):
    """What joins need to know of types and parameters; the binder is one."""

    @property
    def types(self) -> frozenset[str]:
        """Resource types that can be searched."""
        ...

    @property
    def terminology(self) -> Terminology:
        """What value sets and code systems mean."""
        ...

    def knows(self, type_: str, name: str) -> bool:
        """Whether a type has a parameter of this name, be it supported or not."""
        ...

    def bound(self, type_: str, name: str) -> Bound:
        """A parameter; UnknownParameter if there is none."""
        ...

    def scheme(self, type_: str) -> Scheme: ...

    def criteria(self, type_: str, clause: Clause, joining: "Joining") -> Criteria: ...


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the searches that a criterion waits for."""

    scheme: Scheme
    criteria: Criteria
    asked: str
    """The criteria as they were written, for messages."""
    most: int
    ways: Ways | None = None
    """How it can be searched, unless other searches come first."""

    @property
    def type(self) -> str:
        return self.scheme.terms.type

    async def ids(self, finder: Finder) -> Sequence[str]:
        """Ids of the matches; TooCostly when there are too many."""
        plan = await self._plan(finder)
        found = [] if _matches_nothing(plan) else await finder.find_ids(plan)
        if len(found) > self.most:
            raise await self._too_many(plan, finder)
        return found

    async def keys(self, finder: Finder, within: Sequence[KeyIn]) -> Sequence[bytes]:
        """Keys of these ranges that the matches carry; TooCostly when there are too many."""
        plan = await self._plan(finder)
        if _matches_nothing(plan):
            return ()
        found: list[bytes] = []
        for each in within:
            assert isinstance(each.low, bytes)  # noqa: S101 -- ranges of texts are of strings
            assert isinstance(each.high, bytes)  # noqa: S101 -- likewise
            found += await finder.find_keys(plan, each.low, each.high)
        if len(found) > self.most:
            raise await self._too_many(plan, finder)
        return found

    async def _plan(self, finder: Finder) -> Plan:
        """The plan of at most one match more than is allowed."""
        known = await resolved(self.criteria, finder)
        plan = await make_plan(self.scheme, known, finder.estimate, ways=self.ways)
        return replace(plan, limit=self.most + 1)

    async def _too_many(self, plan: Plan, finder: Finder) -> TooCostly:
        number, exact = await finder.count(plan, _COUNTED * self.most)
        return TooCostly(
            f"{number if exact else f'More than {number}'} {self.type} match {shown(self.asked)}, "
            f"and a join takes {self.most} at most. Ask for fewer {self.type}: by a more selective "
            f"value, or by several conditions together, as in "
            f"_filter=reference[one eq a and other eq b]._id pr true."
        )


class Joining:
    """One criterion while it is bound, with what all its stages have in common."""

    def __init__(self, binding: Binding, context: Context, most: int) -> None:
        """`most` is how many resources a stage may match."""
        self.binding = binding
        self.context = context
        self._most = most
        self._depth = 0
        self._stages = 0
        self._tried = 0

    def stage(self, type_: str, clause: Clause) -> Stage:
        """The search of a type by one clause; TooCostly beyond MOST_LINKS and MOST_STAGES."""
        with self.deeper():
            criteria = self.binding.criteria(type_, clause, self)
        return self.stage_of(type_, criteria, f"{type_}?{clause.text}={','.join(clause.values)}")

    def stage_of(self, type_: str, criteria: Criteria, asked: str) -> Stage:
        """The search of a type by criteria that are bound already."""
        self._stages += 1
        if self._stages > MOST_STAGES:
            raise _too_many_searches()
        scheme = self.binding.scheme(type_)
        return Stage(scheme, criteria, asked, self._most, ways_of(scheme, criteria, OLDEST_FIRST))

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """While the criteria of a stage are bound; TooCostly beyond MOST_LINKS, or too many."""
        self._tried += 1
        if self._tried > _MOST_TRIED:
            raise _too_many_searches()
        self._depth += 1
        if self._depth > MOST_LINKS:
            raise TooCostly(f"More than {MOST_LINKS} joins in one another are not followed.")
        try:
            yield
        finally:
            self._depth -= 1


def _too_many_searches() -> TooCostly:
    return TooCostly(
        f"It would need more than {MOST_STAGES} searches; say which types are meant, as in "
        "subject:Patient.name."
    )


def _matches_nothing(plan: Plan) -> bool:
    return isinstance(plan.drive, IdIs) and not plan.drive.ids
