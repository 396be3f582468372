"""Chaining: criteria of what a resource refers to, and of what refers to it.

https://hl7.org/fhir/R4/search.html#chaining, https://hl7.org/fhir/R4/search.html#has

    subject:Patient.name=peter         Patients by name            →  subject is one of them
    subject.name=peter                 the same of every type that `subject` may refer to and
                                       that has a `name`
    _has:Observation:patient:code=x    Observations by code        →  one of their patients
    _list=42                           List by id                  →  one of its items

What follows a link is a criterion like any other, so chains nest to any depth and mix with `_has`.
"""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial

from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.search.bound import Bound
from fhir_server.search.catalog import STORED
from fhir_server.search.clause import Clause, shown
from fhir_server.search.criterion import Criterion
from fhir_server.search.joining import Criteria, Joining, Stage
from fhir_server.search.query_string import clause_of
from fhir_server.search.referring import (
    URL,
    goes_by_url,
    ranges_to,
    referring,
    targets_of,
    themselves,
    urls_of,
)
from fhir_server.search.resolving import Deferred, Finder
from fhir_server.storage.query import KeyIn

_HAS = "_has is written _has:Type:reference:parameter, as in _has:Observation:patient:code"
_MOST_NAMED = 10


def chained(type_: str, clause: Clause, joining: Joining) -> Criteria:
    """The criterion of `reference.parameter` or `reference:Type.parameter`."""
    bound = reference_of(type_, clause.name, joining)
    inner = clause_of(".".join(clause.chain), clause.values)
    make = partial(_stage, inner, joining)
    stages = stages_of(type_, bound, clause.modifier, inner.name, make, joining)
    return (forward(clause.text, bound, stages, joining),)


def reverse_chained(type_: str, clause: Clause, joining: Joining) -> Criteria:
    """The criterion of `_has:Type:reference:parameter`."""
    bound, source, rest = reference_to(type_, clause.text, joining)
    stage = joining.stage(source, clause_of(rest, clause.values))
    return (backward(clause.text, type_, bound, stage, joining),)


def listed(type_: str, clause: Clause, joining: Joining) -> Criteria:
    """The criterion of `_list`: being an item of one of these Lists, of which none need exist."""
    if clause.modifier is not None or clause.chain:
        raise UnknownParameter(f"_list takes no modifier and no chain; {clause.shown} has one.")
    for value in clause.values:
        if value.startswith("$"):
            raise BadRequest(
                f"Functional lists such as {shown(value)} are not supported; _list takes ids of "
                "List resources."
            )
    ids = tuple(value.removeprefix("List/") for value in clause.values)
    stage = joining.stage("List", Clause("_id", None, (), ids, "_id"))
    item = joining.binding.bound("List", "item")
    return (backward(clause.text, type_, item, stage, joining),)


def reference_of(type_: str, name: str, joining: Joining) -> Bound:
    """A reference parameter; UnknownParameter if it is none."""
    if name in STORED:
        raise UnknownParameter(f"{name} is no reference: there is nothing behind it to search by.")
    bound = joining.binding.bound(type_, name)
    if bound.type != "reference":
        raise UnknownParameter(
            f"{name} of {type_} is a {bound.type}, no reference: there is nothing behind it to "
            "search by."
        )
    return bound


def reference_to(type_: str, text: str, joining: Joining) -> tuple[Bound, str, str]:
    """What `_has:Type:reference:rest` refers back by: the reference to `type_`, Type and rest."""
    _, *parts = text.split(":", 3)
    if len(parts) != 3 or not all(parts):
        raise UnknownParameter(f"{_HAS}; {shown(text)} is not.")
    source, name, rest = parts
    if source not in joining.binding.types:
        raise UnknownParameter(f"{_HAS}; {_no_type(source, joining.binding.types)}")
    bound = reference_of(source, name, joining)
    targets = targets_of(bound, joining.binding.types)
    if type_ not in targets:
        raise UnknownParameter(
            f"{name} of {source} never refers to {type_}, but to {_listed(targets)}."
        )
    return bound, source, rest


def stages_of(
    type_: str,
    bound: Bound,
    named: str | None,
    wanted: str,
    make: Callable[[str], Stage],
    joining: Joining,
) -> tuple[Stage, ...]:
    """The searches for what a reference may point to: of the type named, or all that can be.

    `make` makes that of a type; `wanted` is the first parameter it asks for.
    """
    targets = targets_of(bound, joining.binding.types)
    if named is not None and named not in targets:
        raise UnknownParameter(
            f"{bound.code} of {type_} refers to {_listed(targets)}, not to {shown(named)}."
        )
    if named is not None or len(targets) == 1:
        return (make(named or targets[0]),)
    stages, refusals = [], []
    for target in targets:
        if joining.binding.knows(target, wanted):
            try:
                stages.append(make(target))
            except UnknownParameter as refusal:
                refusals.append(refusal)
    if stages:
        return tuple(stages)
    raise (
        refusals[0]
        if refusals
        else UnknownParameter(
            f"{bound.code} of {type_} refers to {_listed(targets)}, and none of them has a search "
            f"parameter {shown(wanted)!r}."
        )
    )


def forward(code: str, bound: Bound, stages: Sequence[Stage], joining: Joining) -> Deferred:
    """The criterion that a reference refers to a match of one of the stages."""
    urls = [(stage, url) for stage in stages if (url := _url_of(stage.type, bound, joining))]
    return Deferred(code, partial(_referring, code, bound, stages, urls))


def backward(code: str, type_: str, bound: Bound, stage: Stage, joining: Joining) -> Deferred:
    """The criterion of `type_` that a match of the stage refers to it."""
    url = _url_of(type_, bound, joining)
    resolve = partial(_referred_to, code, type_, url, stage, ranges_to(bound, type_))
    return Deferred(code, resolve, by_others=True)


def _stage(clause: Clause, joining: Joining, type_: str) -> Stage:
    return joining.stage(type_, clause)


def _url_of(type_: str, bound: Bound, joining: Joining) -> Bound | None:
    """The parameter by which a reference may name its target; None when it never does so."""
    if goes_by_url(bound) and joining.binding.knows(type_, URL):
        return joining.binding.bound(type_, URL)
    return None


async def _referring(
    code: str,
    bound: Bound,
    stages: Sequence[Stage],
    urls: Sequence[tuple[Stage, Bound]],
    finder: Finder,
) -> Criterion:
    ids = {stage.type: await stage.ids(finder) for stage in stages}
    named: list[bytes] = []
    for stage, url in urls:
        named += await stage.keys(finder, urls_of(url))
    return referring(code, bound, ids, named)


async def _referred_to(
    code: str,
    type_: str,
    url: Bound | None,
    stage: Stage,
    within: Sequence[KeyIn],
    finder: Finder,
) -> Criterion:
    return themselves(code, type_, url, await stage.keys(finder, within))


def _no_type(name: str, types: frozenset[str]) -> str:
    nearest = get_close_matches(name[:64], sorted(types), 3)
    advice = f"; did you mean {' or '.join(nearest)}?" if nearest else "."
    return f"{shown(name)!r} is no resource type{advice}"


def _listed(types: Sequence[str]) -> str:
    """Types to choose from, not more than can be read."""
    named = " or ".join(types[:_MOST_NAMED])
    further = len(types) - _MOST_NAMED
    return f"{named} or one of {further} others" if further > 0 else named
