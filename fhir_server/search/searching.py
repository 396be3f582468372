"""Searching: the way from a query string to a plan, for everyone who asks.

https://hl7.org/fhir/R4/search.html

    pairs → query_string → binding → planning → Plan, and from a page's end → paging → next link
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo

from fhir_server.definitions.registry import Definitions
from fhir_server.definitions.search_parameters import SearchParameter
from fhir_server.errors import BadRequest
from fhir_server.kit.clock import Clock, SystemClock
from fhir_server.search.binding import Binder
from fhir_server.search.catalog import Catalog
from fhir_server.search.clause import shown
from fhir_server.search.controls import FORMATTING, Controls, Sizes, read_controls
from fhir_server.search.paging import PAGE_PARAMETER, Cursors, query_digest
from fhir_server.search.planning import Criterion, make_plan
from fhir_server.search.query_string import Limits, Pair, parse
from fhir_server.search.resolving import Deferred, Finder, resolved
from fhir_server.search.values.parameter import Context
from fhir_server.storage.query import Plan
from fhir_server.storage.versions import Position


@dataclass(frozen=True, slots=True)
class Prepared:
    """A search understood: what must hold, how to answer, and how to speak of it in links."""

    type: str
    criteria: tuple[Criterion | Deferred, ...]
    controls: Controls
    after: Position | None
    """Where the page begins; None for the first page."""
    asked: tuple[Pair, ...]
    """The criteria as they were sent, without what was dropped."""
    further: tuple[Pair, ...]
    """The controls as they were sent, without the place."""
    dropped: tuple[str, ...]
    """Names that lenient handling left out, as they were sent."""

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """What was understood, for self and next links."""
        return self.asked + self.further


class Searching:
    """Understands queries against the definitions; holds no data and waits for nothing."""

    def __init__(
        self,
        definitions: Definitions,
        base_url: str,
        page_key: bytes,
        *,
        limits: Limits | None = None,
        sizes: Sizes | None = None,
        clock: Clock | None = None,
        zone: tzinfo = UTC,
        catalog: Catalog | None = None,
    ) -> None:
        """`zone` is for dates and times that name none; a catalog may be shared."""
        self._limits = limits or Limits()
        self._binder = Binder(catalog or Catalog(definitions), self._limits.joined)
        self._cursors = Cursors(page_key)
        self._sizes = sizes or Sizes()
        self._clock = clock or SystemClock()
        self._zone = zone
        self._base_url = base_url

    def prepare(
        self, type_: str, pairs: Sequence[Pair], *, lenient: bool = False, caller: str = ""
    ) -> Prepared:
        """Understand a search of a type.

        UnknownParameter names what is unknown or not supported, unless `lenient` leaves it out;
        BadRequest says what is wrong with a value, a control or a page link. `caller` is whom
        page links belong to.
        """
        query = parse(pairs, self._limits)
        controls, kept, ignored = read_controls(query.controls, self._sizes, lenient=lenient)
        context = self._context()
        criteria, used, unknown = self._binder.bind(type_, query.clauses, context, lenient=lenient)
        asked = tuple(clause.pair for clause in used)
        after = None
        if controls.page is not None:
            after = self._cursors.open(controls.page, query_digest(type_, asked), caller)
        further = tuple(pair for pair in kept if pair[0] != PAGE_PARAMETER)
        return Prepared(type_, criteria, controls, after, asked, further, (*unknown, *ignored))

    def prepare_criteria(
        self, type_: str, pairs: Sequence[Pair]
    ) -> tuple[Criterion | Deferred, ...]:
        """Criteria alone, for conditional interactions and references.

        BadRequest when there are none, or when a pair is a control other than of the format:
        what selects one resource must select it whatever the answer looks like.
        """
        query = parse(pairs, self._limits)
        for name, _ in query.controls:
            if name not in FORMATTING:
                raise BadRequest(f"{shown(name)} is no criterion; leave it out here.")
        if not query.clauses:
            raise BadRequest("At least one criterion is needed, such as identifier=system|value.")
        return self._binder.bind(type_, query.clauses, self._context(), lenient=False)[0]

    def searchable(self, type_: str) -> Sequence[SearchParameter]:
        """Definitions of the parameters that a type can be searched by; KeyError if unknown."""
        return self._binder.searchable(type_)

    async def plan(self, prepared: Prepared, finder: Finder) -> Plan:
        """The plan for the page that was asked for."""
        plan = await self._plan(prepared.type, prepared.criteria, finder)
        return replace(plan, after=prepared.after, limit=prepared.controls.count)

    async def criteria_plan(self, type_: str, pairs: Sequence[Pair], finder: Finder) -> Plan:
        """The plan of criteria alone; see `prepare_criteria`."""
        return await self._plan(type_, self.prepare_criteria(type_, pairs), finder)

    async def _plan(
        self, type_: str, criteria: Sequence[Criterion | Deferred], finder: Finder
    ) -> Plan:
        known = await resolved(criteria, finder)
        return await make_plan(self._binder.scheme(type_), known, finder.estimate)

    def _context(self) -> Context:
        return Context(self._clock.now(), self._zone, self._base_url)

    def page_pair(self, prepared: Prepared, position: Position, caller: str = "") -> Pair:
        """What a link to the page behind `position` carries besides `prepared.pairs`."""
        digest = query_digest(prepared.type, prepared.asked)
        return PAGE_PARAMETER, self._cursors.seal(position, digest, caller)
