"""Filtering: the tree of `_filter` becomes criteria, those of the parameters it names.

https://hl7.org/fhir/R4/search_filter.html

    given eq "peter" and birthdate ge 2014      two criteria, as if both were parameters
    given eq "peter" or family eq "x"           one criterion that one of them holds
    subject[active eq true].name co "pet"       a chain, whose targets meet both
    _has:Observation:patient:code eq x          a reverse chain
    characteristic[code eq x].value eq y        a composite: `characteristic-value=x$y`

Every refusal names the character where it stands what cannot be. What an operator means is in
`filter_operators.py`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.search.chaining import (
    backward,
    forward,
    reference_of,
    reference_to,
    stages_of,
)
from fhir_server.search.clause import Clause, shown
from fhir_server.search.criterion import Criterion, Rank, any_of
from fhir_server.search.filter_operators import (
    criteria_of,
    presence_asked,
    refused,
    takes,
    without_prefix,
)
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
from fhir_server.search.query_string import clause_of
from fhir_server.search.resolving import Deferred, Finder, resolved
from fhir_server.search.values.escapes import escape
from fhir_server.storage.query import AllOf, Not, Test

_AT = "at character"
_HAS = "_has:"
_ALWAYS: Final = AllOf(())
_KEPT: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "_id": ("token", ("eq", "ne", "pr")),
    "_lastUpdated": (
        "date",
        ("eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb", "pr", "po"),
    ),
    "_list": ("list of resources", ("eq", "ne")),
}
"""Search type and operators of what no element stands behind."""
_COMPOSED: Final[Mapping[tuple[str, str], tuple[str, Mapping[str, int]]]] = {
    ("Group", "characteristic"): ("characteristic-value", {"code": 0, "value": 1}),
}
"""Names a filter has beside search parameters: the composite, and which part a name in it is.

https://hl7.org/fhir/R4/search_filter.html#params: R4 has no parameters for those of Observation and
ServiceRequest, and its `relationship` of DocumentReference has its expressions interchanged.
"""


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
    with _placed(path[0].at):
        if path[0].name.startswith(_HAS):
            return (_backward(type_, path, test, joining),)
        if len(path) == 1:
            return _of_name(type_, path[0].name, test, joining)
        if (type_, path[0].name) in _COMPOSED:
            return _composed(type_, path, test, joining)
        return (_forward(type_, path, test, joining),)


def _forward(type_: str, path: Sequence[Link], test: Comparison, joining: Joining) -> Deferred:
    link, *rest = path
    name, _, named = link.name.partition(":")
    bound = reference_of(type_, name, joining)
    make = partial(_stage, link.condition, rest, test, joining)
    stages = stages_of(type_, bound, named or None, _first_name(rest[0]), make, joining)
    return forward(test.text, bound, stages, joining)


def _backward(type_: str, path: Sequence[Link], test: Comparison, joining: Joining) -> Deferred:
    link, *rest = path
    bound, source, inner = reference_to(type_, link.name, joining)
    behind = [Link(inner, link.condition, link.at), *rest]
    return backward(test.text, type_, bound, _stage(None, behind, test, joining, source), joining)


def _composed(type_: str, path: Sequence[Link], test: Comparison, joining: Joining) -> Criteria:
    """The criteria of `name[one eq x].other eq y`: both are said of the same place."""
    code, parts = _COMPOSED[type_, path[0].name]
    values = dict[int, str]()
    match path[0].condition:
        case Comparison((Link(one, None),), "eq" | "re", value) if one in parts:
            values[parts[one]] = value
    if len(path) == 2 and test.operator in {"eq", "re"} and path[1].name in parts:
        values.setdefault(parts[path[1].name], test.value)
    if len(values) != len(parts):
        one, other = parts
        raise UnknownParameter(
            f"{path[0].name} is asked by its {one} and its {other} together, as in "
            f"{path[0].name}[{one} eq x].{other} eq y."
        )
    both = Comparison((Link(code, None),), "eq", "$".join(values[at] for at in sorted(values)))
    return criteria_of(type_, joining.binding.bound(type_, code), both, joining)


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
    if name in _KEPT:
        return _of_kept(type_, name, test, joining)
    if ":" in name:
        raise UnknownParameter(
            f"{shown(name)} has a modifier, which a filter has none of; operators say what is "
            "meant, as in `name co x` or `birthdate pr false`."
        )
    bound = joining.binding.bound(type_, name)
    place = test.value_at if takes(bound, test) else test.operator_at
    with _placed(place):
        return criteria_of(type_, bound, test, joining)


def _of_kept(type_: str, name: str, test: Comparison, joining: Joining) -> Criteria:
    """A test of what has no element: `_id`, `_lastUpdated` or `_list`."""
    kind, operators = _KEPT[name]
    operator, value = test.operator, test.value
    if operator not in operators:
        with _placed(test.operator_at):
            raise refused(name, kind, test, operators)
    with _placed(test.value_at):
        if operator == "pr":
            always = (Criterion(name, _ALWAYS, Rank.CATEGORY),)
            return always if presence_asked(value) else (_changed(name, _negation, always),)
        if kind != "date":
            found = joining.binding.criteria(type_, clause_of(name, (escape(value),)), joining)
            return found if operator == "eq" else (_changed(name, _negation, found),)
        without_prefix(value)
        prefix = "eq" if operator == "po" else operator  # a moment overlaps what contains it
        return joining.binding.criteria(type_, clause_of(name, (prefix + value,)), joining)


@contextmanager
def _placed(at: int) -> Iterator[None]:
    """What is refused meanwhile is refused at this character, unless it knows a nearer one."""
    try:
        yield
    except BadRequest as error:
        if error.message.startswith(_AT):
            raise
        raise type(error)(f"{_AT} {at}: {error.message}") from None


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

    return Deferred(code, resolve, by_others=_by_others(criteria))


def _by_others(criteria: Criteria) -> bool:
    return any(isinstance(each, Deferred) and each.by_others for each in criteria)


def _either(branches: Sequence[Criteria]) -> Criterion | Deferred:
    """The criterion that all criteria of one branch hold; it drives if each of them does."""
    known = [[each for each in branch if isinstance(each, Criterion)] for branch in branches]
    if all(len(one) == len(all_) for one, all_ in zip(known, branches, strict=True)):
        return _one_of(known)

    async def resolve(finder: Finder) -> Criterion:
        return _one_of([await resolved(branch, finder) for branch in branches])

    return Deferred("or", resolve, by_others=any(map(_by_others, branches)))


def _one_of(branches: Sequence[Sequence[Criterion]]) -> Criterion:
    rank = max(each.rank for branch in branches for each in branch)
    return Criterion("or", any_of([_together(branch) for branch in branches]), rank)
