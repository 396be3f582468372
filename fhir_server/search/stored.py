"""Criteria about what a store keeps beside the terms: `_id` and `_lastUpdated`.

https://hl7.org/fhir/R4/search.html#all
"""

from typing import Final

from fhir_server.search import keys
from fhir_server.search.planning import Criterion, Rank, any_of
from fhir_server.search.values import date
from fhir_server.search.values.escapes import unescape
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.storage.query import AnyOf, IdIs, IntervalIs, Test, UpdatedIn
from fhir_server.storage.versions import LATEST

_LAST_UPDATED: Final = Parameter("_lastUpdated", keys.indexed("Resource", "_lastUpdated"))


def stored_criterion(code: str, values: tuple[str, ...], context: Context) -> Criterion:
    """The criterion for one of `catalog.STORED`; BadRequest for a wrong value."""
    if code == "_id":
        ids = frozenset(unescape(value) for value in values)
        return Criterion(code, IdIs(ids), Rank.ID)
    tests = [_of_instant(date.test(_LAST_UPDATED, value, context)) for value in values]
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
