"""Openings: which drivers can be made of criteria, by the shape that the criteria have.

    as they are    a criterion that an index can begin with
    around         what every match of a criterion meets, and others may
    pairs          a patient's versions that also have a key     one term for each such pair
    dated          a patient's versions, those with a key, or all, in order of the main date
    updated        all in order of change

Searches differ in their values more than in their shapes: the openings of a shape are remembered.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from fhir_server.search.criterion import Criterion, Rank
from fhir_server.search.schemes import Scheme
from fhir_server.storage.query import Driver, DriverIs, UpdatedIn

MOST_TERMS: Final = 200
"""Most driver terms in one driver; stores merge that many ordered scans."""
_FEW: Final = 8
"""Criteria of a search whose openings are remembered."""


class _Shape(NamedTuple):
    """What openings depend on; most searches have a shape that was met before."""

    rank: Rank
    driver: bool
    around: bool
    main_date: bool
    alone: bool
    members_exact: bool
    members: int
    pairs: int


def _shape_of(criterion: Criterion) -> _Shape:
    driver = criterion.driver is not None
    return _Shape(
        criterion.rank,
        driver,
        not driver and criterion.around is not None,
        criterion.main_date,
        criterion.alone,
        criterion.members_exact,
        len(criterion.members),
        len(criterion.pairs),
    )


class Opening(msgspec.Struct, frozen=True):
    """A driver to be made of criteria, and which of them it says exactly."""

    rank: Rank
    make: Callable[[Scheme, Sequence[Criterion]], Driver]
    says: tuple[int, ...]


def openings(criteria: Sequence[Criterion], *, dated: bool, updated: bool) -> Sequence[Opening]:
    """Ways to begin, best rank first: also those in order of date or of change, if wanted."""
    shapes = tuple([_shape_of(each) for each in criteria])
    make = _kept if len(shapes) <= _FEW else _openings
    return make(shapes, dated, updated)


def _openings(
    shapes: tuple[_Shape, ...],
    dated: bool,  # noqa: FBT001 -- a memory of positional arguments is the faster one
    updated: bool,  # noqa: FBT001 -- likewise
) -> Sequence[Opening]:
    found = [*_as_they_are(shapes), *_pairs(shapes)]
    if dated:
        found += _dated(shapes)
    if updated:
        found.append(Opening(Rank.UPDATED, lambda *_: UpdatedIn(), ()))
    return sorted(found, key=attrgetter("rank"))


_kept = lru_cache(maxsize=1024)(_openings)


def _as_they_are(shapes: Sequence[_Shape]) -> Iterator[Opening]:
    """Criteria that an index can begin with; the main date has drivers that are ordered by it."""
    for index, shape in enumerate(shapes):
        if shape.main_date:
            continue
        if shape.driver:
            yield Opening(shape.rank, partial(_itself, index), (index,))
        elif shape.around:
            yield Opening(shape.rank, partial(_around_it, index), ())


def _pairs(shapes: Sequence[_Shape]) -> Iterator[Opening]:
    """A member's versions that also have a key, found under one term each."""
    for index, member in enumerate(shapes):
        for other, paired in enumerate(shapes):
            if 0 < member.members * paired.pairs <= MOST_TERMS:
                says = (index, other) if member.members_exact else (other,)
                yield Opening(Rank.PAIR, partial(_pair_driver, index, other), says)


def _dated(shapes: Sequence[_Shape]) -> Iterator[Opening]:
    """Drivers ordered by date: worth it for a window, or when that is the order wanted."""
    for index, shape in enumerate(shapes):
        if shape.members:
            says = (index,) if shape.members_exact else ()
            yield Opening(Rank.REFERENCE, partial(_members_driver, index), says)
        elif shape.pairs and shape.alone:
            yield Opening(Rank.TERM_AND_DATE, partial(_single_driver, index), (index,))
    yield Opening(Rank.DATE_ALONE, _any_date_driver, ())


def _itself(index: int, _: Scheme, criteria: Sequence[Criterion]) -> Driver:
    return criteria[index].test  # type: ignore[return-value]  # it is a driver, as its shape says


def _around_it(index: int, _: Scheme, criteria: Sequence[Criterion]) -> Driver:
    return criteria[index].around  # type: ignore[return-value]  # there is one, as its shape says


def _pair_driver(index: int, other: int, scheme: Scheme, criteria: Sequence[Criterion]) -> Driver:
    pair, member, paired = scheme.terms.pair, criteria[index], criteria[other]
    return DriverIs(tuple([pair(term, key) for term in member.members for key in paired.pairs]))


def _members_driver(index: int, _: Scheme, criteria: Sequence[Criterion]) -> Driver:
    return DriverIs(criteria[index].members)


def _single_driver(index: int, scheme: Scheme, criteria: Sequence[Criterion]) -> Driver:
    return DriverIs(tuple(map(scheme.terms.single, criteria[index].pairs)))


def _any_date_driver(scheme: Scheme, _: Sequence[Criterion]) -> Driver:
    return DriverIs((scheme.terms.all,))
