"""Filtering: the tree of `_filter` becomes criteria, those of the parameters it names.

https://hl7.org/fhir/R4/search_filter.html

    given eq "peter" and birthdate ge 2014      two criteria, as if both were parameters
    given eq "peter" or family eq "x"           one criterion that one of them holds
    subject[active eq true].name co "pet"       a chain, whose targets meet both
    _has:Observation:patient:code eq x          a reverse chain

`ne` of a number or date holds when some value differs; of anything else, when there is a value and
none of them is equal. `ew`, `ss`, `sb`, `in` and `ni` are refused by name where there is nothing
that could answer them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.search.bound import Bound
from fhir_server.search.catalog import STORED
from fhir_server.search.chaining import (
    backward,
    forward,
    reference_of,
    reference_to,
    stages_of,
)
from fhir_server.search.clause import Clause, shown
from fhir_server.search.filter_syntax import (
    Both,
    Comparison,
    Either,
    Filter,
    Link,
    Negated,
    parse_filter,
)
from fhir_server.search.joining import Criteria, Joining, Stage
from fhir_server.search.planning import Criterion, Rank, any_of
from fhir_server.search.query_string import clause_of
from fhir_server.search.resolving import Deferred, Finder, resolved
from fhir_server.search.values import string
from fhir_server.storage.query import AllOf, IntervalIs, Not, Test

_HAS = "_has:"
_RANGES: Final = frozenset({"date", "number", "quantity"})
_WHOLE: Final = frozenset({"token", "reference", "uri", "composite"})
_ALWAYS: Final = AllOf(())


def filtered(type_: str, clause: Clause, joining: Joining) -> Criteria:
    """The criteria of `_filter`; BadRequest says where it is wrong, or what cannot be asked."""
    if clause.modifier is not None or clause.chain:
        raise UnknownParameter(f"_filter takes no modifier and no chain; {clause.shown} has one.")
    return _criteria(type_, parse_filter(",".join(clause.values)), joining)


def _criteria(type_: str, tree: Filter, joining: Joining) -> Criteria:
    match tree:
        case Both(left, right):
            return (*_criteria(type_, left, joining), *_criteria(type_, right, joining))
        case Either():
            return (_either([_criteria(type_, each, joining) for each in _alternatives(tree)]),)
        case Negated(inner):
            return (_changed("not", _negation, _criteria(type_, inner, joining)),)
        case Comparison():
            return _of_path(type_, tree.path, tree, joining)


def _alternatives(tree: Filter) -> list[Filter]:
    if isinstance(tree, Either):
        return [*_alternatives(tree.left), *_alternatives(tree.right)]
    return [tree]


def _of_path(type_: str, path: Sequence[Link], test: Comparison, joining: Joining) -> Criteria:
    """The criteria of a test at the end of a path that begins in a type."""
    link, *rest = path
    if link.name.startswith(_HAS):
        return (_backward(type_, link, rest, test, joining),)
    if not rest:
        return _of_name(type_, link.name, test, joining)
    name, _, named = link.name.partition(":")
    if link.condition is not None and joining.binding.bound(type_, name).type != "reference":
        raise UnknownParameter(
            f"{name}[…] is not supported: only what a reference refers to can be filtered so."
        )
    bound = reference_of(type_, name, joining)
    make = partial(_stage, link.condition, rest, test, joining)
    stages = stages_of(type_, bound, named or None, _first_name(rest[0]), make, joining)
    return (forward(test.text, bound, stages, joining),)


def _backward(
    type_: str, link: Link, rest: Sequence[Link], test: Comparison, joining: Joining
) -> Deferred:
    bound, source, inner = reference_to(type_, link.name, joining)
    path = [Link(inner, link.condition), *rest]
    return backward(test.text, type_, bound, _stage(None, path, test, joining, source), joining)


def _stage(
    condition: Filter | None, path: Sequence[Link], test: Comparison, joining: Joining, type_: str
) -> Stage:
    """The search of a type by the end of a path, and by what stood in brackets before it."""
    with joining.deeper():
        criteria = _of_path(type_, path, test, joining)
        if condition is not None:
            criteria = (*_criteria(type_, condition, joining), *criteria)
    return joining.stage_of(type_, criteria, f"{type_}?_filter={test.text}")


def _first_name(link: Link) -> str:
    return link.name.partition(":")[0]


def _of_name(type_: str, name: str, test: Comparison, joining: Joining) -> Criteria:
    """The criteria of a test of one parameter."""
    if name in STORED:
        return _of_stored(type_, name, test, joining)
    if name == "_list" and test.operator == "eq":
        return joining.binding.criteria(type_, clause_of(name, (test.value,)), joining)
    bound = joining.binding.bound(type_, name)
    make = _OPERATIONS[test.operator].get(bound.type)
    if make is None:
        can = [operator for operator, by_type in _OPERATIONS.items() if bound.type in by_type]
        raise UnknownParameter(
            f"Not supported: {shown(test.text)!r}. {name} is a {bound.type}, and takes "
            f"{', '.join(can) or 'no operator'}."
        )
    return make(type_, bound, test, joining)


def _of_stored(type_: str, name: str, test: Comparison, joining: Joining) -> Criteria:
    """A test of `_id` or `_lastUpdated`, which every resource has."""
    operator, value = test.operator, test.value
    dated = name == "_lastUpdated"
    if operator == "pr":
        always = Criterion(name, _ALWAYS, Rank.CATEGORY)
        return (always,) if _is_true(test) else (_changed(name, _negation, (always,)),)
    if operator == "po" and dated:
        operator = "eq"  # a moment overlaps what contains it
    if operator == "eq" or (dated and operator in {"ne", "gt", "lt", "ge", "le", "ap", "sa", "eb"}):
        asked = operator + value if dated else value
        return joining.binding.criteria(type_, clause_of(name, (asked,)), joining)
    if operator == "ne":
        equal = joining.binding.criteria(type_, clause_of(name, (value,)), joining)
        return (_changed(name, _negation, equal),)
    raise UnknownParameter(f"Not supported: {shown(test.text)!r}.")


_Make = Callable[[str, Bound, Comparison, Joining], Criteria]


def _plain(_type: str, bound: Bound, test: Comparison, joining: Joining) -> Criteria:
    return (bound.criterion((test.value,), joining.context),)


def _prefixed(_type: str, bound: Bound, test: Comparison, joining: Joining) -> Criteria:
    return (bound.criterion((test.operator + test.value,), joining.context),)


def _equal_text(_type: str, bound: Bound, test: Comparison, _: Joining) -> Criteria:
    tests = [string.test_whole(place, test.value) for place in bound.places]
    return (Criterion(bound.code, any_of(tests), Rank.STRING),)


def _unequal(
    equal: _Make, type_: str, bound: Bound, test: Comparison, joining: Joining
) -> Criteria:
    different = _changed(bound.code, _negation, equal(type_, bound, test, joining))
    return (different, bound.missing(("false",)))


def _present(_type: str, bound: Bound, test: Comparison, _: Joining) -> Criteria:
    return (bound.missing(("false" if _is_true(test) else "true",)),)


def _overlapping(_type: str, bound: Bound, test: Comparison, joining: Joining) -> Criteria:
    """One and the same period begins before the value's end and ends after its beginning."""
    begins, ends = (
        bound.criterion((prefix + test.value,), joining.context).test for prefix in ("le", "ge")
    )
    match begins, ends:
        case IntervalIs() as begin, IntervalIs() as end:
            both = IntervalIs(begin.key, begin.low, end.high)
            return (Criterion(bound.code, both, bound.rank, main_date=bound.main_date),)
    raise UnknownParameter(f"Not supported: {shown(test.text)!r}.")


def _modified(
    modifier: str, type_: str, bound: Bound, test: Comparison, joining: Joining
) -> Criteria:
    clause = clause_of(f"{bound.code}:{modifier}", (test.value,))
    return joining.binding.criteria(type_, clause, joining)


def _each(types: frozenset[str], make: _Make) -> dict[str, _Make]:
    return dict.fromkeys(types, make)


_OPERATIONS: Final[Mapping[str, Mapping[str, _Make]]] = {
    "eq": {
        **_each(_RANGES, _prefixed),
        **_each(_WHOLE, _plain),
        "string": _equal_text,
    },
    "ne": {
        **_each(_RANGES, _prefixed),
        **_each(_WHOLE, partial(_unequal, _plain)),
        "string": partial(_unequal, _equal_text),
    },
    "co": {"string": partial(_modified, "contains")},
    "sw": {"string": _plain},
    "ew": {},
    **{operator: _each(_RANGES, _prefixed) for operator in ("gt", "lt", "ge", "le", "ap")},
    **{operator: _each(_RANGES, _prefixed) for operator in ("sa", "eb")},
    "pr": _each(_RANGES | _WHOLE | {"string"}, _present),
    "po": {"date": _overlapping},
    "ss": {"token": partial(_modified, "below")},
    "sb": {"token": partial(_modified, "above")},
    "in": {"token": partial(_modified, "in")},
    "ni": {"token": partial(_modified, "not-in")},
    "re": {"reference": _plain},
}
"""By operator and search type."""


def _is_true(test: Comparison) -> bool:
    if test.value not in {"true", "false"}:
        raise BadRequest(f"pr is followed by true or false, not by {shown(test.value)!r}.")
    return test.value == "true"


_Change = Callable[[Sequence[Criterion]], Test]
"""What becomes of criteria that all hold together."""


def _together(criteria: Sequence[Criterion]) -> Test:
    return criteria[0].test if len(criteria) == 1 else AllOf(tuple(each.test for each in criteria))


def _negation(criteria: Sequence[Criterion]) -> Test:
    return Not(_together(criteria))


def _changed(code: str, change: _Change, criteria: Criteria) -> Criterion | Deferred:
    """One criterion of several, once all of them are known."""
    known = [each for each in criteria if isinstance(each, Criterion)]
    if len(known) == len(criteria):
        return Criterion(code, change(known), Rank.CATEGORY)

    async def resolve(finder: Finder) -> Criterion:
        return Criterion(code, change(await resolved(criteria, finder)), Rank.CATEGORY)

    return Deferred(code, resolve)


def _either(branches: Sequence[Criteria]) -> Criterion | Deferred:
    """The criterion that all criteria of one branch hold; it drives if each of them does."""
    known = [[each for each in branch if isinstance(each, Criterion)] for branch in branches]
    if all(len(one) == len(all_) for one, all_ in zip(known, branches, strict=True)):
        return _one_of(known)

    async def resolve(finder: Finder) -> Criterion:
        return _one_of([await resolved(branch, finder) for branch in branches])

    return Deferred("or", resolve)


def _one_of(branches: Sequence[Sequence[Criterion]]) -> Criterion:
    rank = max(each.rank for branch in branches for each in branch)
    return Criterion("or", any_of([_together(branch) for branch in branches]), rank)
