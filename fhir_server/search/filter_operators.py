"""Operators of `_filter`: what a test of one parameter means.

https://hl7.org/fhir/R4/search_filter.html#ops

    eq ne gt lt ge le ap sa eb    of dates, numbers and quantities: as the prefixes of that name
    eq ne gt lt ge le             of texts: the whole text, case and accents aside, by code points
    co sw ew                      a text contains it, begins or ends with it
    co                            what a stored date or number may stand for includes it
    po                            a stored period overlaps with it
    ss sb in ni                   of tokens: as :below, :above, :in and :not-in
    eq ne                         of tokens, uris, composites, and of references, as `re` is
    pr                            whether there is any value

`ne` of a date, number or quantity holds when some value differs. Of anything else it holds when
there is a value and none is equal: of a concept with two codings, or of a name with two parts, one
part that differs says nothing. A line in the table is an operator and the search types it is for.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.search import modifiers
from fhir_server.search.bound import Bound
from fhir_server.search.clause import Clause, shown
from fhir_server.search.criterion import Criterion, Rank, any_of
from fhir_server.search.filter_syntax import Comparison
from fhir_server.search.joining import Criteria, Joining
from fhir_server.search.values import date, number, string
from fhir_server.search.values.escapes import escape, split
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.search.values.prefixes import TIME, take_prefix
from fhir_server.storage.query import IntervalIs, Not, Test

SYSTEMS: Final = {
    "loinc": "http://loinc.org",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "snomed": "http://snomed.info/sct",
    "ucum": "http://unitsofmeasure.org",
}
"""Words that may stand for code systems."""
_RANGES: Final = frozenset({"date", "number", "quantity"})
_WHOLE: Final = frozenset({"token", "reference", "uri", "composite"})
_WITH_SYSTEM: Final = frozenset({"token", "quantity", "composite"})

Make = Callable[[Bound, str, Context], tuple[Criterion, ...]]
"""The criteria of a value of one parameter; all of them must hold."""


def criteria_of(type_: str, bound: Bound, test: Comparison, joining: Joining) -> Criteria:
    """What a test of a parameter asks; UnknownParameter for an operator it does not take.

    BadRequest for a value that is none of its kind.
    """
    operator, value = test.operator, _read(bound, test.value)
    make = _OPERATORS.get(operator, {}).get(bound.type)
    if make is not None:
        return make(bound, value, joining.context)
    modifier = _MODIFIERS.get(operator) if bound.type == "token" else None
    if modifier is not None and _is_there(bound, modifier):
        name = f"{bound.code}:{modifier}"
        clause = Clause(bound.code, modifier, (), (value,), name)
        return joining.binding.criteria(type_, clause, joining)
    raise refused(bound.code, bound.type, test, _possible(bound))


def takes(bound: Bound, test: Comparison) -> bool:
    """Whether a parameter takes the operator of a test, whatever the value."""
    return test.operator in set(_possible(bound))


def presence_asked(value: str) -> bool:
    """Whether `pr` asks for what is there, or for what is not."""
    asked = value.casefold()
    if asked not in {"true", "false"}:
        raise BadRequest(f"pr is followed by true or false, not by {shown(value)!r}.")
    return asked == "true"


def without_prefix(value: str) -> None:
    """BadRequest for a value that begins with a prefix: the operator stands for it."""
    if take_prefix(value)[1] != value:
        raise BadRequest(f"the operator says how to compare, so no prefix belongs in {value!r}.")


def refused(name: str, type_: str, test: Comparison, possible: Iterable[str]) -> UnknownParameter:
    """The refusal of an operator that a parameter does not take."""
    return UnknownParameter(
        f"{test.operator} is not supported for {name}, which is a {type_} and takes "
        f"{', '.join(possible) or 'no operator'}."
    )


def _possible(bound: Bound) -> Iterable[str]:
    """Operators that a parameter takes."""
    yield from (name for name, types in _OPERATORS.items() if bound.type in types)
    if bound.type == "token":
        yield from (name for name, each in _MODIFIERS.items() if _is_there(bound, each))


def _is_there(bound: Bound, modifier: str) -> bool:
    found = modifiers.MODIFIERS.get(modifier)
    return found is not None and modifiers.takes(bound, found)


def _read(bound: Bound, value: str) -> str:
    """The value as it would be written in a query: a text in a filter has no escapes but JSON's."""
    if bound.type == "string":
        return escape(value)
    if bound.type not in _WITH_SYSTEM:
        return value
    if bound.places[0].types == {"boolean"}:
        value = value.casefold()
    parts = split(value, "$") if bound.type == "composite" else [value]
    return "$".join(map(_with_system, parts))


def _with_system(value: str) -> str:
    """The value with the full name of its code system."""
    *before, last = split(value, "|")
    return "|".join([*(SYSTEMS.get(piece.casefold(), piece) for piece in before), last])


def _plain(bound: Bound, value: str, context: Context) -> tuple[Criterion, ...]:
    return (bound.criterion((value,), context),)


def _prefixed(prefix: str, bound: Bound, value: str, context: Context) -> tuple[Criterion, ...]:
    without_prefix(value)
    plain = bound.criterion((value,), context)  # refuses what is wrong as it was written
    return (plain if prefix == "eq" else bound.criterion((prefix + value,), context),)


_Spans = Callable[[Parameter, str, Context], Test]


def _spanning(test: _Spans, bound: Bound, value: str, context: Context) -> tuple[Criterion, ...]:
    without_prefix(value)
    found = any_of([test(place, value, context) for place in bound.places])
    return (Criterion(bound.code, found, bound.rank, main_date=bound.main_date),)


def _overlaps(parameter: Parameter, value: str, context: Context) -> Test:
    """A period begins before the value's end and ends after its beginning."""
    key, (first, last) = _date(parameter, value, context)
    return IntervalIs(key, (TIME.lowest, last), (first, TIME.highest))


def _includes(parameter: Parameter, value: str, context: Context) -> Test:
    key, (first, last) = _date(parameter, value, context)
    return IntervalIs(key, (TIME.lowest, first), (last, TIME.highest))


def _date(
    parameter: Parameter, value: str, context: Context
) -> tuple[tuple[int, int], tuple[float, float]]:
    """The key of a parameter's dates, and the first and last moment of the value."""
    within = date.test(parameter, value, context)
    assert isinstance(within, IntervalIs)  # noqa: S101 -- without a prefix it is containment
    return within.key, within.low


def _number_includes(parameter: Parameter, value: str, _: Context) -> Test:
    return number.test_implied(parameter, value)


def _text(
    test: Callable[[Parameter, str], Test], rank: Rank, bound: Bound, value: str, _: Context
) -> tuple[Criterion, ...]:
    tests = [test(place, value) for place in bound.places]
    return (Criterion(bound.code, any_of(tests), rank),)


def _unequal(equal: Make, bound: Bound, value: str, context: Context) -> tuple[Criterion, ...]:
    found = [
        Criterion(bound.code, Not(each.test), Rank.CATEGORY)
        for each in equal(bound, value, context)
    ]
    return (*found, bound.missing(("false",)))


def _present(bound: Bound, value: str, _: Context) -> tuple[Criterion, ...]:
    return (bound.missing(("false" if presence_asked(value) else "true",)),)


def _each(types: Iterable[str], make: Make) -> dict[str, Make]:
    return dict.fromkeys(types, make)


_whole_text: Final = partial(_text, string.test_whole, Rank.STRING)

_MODIFIERS: Final = {"ss": "below", "sb": "above", "in": "in", "ni": "not-in"}
"""Operators of tokens that say what a modifier says."""

_OPERATORS: Final[Mapping[str, Mapping[str, Make]]] = {
    "eq": {**_each(_RANGES, partial(_prefixed, "eq")), **_each(_WHOLE, _plain),
           "string": _whole_text},
    "ne": {**_each(_RANGES, partial(_prefixed, "ne")), **_each(_WHOLE, partial(_unequal, _plain)),
           "string": partial(_unequal, _whole_text)},
    "co": {"string": partial(_text, string.test_contains, Rank.ANYWHERE),
           "date": partial(_spanning, _includes),
           "number": partial(_spanning, _number_includes)},
    "sw": {"string": _plain},
    "ew": {"string": partial(_text, string.test_ending, Rank.ANYWHERE)},
    **{operator: {**_each(_RANGES, partial(_prefixed, operator)),
                  "string": partial(_text, partial(string.test_order, operator), Rank.STRING)}
       for operator in ("gt", "lt", "ge", "le")},
    **{operator: _each(_RANGES, partial(_prefixed, operator)) for operator in ("ap", "sa", "eb")},
    "pr": _each(_RANGES | _WHOLE | {"string"}, _present),
    "po": {"date": partial(_spanning, _overlaps)},
    "re": {"reference": _plain},
}  # fmt: skip
"""By operator and search type."""
