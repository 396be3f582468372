"""Which custom search parameters count, read from the SearchParameter resources of a store.

https://hl7.org/fhir/R4/searchparameter.html

Those of status active do. What was checked when it was written may come to be wrong later, when
what a composite names is deleted: then it is left out, and the reason is told.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from fhir_server.definitions.registry import Definitions
from fhir_server.definitions.search_parameters import CustomParameter, SearchParameter
from fhir_server.errors import FhirError
from fhir_server.fhir import json_format
from fhir_server.search.custom import concrete_types, custom_parameter
from fhir_server.storage.base import Store
from fhir_server.storage.versions import HistoryPosition, Version

TYPE: Final = "SearchParameter"
_AT_ONCE: Final = 100
_MEANING: Final = ("status", "code", "base", "type", "expression", "target", "component")
"""What makes a version another definition than the one before."""


class Stored(NamedTuple):
    """A SearchParameter as it is stored."""

    version: Version
    resource: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Customs:
    """The custom search parameters of one moment."""

    parameters: tuple[CustomParameter, ...] = ()
    """Those that count, the oldest first."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """Why an active one does not, by the id of its resource."""
    known: Mapping[str, SearchParameter] = field(default_factory=dict)
    """Published and custom ones of any status, by url: what a composite may name."""

    digest: str = field(init=False)
    """The same for all who would give resources the same terms."""

    def __post_init__(self) -> None:
        names = "\n".join(sorted(each.incarnation for each in self.parameters))
        digest = blake2b(names.encode(), digest_size=12).hexdigest()
        object.__setattr__(self, "digest", digest)  # asked for by every commit, so made once


async def read_customs(store: Store, definitions: Definitions) -> Customs:
    """What the store holds now."""
    known, faults = dict(definitions.parameters_by_url), dict[str, str]()
    found: list[tuple[Stored, SearchParameter]] = []
    stored = [each async for each in _stored(store)]
    for one in sorted(stored, key=_composites_last):
        try:
            parameter = custom_parameter(one.resource, definitions, known)
        except FhirError as error:
            if one.resource.get("status") == "active":
                faults[one.version.id] = error.message
            continue
        if parameter is not None:
            known.setdefault(parameter.url, parameter)
            found.append((one, parameter))
    active = [each for each in found if each[0].resource.get("status") == "active"]
    chosen = _without_clashes(active, definitions, faults)
    parameters = [await _custom(store, *each) for each in chosen]
    return Customs(tuple(parameters), MappingProxyType(faults), MappingProxyType(known))


def clash(one: SearchParameter, other: SearchParameter, definitions: Definitions) -> str | None:
    """A type that both would have the same code on; None when they can live together."""
    if one.code != other.code:
        return None
    theirs = set(concrete_types(other, definitions))
    return next((each for each in concrete_types(one, definitions) if each in theirs), None)


async def _stored(store: Store) -> AsyncIterator[Stored]:
    after = ""
    while versions := await store.scan(TYPE, after, _AT_ONCE):
        for version in versions:
            yield Stored(version, json_format.parse(version.content or b"{}"))
        after = versions[-1].id


def _composites_last(one: Stored) -> tuple[bool, int]:
    return one.resource.get("type") == "composite", one.version.ordinal


def _without_clashes(
    found: Sequence[tuple[Stored, SearchParameter]],
    definitions: Definitions,
    faults: dict[str, str],
) -> list[tuple[Stored, SearchParameter]]:
    """Of those of one code, the oldest: two may be written at once, unseen by each other."""
    chosen: list[tuple[Stored, SearchParameter]] = []
    for one, parameter in sorted(found, key=lambda each: each[0].version.ordinal):
        for elder, other in chosen:
            type_ = clash(parameter, other, definitions)
            if type_ is not None:
                faults[one.version.id] = (
                    f"{type_} has {parameter.code!r} already, by {TYPE}/{elder.version.id}."
                )
                break
        else:
            chosen.append((one, parameter))
    return chosen


async def _custom(store: Store, one: Stored, parameter: SearchParameter) -> CustomParameter:
    facts = {name: getattr(parameter, name) for name in parameter.__struct_fields__}
    id_ = one.version.id
    incarnation = await _incarnation(store, one, parameter)
    return CustomParameter(**facts, resource=id_, incarnation=incarnation)


async def _incarnation(store: Store, one: Stored, parameter: SearchParameter) -> str:
    """What is the same as long as the definition stays what it is, and never comes again.

    So terms of one that was deleted mean nothing to one that is made again just alike: between
    the two, resources were written without them.
    """
    parts = [[each.parameter.type, each.expression] for each in parameter.components]
    since = await _since(store, one)
    facts = [one.version.ordinal, since, parameter.type, parameter.base, parameter.expression]
    told = json.dumps([*facts, parts])
    return blake2b(told.encode(), digest_size=12).hexdigest()


async def _since(store: Store, one: Stored) -> int:
    """The number of the first version, in an unbroken line to this one, that means the same."""
    since, meaning = one.version.number, _meaning(one.resource)
    after: HistoryPosition | None = None
    while since > 1:
        versions = await store.history(TYPE, one.version.id, after=after, limit=_AT_ONCE)
        for version in versions:
            if version.number >= one.version.number:
                continue
            if version.content is None or _meaning(json_format.parse(version.content)) != meaning:
                return since
            since = version.number
        if len(versions) < _AT_ONCE:
            break
        last = versions[-1]
        after = HistoryPosition(last.updated, last.ordinal, last.number)
    return since


def _meaning(resource: Mapping[str, Any]) -> list[Any]:
    return [resource.get(name) for name in _MEANING]
