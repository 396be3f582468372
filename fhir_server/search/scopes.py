"""Scopes: what a search looks through: a type, several types, or a compartment.

https://hl7.org/fhir/R4/http.html#search and https://hl7.org/fhir/R4/compartmentdefinition.html

    Patient                    one type
    (nothing), with _type=A,B  several types, or all of them; their results are one result
    Patient/1/Observation      of a type what belongs to a patient
    Patient/1/*                all that belongs to a patient
"""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Final, NamedTuple

import msgspec

from fhir_server.definitions.registry import Definitions
from fhir_server.errors import BadRequest, NotFound
from fhir_server.search.clause import shown
from fhir_server.search.query_string import Pair

TYPE_PARAMETER: Final = "_type"
ALL_TYPES: Final = "*"
_MOST_NEAREST: Final = 3


class Compartment(NamedTuple):
    """All that belongs to one resource, such as the records of a patient."""

    type: str
    id: str


class Scope(msgspec.Struct, frozen=True):
    path: tuple[str, ...]
    """Where it is asked for, relative to the base: `("Patient", "1", "Observation")`."""
    types: tuple[str, ...]
    """Types looked through."""
    compartment: Compartment | None = None
    asked: tuple[Pair, ...] = ()
    """The parameters that say so, for links."""


def of_type(type_: str) -> Scope:
    """A search of one type."""
    return Scope((type_,), (type_,))


def of_system(pairs: Sequence[Pair], definitions: Definitions) -> tuple[Scope, Sequence[Pair]]:
    """A search of the types in `_type`, or of all; with the parameters that are left."""
    types, asked, rest = _typed(pairs, definitions.resource_types, "a resource type of FHIR R4")
    return Scope((), types, None, asked), rest


def of_compartment(
    path: Sequence[str], pairs: Sequence[Pair], definitions: Definitions
) -> tuple[Scope, Sequence[Pair]]:
    """A search in a compartment, `path` without `_search`; with the parameters that are left.

    NotFound for what is no compartment, and for a type that never belongs to one.
    """
    owner, id_, wanted = path
    members = definitions.compartment(owner)
    if members is None:
        raise NotFound(f"{owner} is not the type of a compartment; {_listed(definitions)} are.")
    compartment, types = Compartment(owner, id_), definitions.resource_types.intersection(members)
    if wanted == ALL_TYPES:
        found, asked, rest = _typed(pairs, types, f"a type that belongs to a {owner}")
        return Scope(tuple(path), found, compartment, asked), rest
    if wanted not in definitions.resource_types:
        raise NotFound(f"{shown(wanted)!r} is not a resource type of FHIR R4.")
    if wanted not in types:
        raise NotFound(f"{wanted} is never in the compartment of a {owner}.")
    return Scope(tuple(path), (wanted,), compartment), pairs


def _typed(
    pairs: Sequence[Pair], known: Collection[str], what: str
) -> tuple[tuple[str, ...], tuple[Pair, ...], Sequence[Pair]]:
    """The types that `_type` names, or all; BadRequest for one that is not known."""
    asked = tuple(pair for pair in pairs if pair[0] == TYPE_PARAMETER)
    if not asked:
        return tuple(sorted(known)), (), pairs
    if len(asked) > 1:
        raise BadRequest("_type is given twice; several types are written _type=Patient,Encounter.")
    types = tuple(dict.fromkeys(asked[0][1].split(",")))
    for type_ in types:
        if type_ not in known:
            close = get_close_matches(type_[:64], sorted(known), _MOST_NEAREST)
            advice = f" Did you mean {' or '.join(close)}?" if close else ""
            raise BadRequest(f"_type: {shown(type_)!r} is not {what}.{advice}")
    return types, asked, [pair for pair in pairs if pair[0] != TYPE_PARAMETER]


def _listed(definitions: Definitions) -> str:
    owners = [each for each in sorted(definitions.resource_types) if definitions.compartment(each)]
    return ", ".join(owners)
