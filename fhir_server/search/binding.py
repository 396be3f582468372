"""Binding: clauses meet definitions and become criteria that can be tested.

https://hl7.org/fhir/R4/search.html#errors

What nobody defined is refused by name, with the nearest names there are; lenient handling
leaves it out and says so. A wrong value is always refused.
"""

from collections.abc import Sequence
from difflib import get_close_matches

from fhir_server.definitions.search_parameters import SearchParameter
from fhir_server.errors import UnknownParameter
from fhir_server.search.bound import Bound
from fhir_server.search.catalog import STORED, Catalog
from fhir_server.search.clause import Clause, shown
from fhir_server.search.modifiers import criterion_of, refusal
from fhir_server.search.parameters import ready_parameter
from fhir_server.search.planning import Criterion
from fhir_server.search.resolving import Deferred
from fhir_server.search.schemes import PATIENT, Scheme, scheme_of
from fhir_server.search.stored import stored_criterion
from fhir_server.search.values.parameter import Context
from fhir_server.search.values.table import VALUES

_NOT_BUILT = frozenset({"_content", "_filter", "_has", "_list", "_query", "_text", "_type"})
"""Parameters of the specification that no element stands behind."""
_MOST_NEAREST = 3
_MOST_REMEMBERED = 2048
"""Criteria kept; many searches ask for the same codes and the same patients again."""
_LONGEST_REMEMBERED = 200
"""Characters of all values together."""


class Binder:
    """Binds clauses of any type; what it makes of definitions is kept."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._patients = catalog.definitions.compartment(PATIENT)
        self._schemes: dict[str, Scheme] = {}
        self._ready: dict[tuple[str, str], Bound] = {}
        self._criteria: dict[tuple[str, str, tuple[str, ...]], Criterion | Deferred] = {}

    def bind(
        self, type_: str, clauses: Sequence[Clause], context: Context, *, lenient: bool
    ) -> tuple[tuple[Criterion | Deferred, ...], tuple[Clause, ...], tuple[str, ...]]:
        """Criteria, the clauses they come from, and the names that lenient handling left out."""
        criteria, used, left_out = [], [], []
        for clause in clauses:
            try:
                criterion = self._remembered(type_, clause, context)
            except UnknownParameter:
                if not lenient:
                    raise
                left_out.append(clause.text)
            else:
                criteria.append(criterion)
                used.append(clause)
        return tuple(criteria), tuple(used), tuple(left_out)

    def searchable(self, type_: str) -> Sequence[SearchParameter]:
        """Definitions of the parameters that can be searched by, in order of their codes."""
        catalog = self._catalog.of(type_)
        codes = {code for code, each in catalog.compiled.items() if each.type in VALUES} | STORED
        return [catalog.definitions[code] for code in sorted(codes)]

    def scheme(self, type_: str) -> Scheme:
        """The drivers of a type."""
        known = self._schemes.get(type_)
        if known is None:
            known = self._schemes[type_] = scheme_of(self._catalog.of(type_), self._patients)
        return known

    def _remembered(self, type_: str, clause: Clause, context: Context) -> Criterion | Deferred:
        """The criterion, from memory if it was asked before."""
        place = type_, clause.text, clause.values
        known = self._criteria.get(place)
        if known is None:
            known = self._criterion(type_, clause, context)
            if _worth_remembering(clause):
                if len(self._criteria) >= _MOST_REMEMBERED:
                    self._criteria.clear()
                self._criteria[place] = known
        return known

    def _criterion(self, type_: str, clause: Clause, context: Context) -> Criterion | Deferred:
        if clause.chain:
            raise UnknownParameter(f"Not supported yet: chained parameters ({clause.shown}).")
        if clause.name in STORED:
            if clause.modifier is not None:
                raise refusal(clause, [])
            return stored_criterion(clause.name, clause.values, context)
        return criterion_of(self._bound(type_, clause), clause, context)

    def _bound(self, type_: str, clause: Clause) -> Bound:
        place = type_, clause.name
        known = self._ready.get(place)
        if known is None:
            catalog = self._catalog.of(type_)
            if clause.name not in catalog.compiled:
                raise self._unknown(type_, clause)
            elements = self._catalog.definitions.elements
            known = ready_parameter(clause.name, catalog, self.scheme(type_), elements)
            if known is None:
                raise _not_yet(clause)
            self._ready[place] = known
        return known

    def _unknown(self, type_: str, clause: Clause) -> UnknownParameter:
        catalog = self._catalog.of(type_)
        if clause.name in catalog.left_over or clause.name in _NOT_BUILT:
            return _not_yet(clause)
        nearest = get_close_matches(
            clause.name[:64], [each.code for each in self.searchable(type_)], _MOST_NEAREST
        )
        advice = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
        return UnknownParameter(
            f"{type_} has no search parameter {shown(clause.name)!r}.{advice}",
        )


def _worth_remembering(clause: Clause) -> bool:
    """Short ones only, so that memory stays small; and `ap` depends on the moment of asking."""
    written = sum(map(len, clause.values))
    return written <= _LONGEST_REMEMBERED and not any("ap" in each for each in clause.values)


def _not_yet(clause: Clause) -> UnknownParameter:
    return UnknownParameter(f"Not supported yet: {shown(clause.name)}.")
