"""Criteria about what a store keeps beside the terms: `_id` and `_lastUpdated`.

https://hl7.org/fhir/R4/search.html#all

Every resource has both, so that `:missing` finds all or nothing.
"""

from collections.abc import Mapping
from typing import Final

from fhir_server.search import keys
from fhir_server.search.bound import truth_of_missing
from fhir_server.search.clause import Clause, refusal
from fhir_server.search.criterion import NOTHING, Criterion, Rank, any_of
from fhir_server.search.values import date
from fhir_server.search.values.escapes import unescape
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.storage.query import AllOf, AnyOf, IdIs, IntervalIs, Not, Test, UpdatedIn
from fhir_server.storage.versions import LATEST

_LAST_UPDATED: Final = Parameter("_lastUpdated", keys.indexed("Resource", "_lastUpdated"))


STORED_MODIFIERS: Final[Mapping[str, tuple[str, ...]]] = {
    "_id": ("missing", "not"),
    "_lastUpdated": ("missing",),
}
_ALWAYS: Final = AllOf(())


def stored_criterion(clause: Clause, context: Context) -> Criterion:
    """The criterion for one of `catalog.STORED`; BadRequest for a wrong value or modifier."""
    code, modifier = clause.name, clause.modifier
    if modifier is not None and modifier not in STORED_MODIFIERS[code]:
        raise refusal(clause, [f":{each}" for each in STORED_MODIFIERS[code]])
    if modifier == "missing":
        missing = truth_of_missing(code, clause.values)
        return Criterion(clause.text, NOTHING if missing else _ALWAYS, Rank.CATEGORY)
    if code == "_id":
        ids = IdIs(frozenset(map(unescape, clause.values)))
        if modifier == "not":
            return Criterion(clause.text, Not(ids), Rank.CATEGORY)
        return Criterion(code, ids, Rank.ID)
    tests = [_of_instant(date.test(_LAST_UPDATED, value, context)) for value in clause.values]
    return Criterion(code, any_of(tests), Rank.UPDATED)


def _of_instant(test: Test) -> Test:
    """A test of a date as one of `updated`, which is an interval of one millisecond."""
    match test:
        case IntervalIs(low=low, high=high):
            first, last = int(max(low[0], high[0])), int(min(low[1], high[1]))
            return UpdatedIn(first, min(last + 1, LATEST))
        case AnyOf(tests):
            return any_of([_of_instant(each) for each in tests])
        case _:
            raise AssertionError(f"a date is never tested by {test}")
