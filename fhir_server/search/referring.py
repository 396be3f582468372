"""Referring: what a reference parameter points at, forward and backward, as keys.

https://hl7.org/fhir/R4/references.html#canonical

A reference names its target by type and id, and so do canonicals at our own base. Any other
canonical names it by url, which is what the target's parameter `url` is asked for; a business
version after it is left aside, as no server keeps several versions under one url by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fhir_server.search import keys
from fhir_server.search.bound import Bound
from fhir_server.search.criterion import NOTHING, Criterion, Rank
from fhir_server.search.openings import MOST_TERMS
from fhir_server.search.planning import FEW
from fhir_server.search.schemes import PATIENT
from fhir_server.search.values import reference, uri
from fhir_server.search.values.forms import Form
from fhir_server.storage.query import KeyIn, KeyIs

_BY_URL: Final = frozenset({"canonical", "uri"})
"""Types of references that may name their target by its url."""
URL: Final = "url"
"""The parameter by which canonicals find their target."""


def targets_of(bound: Bound, types: Iterable[str]) -> tuple[str, ...]:
    """Types that a reference parameter may point to; all of `types` when none are stated."""
    if bound.target is not None:
        return (bound.target,)
    return bound.places[0].targets or tuple(sorted(types))


def goes_by_url(bound: Bound) -> bool:
    """Whether the parameter reads canonicals, which may name their target by its url."""
    return not _BY_URL.isdisjoint(bound.places[0].types)


def ranges_to(bound: Bound, type_: str) -> list[KeyIn]:
    """Where the keys of references to resources of a type lie."""
    groups = [keys.group(type_), *([reference.URL] if goes_by_url(bound) else [])]
    return [keys.of_group(place.indexed, group) for place in bound.places for group in groups]


def urls_of(url: Bound) -> list[KeyIn]:
    """Where the keys of the urls of a type lie; `url` is its parameter of that name."""
    return [keys.of_group(place.indexed, uri.GROUP) for place in url.places]


def themselves(code: str, type_: str, url: Bound | None, found: Iterable[bytes]) -> Criterion:
    """The criterion of being what keys of references refer to, by id, or by `url` if it has one."""
    forms = dict.fromkeys(key[keys.PREFIX_BYTES :] for key in found)
    own = keys.itself(type_).prefix
    wanted = [own + form for form in forms if not form.startswith(reference.URL)]
    for place in url.places if url else ():
        start = place.indexed.prefix + uri.GROUP
        wanted += [
            start + form[keys.GROUP_BYTES :] for form in forms if form.startswith(reference.URL)
        ]
    rank = Rank.ID if len(wanted) <= FEW else Rank.REFERENCE
    return Criterion(code, KeyIs(tuple(wanted)) if wanted else NOTHING, rank)


def referring(
    code: str, bound: Bound, ids: Mapping[str, Sequence[str]], urls: Iterable[bytes] = ()
) -> Criterion:
    """The criterion of referring to one of these, by type, or to one of these keys of urls.

    It drives a plan as well as the same references written out do.
    """
    forms = [form for type_, some in ids.items() for form in _local_forms(type_, some)]
    after = keys.PREFIX_BYTES + keys.GROUP_BYTES
    forms += [reference.URL + key[after:] for key in urls]
    if not forms:
        return Criterion(code, NOTHING, Rank.ID)
    test = KeyIs(tuple(place.indexed.prefix + form for place in bound.places for form in forms))
    return Criterion(
        code,
        test,
        bound.rank,
        members=_members(bound, ids, len(forms)),
        members_exact=bound.scheme.memberships.get(bound.code, False),
        pairs=bound.pairs(test),
        alone=bound.alone,
    )


def _local_forms(type_: str, ids: Iterable[str]) -> Iterable[Form]:
    group = keys.group(type_)
    return (group + keys.value(id_) for id_ in ids)


def _members(bound: Bound, ids: Mapping[str, Sequence[str]], number: int) -> tuple[bytes, ...]:
    """The patients of whom a match must be a member, when all targets are such, and not many."""
    patients = ids.get(PATIENT, ())
    if number != len(patients) or number > MOST_TERMS:
        return ()
    if bound.code not in bound.scheme.memberships:
        return ()
    return tuple(bound.scheme.terms.member(PATIENT, id_) for id_ in patients)
