"""Binding: clauses meet definitions and become criteria that can be tested.

https://hl7.org/fhir/R4/search.html#errors

What nobody defined is refused by name, with the nearest names there are; lenient handling
leaves it out and says so. A wrong value is always refused.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from fhir_server.definitions.search_parameters import SearchParameter
from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.search.bound import Bound
from fhir_server.search.catalog import STORED, Catalog
from fhir_server.search.chaining import chained, listed, reverse_chained
from fhir_server.search.clause import Clause, shown
from fhir_server.search.criterion import Criterion
from fhir_server.search.filtering import filtered
from fhir_server.search.full_text import full_text_criteria
from fhir_server.search.joining import Criteria, Joining
from fhir_server.search.modifiers import criterion_of, modifiers_of
from fhir_server.search.parameters import ready_parameter
from fhir_server.search.query_string import of_the_moment
from fhir_server.search.resolving import Deferred
from fhir_server.search.schemes import PATIENT, Scheme, scheme_of
from fhir_server.search.stored import STORED_MODIFIERS, stored_criterion
from fhir_server.search.values.parameter import Context
from fhir_server.search.values.table import VALUES
from fhir_server.search.words import FULL_TEXT, FullText
from fhir_server.terminology.service import Terminology

_NOT_BUILT = frozenset({"_query", "_type"})
"""Parameters of the specification that no element stands behind."""
_JOINS: Final[Mapping[str, Callable[[str, Clause, Joining], Criteria]]] = {
    "_filter": filtered,
    "_has": reverse_chained,
    "_list": listed,
}
"""Parameters that other searches answer."""
_MOST_NEAREST = 3
_MOST_REMEMBERED = 2048
"""Criteria kept; many searches ask for the same codes and the same patients again."""
_LONGEST_REMEMBERED = 200
"""Characters of all values together."""


class Binder:
    """Binds clauses of any type; what it makes of definitions is kept."""

    def __init__(
        self,
        catalog: Catalog,
        most_joined: int,
        full_text: FullText = FullText.TEXT,
        terminology: Terminology | None = None,
    ) -> None:
        """`most_joined` is how many resources one link of a chain may match."""
        self._full_text = full_text
        self._catalog = catalog
        self.terminology = terminology or Terminology(catalog.definitions)
        self._most_joined = most_joined
        self._patients = catalog.definitions.compartment(PATIENT)
        self._schemes: dict[str, Scheme] = {}
        self._ready: dict[tuple[str, str], Bound] = {}
        self._criteria: OrderedDict[tuple[str, str, tuple[str, ...]], Criteria] = OrderedDict()

    def bind(
        self, type_: str, clauses: Sequence[Clause], context: Context, *, lenient: bool
    ) -> tuple[Criteria, tuple[Clause, ...], tuple[str, ...]]:
        """Criteria, the clauses they come from, and the names that lenient handling left out."""
        criteria: list[Criterion | Deferred] = []
        used, left_out = [], []
        for clause in clauses:
            try:
                some = self._remembered(type_, clause, context)
            except UnknownParameter:
                if not lenient:
                    raise
                left_out.append(clause.text)
            else:
                criteria += some
                used.append(clause)
        return tuple(criteria), tuple(used), tuple(left_out)

    def searchable(self, type_: str) -> Sequence[SearchParameter]:
        """Definitions of the parameters that can be searched by, in order of their codes."""
        catalog = self._catalog.of(type_)
        codes = {code for code, each in catalog.compiled.items() if each.type in VALUES}
        codes |= STORED | (_JOINS.keys() & catalog.definitions.keys())
        codes |= {code for code in FULL_TEXT if self._has_full_text(type_, code)}
        return [catalog.definitions[code] for code in sorted(codes)]

    def modifiers(self, type_: str, code: str) -> Sequence[str]:
        """What a parameter may be followed by, the types of a reference included."""
        if code in STORED:
            return STORED_MODIFIERS[code]
        if code in _JOINS or code in FULL_TEXT:
            return ()
        bound = self.bound(type_, code)
        return [*modifiers_of(bound), *(bound.targets if len(bound.targets) > 1 else ())]

    def scheme(self, type_: str) -> Scheme:
        """The drivers of a type."""
        known = self._schemes.get(type_)
        if known is None:
            known = self._schemes[type_] = scheme_of(self._catalog.of(type_), self._patients)
        return known

    @property
    def types(self) -> frozenset[str]:
        return self._catalog.definitions.resource_types

    def knows(self, type_: str, name: str) -> bool:
        """Whether a type has a parameter of this name, be it supported or not."""
        if name in _JOINS or name in _NOT_BUILT:
            return True
        return self._catalog.definitions.search_parameter(type_, name) is not None

    def bound(self, type_: str, name: str) -> Bound:
        """A parameter of a type; UnknownParameter if there is none."""
        place = type_, name
        known = self._ready.get(place)
        if known is None:
            catalog = self._catalog.of(type_)
            if name not in catalog.compiled:
                raise self._unknown(type_, name)
            elements = self._catalog.definitions.elements
            known = ready_parameter(name, catalog, self.scheme(type_), elements)
            if known is None:
                raise _not_yet(name)
            self._ready[place] = known
        return known

    def criteria(self, type_: str, clause: Clause, joining: Joining) -> Criteria:
        """What a clause asks, always anew."""
        join = _JOINS.get(clause.name)
        if join is not None:
            return join(type_, clause, joining)
        if clause.chain:
            return chained(type_, clause, joining)
        if clause.name in FULL_TEXT and clause.name in self._catalog.of(type_).definitions:
            return full_text_criteria(type_, clause, self._full_text)
        if clause.name in STORED:
            return (stored_criterion(clause, joining.context),)
        return (criterion_of(self.bound(type_, clause.name), clause, joining),)

    def _has_full_text(self, type_: str, code: str) -> bool:
        known = self._catalog.of(type_).definitions
        return code in known and self._full_text >= FULL_TEXT[code]

    def _remembered(self, type_: str, clause: Clause, context: Context) -> Criteria:
        """The criteria, from memory if they were asked before."""
        place = type_, clause.text, clause.values
        known = self._criteria.get(place)
        if known is None:
            known = self._asked(type_, clause, context)
            if _worth_remembering(clause):
                if len(self._criteria) >= _MOST_REMEMBERED:
                    self._criteria.popitem(last=False)
                self._criteria[place] = known
        return known

    def _asked(self, type_: str, clause: Clause, context: Context) -> Criteria:
        """The criteria; of what is wrong behind a join, the message says where it was met."""
        try:
            return self.criteria(type_, clause, Joining(self, context, self._most_joined))
        except BadRequest as error:
            if not clause.chain and clause.name not in _JOINS:
                raise
            raise type(error)(f"{clause.shown}: {error.message}") from None

    def _unknown(self, type_: str, name: str) -> UnknownParameter:
        catalog = self._catalog.of(type_)
        if name in catalog.left_over or name in _NOT_BUILT:
            return _not_yet(name)
        nearest = get_close_matches(
            name[:64], [each.code for each in self.searchable(type_)], _MOST_NEAREST
        )
        advice = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
        return UnknownParameter(f"{type_} has no search parameter {shown(name)!r}.{advice}")


def _worth_remembering(clause: Clause) -> bool:
    """Short ones only, so that memory stays small."""
    written = 0
    for value in clause.values:
        written += len(value)
        if written > _LONGEST_REMEMBERED or of_the_moment(value):
            return False
    return True


def _not_yet(name: str) -> UnknownParameter:
    return UnknownParameter(f"Not supported yet: {shown(name)}.")
