"""Concepts: tokens by value sets and by the hierarchies of code systems.

https://hl7.org/fhir/R4/search.html#subsumption

    code:in=http://a.org/vs         some code is in the value set, by url, url|version or address
    code:not-in=http://a.org/vs     no code is, as with what has no code at all
    code:below=http://a.org/cs|x    some code is x, or lies below it
    code:above=http://a.org/cs|x    some code is x, or lies above it
    contenttype:below=text/xml      text/xml with whatever parameters

Which codes these are is asked each time: definitions may be stored and changed at any moment.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from fhir_server.errors import BadRequest
from fhir_server.fhir.reference import Elsewhere, Local, parse
from fhir_server.search.bound import Bound
from fhir_server.search.canonicals import StoredDefinitions
from fhir_server.search.clause import shown
from fhir_server.search.criterion import Criterion, Rank, any_of
from fhir_server.search.joining import Joining
from fhir_server.search.openings import MOST_TERMS
from fhir_server.search.resolving import Deferred, Finder
from fhir_server.search.values import token
from fhir_server.search.values.escapes import unescape, wrong
from fhir_server.search.values.parameter import Parameter
from fhir_server.storage.query import KeyIs, Not, Test
from fhir_server.terminology.expansion import Codes
from fhir_server.terminology.library import Library

_CODED: Final = frozenset({"Coding", "CodeableConcept", "code"})
_Meaning = Callable[[Library], Awaitable[Codes]]
"""Finds the codes that one value means."""


def are_coded(bound: Bound) -> bool:
    """Whether a parameter looks at codes of code systems."""
    types = bound.places[0].types
    return not types or not types.isdisjoint(_CODED)


def members(bound: Bound, values: tuple[str, ...], joining: Joining) -> Deferred:
    """The criterion of `:in`."""
    return _deferred("in", bound, values, [_set(bound, each, joining) for each in values], joining)


def others(bound: Bound, values: tuple[str, ...], joining: Joining) -> Deferred:
    """The criterion of `:not-in`."""
    inner = _deferred(
        "not-in", bound, values, [_set(bound, each, joining) for each in values], joining
    )

    async def resolve(finder: Finder) -> Criterion:
        found = await inner.resolve(finder)
        return Criterion(inner.code, Not(found.test), Rank.CATEGORY)

    return Deferred(inner.code, resolve)


def below(bound: Bound, values: tuple[str, ...], joining: Joining) -> Criterion | Deferred:
    """The criterion of `:below`."""
    if token.holds_mime_types(bound.places[0]):
        return _mime("below", bound, values, token.test_mime_below)
    return _subsumption("below", bound, values, joining)


def above(bound: Bound, values: tuple[str, ...], joining: Joining) -> Criterion | Deferred:
    """The criterion of `:above`."""
    if token.holds_mime_types(bound.places[0]):
        return _mime("above", bound, values, token.test_mime_above)
    return _subsumption("above", bound, values, joining)


def _mime(
    modifier: str, bound: Bound, values: Iterable[str], test: Callable[[Parameter, str], Test]
) -> Criterion:
    tests = [test(place, value) for value in values for place in bound.places]
    return Criterion(f"{bound.code}:{modifier}", any_of(tests), bound.rank)


def _subsumption(
    modifier: str, bound: Bound, values: tuple[str, ...], joining: Joining
) -> Deferred:
    terminology = joining.binding.terminology
    ask = terminology.below if modifier == "below" else terminology.above
    concepts = [token.concept_searched(bound.places[0], value) for value in values]
    meanings = [partial(ask, system, code) for system, code in concepts]
    return _deferred(modifier, bound, values, meanings, joining)


def _set(bound: Bound, value: str, joining: Joining) -> _Meaning:
    """The codes of a value set: by its address here if there is one, else by its url."""
    text, terminology = unescape(value), joining.binding.terminology
    match parse(text, joining.context.base_url):
        case Local("ValueSet", id_) if text.startswith("ValueSet/"):
            return partial(terminology.members_by_id, id_)
        case Local("ValueSet", id_):

            async def by_address(library: Library) -> Codes:
                if await library.by_id("ValueSet", id_) is not None:
                    return await terminology.members_by_id(id_, library)
                return await terminology.members(text, library)

            return by_address
        case Elsewhere():
            return partial(terminology.members, text)
    raise wrong(bound.places[0], value, "write the url of a value set, or ValueSet/id")


def _deferred(
    modifier: str,
    bound: Bound,
    values: tuple[str, ...],
    meanings: Iterable[_Meaning],
    joining: Joining,
) -> Deferred:
    """The criterion that some code is one of those that the values mean."""
    name = f"{bound.code}:{modifier}"
    known = tuple(meanings)

    async def resolve(finder: Finder) -> Criterion:
        library = StoredDefinitions(joining, finder)
        codes: set[tuple[str, str]] = set()
        with _named(f"{name}={','.join(values)}"):
            for each in known:
                codes |= await each(library)
            joining.binding.terminology.require_few("these values together", len(codes))
        return _one_of(name, bound, codes)

    return Deferred(name, resolve)


def _one_of(name: str, bound: Bound, codes: Iterable[tuple[str, str]]) -> Criterion:
    listed = sorted(codes)
    test = any_of([token.test_concepts(place, listed) for place in bound.places])
    few = isinstance(test, KeyIs) and len(test.keys) <= MOST_TERMS
    return Criterion(
        name, test, bound.rank, pairs=bound.pairs(test) if few else (), alone=bound.alone
    )


@contextmanager
def _named(asked: str) -> Iterator[None]:
    """Says of an error which criterion it is about."""
    try:
        yield
    except BadRequest as error:
        raise type(error)(f"{shown(asked)}: {error.message}") from None
