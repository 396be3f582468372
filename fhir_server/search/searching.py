"""Searching: the way from a query string to a plan, for everyone who asks.

https://hl7.org/fhir/R4/search.html

    pairs → query_string → binding → planning → Plan, and from a page's end → paging → next link
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from functools import lru_cache, partial
from typing import Final

from msgspec.structs import replace

from fhir_server.definitions.registry import Definitions
from fhir_server.definitions.search_parameters import SearchParameter
from fhir_server.errors import BadRequest
from fhir_server.kit.clock import Clock, SystemClock
from fhir_server.kit.url import with_query
from fhir_server.search.binding import Binder
from fhir_server.search.canonicals import StoredDefinitions
from fhir_server.search.catalog import Catalog
from fhir_server.search.clause import Clause, shown
from fhir_server.search.compartments import membership
from fhir_server.search.containing import Containing, require_containable
from fhir_server.search.controls import (
    FORMATTING,
    Contained,
    Controls,
    Fields,
    Sizes,
    processed,
    read_controls,
)
from fhir_server.search.criterion import Criterion, any_of
from fhir_server.search.explaining import Explanation, explain, narrowing
from fhir_server.search.including import Linking
from fhir_server.search.joining import Joining
from fhir_server.search.paging import PAGE_PARAMETER, Cursors, Place, query_digest
from fhir_server.search.planning import OLDEST_FIRST, Ways, dated_first, make_plan
from fhir_server.search.prepared import Parts, Prepared
from fhir_server.search.query_string import Limits, Pair, of_the_moment, parse
from fhir_server.search.resolving import Deferred, Finder, resolved, ways_of
from fhir_server.search.scopes import Scope, of_type
from fhir_server.search.sorting import ByIndex, ByValues, Sorter
from fhir_server.search.subsetting import Subsetting
from fhir_server.search.values.parameter import Context
from fhir_server.search.words import FullText
from fhir_server.storage.query import KeyIs, Order, Plan
from fhir_server.terminology.library import Library
from fhir_server.terminology.service import Terminology

_MOST_REMEMBERED: Final = 1024
"""Searches whose meaning is kept."""
_LONGEST_REMEMBERED: Final = 300
"""Characters of all names and values of such a search."""
_MOST_TYPES_REMEMBERED: Final = 10
"""Types that such a search looks through: it is remembered what it means for each."""
_Criteria = Mapping[str, tuple[Criterion | Deferred, ...]]
"""By type."""


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
        full_text: FullText = FullText.TEXT,
    ) -> None:
        """`zone` is for dates and times that name none; a catalog may be shared."""
        catalog = catalog or Catalog(definitions)
        self._definitions = definitions
        self._limits = limits or Limits()
        self._binder = Binder(catalog, self._limits.joined, full_text)
        self._cursors = Cursors(page_key)
        self.sizes = sizes or Sizes()
        self._clock = clock or SystemClock()
        self._zone = zone
        self._base_url = base_url
        self._sorter = Sorter(catalog, self._binder.scheme, zone, base_url)
        self.linking = Linking(catalog, self._binder.scheme, base_url)
        self.subsetting = Subsetting(definitions.elements)
        containers = (
            each
            for each in sorted(definitions.resource_types)
            if "contained" in definitions.elements.children(each)
        )
        self._containing = Containing(tuple(containers), self._binder.scheme)
        self._prepared: OrderedDict[tuple[Scope, tuple[Pair, ...], bool, str], Prepared] = (
            OrderedDict()
        )
        """What was asked lately: screens and jobs ask the same again and again."""
        self._kept_controls = lru_cache(maxsize=_MOST_REMEMBERED)(self._controls)

    def prepare(
        self, scope: Scope | str, pairs: Sequence[Pair], *, lenient: bool = False, caller: str = ""
    ) -> Prepared:
        """Understand a search of a type, or of a wider scope.

        UnknownParameter names what is unknown or not supported, unless `lenient` leaves it out;
        BadRequest says what is wrong with a value, a control or a page link. `caller` is whom
        page links belong to.
        """
        scope = of_type(scope) if isinstance(scope, str) else scope
        asked = (scope, tuple(pairs), lenient, caller)
        known = self._prepared.get(asked)
        if known is None:
            worth = _worth_remembering((*scope.asked, *pairs))
            known = self._prepare(scope, pairs, lenient=lenient, caller=caller, worth=worth)
            if worth and len(scope.types) <= _MOST_TYPES_REMEMBERED:
                if len(self._prepared) >= _MOST_REMEMBERED:
                    self._prepared.popitem(last=False)
                self._prepared[asked] = known
        return known

    def _prepare(
        self, scope: Scope, pairs: Sequence[Pair], *, lenient: bool, caller: str, worth: bool
    ) -> Prepared:
        """`worth` says whether all the pairs are worth remembering, and so their controls."""
        query = parse(pairs, self._limits)
        read = self._controls
        if worth or _worth_remembering(query.controls):
            read = self._kept_controls
        controls, further, ignored = read(scope.types, query.controls, lenient)
        criteria, used, unknown = self._bind(scope, query.clauses, lenient=lenient)
        order = self._sorter.order(scope.types, controls.sort)
        asked = (*scope.asked, *[clause.pair for clause in used])
        url = with_query("/".join((self._base_url, *scope.path)), asked + further)
        told = (*unknown, *ignored)
        ways, parts = self._planned(criteria, order, controls)
        prepared = Prepared(
            scope, criteria, controls, order, asked, further, url, told, ways=ways, parts=parts
        )
        if controls.contained is not Contained.FALSE:
            require_containable(prepared)
        return self._placed(prepared, caller)

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

    @property
    def terminology(self) -> Terminology:
        """What value sets and code systems mean, for searches and for whoever else asks."""
        return self._binder.terminology

    def library(self, finder: Finder) -> Library:
        """The definitions that are stored, as far as the caller may see them."""
        joining = Joining(self._binder, self._context(), self._limits.joined)
        return StoredDefinitions(joining, finder)

    def searchable(self, type_: str) -> Sequence[SearchParameter]:
        """Definitions of the parameters that a type can be searched by; KeyError if unknown."""
        return self._binder.searchable(type_)

    def modifiers(self, type_: str, code: str) -> Sequence[str]:
        """Names of the modifiers that a searchable parameter takes."""
        return self._binder.modifiers(type_, code)

    async def plans(self, prepared: Prepared, finder: Finder) -> Parts:
        """What to ask the store: one part of the result after the other, of each part all types.

        The plans have the order of the result; what they lack is the place and the limit.
        """
        if prepared.parts is not None:
            return prepared.parts
        if prepared.controls.contained is not Contained.FALSE:
            return await self._containing.plans(prepared, finder)
        order = prepared.order.order if isinstance(prepared.order, ByIndex) else OLDEST_FIRST
        plans = [
            await self._plan(type_, criteria, finder, order, prepared.ways.get(type_))
            for type_, criteria in prepared.criteria.items()
        ]
        return self._in_parts(prepared.criteria, prepared.order, plans)

    def _planned(
        self, criteria: _Criteria, order: ByIndex | ByValues, controls: Controls
    ) -> tuple[Mapping[str, Ways], Parts | None]:
        """The plans of a page where nothing has to be asked for them, else what they choose from.

        That is by type, without those where other searches come first.
        """
        if controls.contained is not Contained.FALSE or controls.explain:
            return {}, None
        wanted = order.order if isinstance(order, ByIndex) else OLDEST_FIRST
        ways: dict[str, Ways] = {}
        plans: list[Plan] = []
        for type_, some in criteria.items():
            found = ways_of(self._binder.scheme(type_), some, wanted)
            if found is not None:
                ways[type_] = found
                plan = found.decided()
                if plan is not None:
                    plans.append(replace(plan, limit=controls.count))
        if len(plans) < len(criteria):
            return ways, None
        return {}, self._in_parts(criteria, order, plans)

    def _in_parts(
        self, criteria: _Criteria, order: ByIndex | ByValues, plans: Sequence[Plan]
    ) -> Parts:
        if isinstance(order, ByIndex) and order.dated_first:
            ((type_, some),) = criteria.items()
            return [[plan] for plan in dated_first(self._binder.scheme(type_), some, plans[0])]
        return [plans]

    async def explain(self, prepared: Prepared, finder: Finder) -> Sequence[Explanation]:
        """How each type is searched; a refusal of the search is told there, not raised."""
        order = prepared.order.order if isinstance(prepared.order, ByIndex) else OLDEST_FIRST
        return [
            await explain(self._binder.scheme(type_), criteria, finder, order)
            for type_, criteria in prepared.criteria.items()
        ]

    def narrowing(self, type_: str, criteria: Sequence[str]) -> Sequence[str]:
        """Parameters that would narrow a search of a type most, best first."""
        knows = partial(self._binder.knows, type_)
        return narrowing(self._binder.scheme(type_), criteria, knows)

    def referring_plan(self, type_: str, codes: Sequence[str], targets: Sequence[str]) -> Plan:
        """What refers to one of the targets by one of the parameters, oldest first.

        Targets are written as search values: `Type/id`, or an escaped url.
        """
        context = self._context()
        clauses = [Clause(code, None, (), tuple(targets), code) for code in codes]
        criteria, _, _ = self._binder.bind(type_, clauses, context, lenient=False)
        test = any_of([each.test for each in criteria if isinstance(each, Criterion)])
        return Plan(type_, test) if isinstance(test, KeyIs) else Plan(type_, None, (test,))

    async def criteria_plan(self, type_: str, pairs: Sequence[Pair], finder: Finder) -> Plan:
        """The plan of criteria alone; see `prepare_criteria`."""
        return await self._plan(type_, self.prepare_criteria(type_, pairs), finder)

    def sealed(self, prepared: Prepared, place: Place, caller: str = "") -> str:
        """The `_page` by which a link besides `prepared.pairs` leads to the page at `place`."""
        return self._cursors.seal(place, _digest(prepared), caller)

    def _controls(
        self,
        types: tuple[str, ...],
        pairs: tuple[Pair, ...],
        lenient: bool,  # noqa: FBT001 -- a memory of positional arguments is the faster one
    ) -> tuple[Controls, tuple[Pair, ...], tuple[str, ...]]:
        """The controls, their pairs for links, and the names that lenient handling left out."""
        require = partial(self._require_known, types)
        controls, kept, ignored = read_controls(pairs, self.sizes, lenient=lenient, require=require)
        further = [pair for pair in kept if pair[0] != PAGE_PARAMETER]
        return controls, processed(further, controls), ignored

    def _require_known(self, types: tuple[str, ...], fields: Fields) -> None:
        """UnknownParameter for what a control names and the types do not have."""
        if "sort" in fields:
            self._sorter.order(types, fields["sort"])
        for inclusion in fields.get("inclusions", ()):
            self.linking.require(inclusion, types)
        if "elements" in fields:
            self.subsetting.require_elements(types, fields["elements"])

    def _bind(
        self, scope: Scope, clauses: Sequence[Clause], *, lenient: bool
    ) -> tuple[_Criteria, Sequence[Clause], Sequence[str]]:
        """Criteria by type; a parameter that one of several types lacks is known to none."""
        context = self._context()
        unknown: list[str] = []
        while True:
            criteria: dict[str, tuple[Criterion | Deferred, ...]] = {}
            used: Sequence[Clause] = clauses
            left_out: Sequence[str] = ()
            for type_ in scope.types:
                criteria[type_], used, left_out = self._binder.bind(
                    type_, clauses, context, lenient=lenient
                )
                if left_out:
                    break
            if not left_out:
                return self._in_compartment(scope, criteria), clauses, unknown
            clauses, unknown = used, [*unknown, *left_out]

    def _in_compartment(self, scope: Scope, criteria: _Criteria) -> _Criteria:
        """With what makes a member of the compartment, if one is searched."""
        if scope.compartment is None:
            return criteria
        context, compartment = self._context(), scope.compartment
        return {
            type_: (
                membership(type_, compartment, self._definitions, self._binder, context),
                *some,
            )
            for type_, some in criteria.items()
        }

    def _placed(self, prepared: Prepared, caller: str) -> Prepared:
        """With the place that the page link names, if there is one."""
        page = prepared.controls.page
        if page is None:
            return prepared
        return replace(prepared, place=self._cursors.open(page, _digest(prepared), caller))

    async def _plan(
        self,
        type_: str,
        criteria: Sequence[Criterion | Deferred],
        finder: Finder,
        order: Order = OLDEST_FIRST,
        ways: Ways | None = None,
    ) -> Plan:
        known = await resolved(criteria, finder)
        scheme = self._binder.scheme(type_)
        return await make_plan(scheme, known, finder.estimate, order=order, ways=ways)

    def _context(self) -> Context:
        return Context(self._clock.now(), self._zone, self._base_url)


def _worth_remembering(pairs: Sequence[Pair]) -> bool:
    """Short ones only, but for the pages behind the first."""
    written = 0
    for name, value in pairs:
        written += len(name) + len(value)
        if name == PAGE_PARAMETER or of_the_moment(value):
            return False
    return written <= _LONGEST_REMEMBERED


def _digest(prepared: Prepared) -> bytes:
    """Which result a page link belongs to: its criteria and its order."""
    controls = prepared.controls
    order = [(key.code, key.descending) for key in controls.sort]
    shown = (controls.contained.value, controls.contained_alone)
    return query_digest("/".join(prepared.scope.path), prepared.asked, order, shown)
