"""Glancing: stored JSON read only as far as some paths look.

The members that paths begin with are decoded, everything else is skipped where it stands. A page
of results is looked at so for what it refers to, and for what it is sorted by.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypedDict, cast

import msgspec

from fhir_server.search.paths import (
    Both,
    Condition,
    Either,
    Equals,
    Exists,
    Found,
    Member,
    Only,
    Path,
    RefersTo,
    Step,
    Truth,
)

Glance = Callable[[bytes], dict[str, Any]]
"""The resource, with no other members than those looked for."""

_whole = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


def glance_at(found: Iterable[Found]) -> Glance:
    """The function that reads what these paths look at, and perhaps more."""
    members: set[str] = set()
    for each in found:
        some = _of_found(each)
        if some is None:
            return _whole.decode
        members |= some
    return glance_at_members(sorted(members))


def glance_at_members(members: Iterable[str]) -> Glance:
    """The function that reads these members."""
    fields = dict.fromkeys(members, Any)
    glimpse = TypedDict("glimpse", fields, total=False)  # type: ignore[misc]  # mypy wants the members written here
    return cast("Glance", msgspec.json.Decoder(glimpse, float_hook=Decimal).decode)


def _of_found(found: Found) -> set[str] | None:
    match found:
        case Path(steps):
            return _of_steps(steps)
        case Truth(condition):
            return _of_condition(condition)
        case _:
            return None


def _of_steps(steps: Sequence[Step]) -> set[str] | None:
    """The members of the resource that steps look at; None when they may be any."""
    match steps:
        case [Member(key), *_]:
            return {key}
        case [Only(condition), *rest]:
            looked, further = _of_condition(condition), _of_steps(rest)
            return None if looked is None or further is None else looked | further
        case _:
            return None


def _of_condition(condition: Condition) -> set[str] | None:
    match condition:
        case Exists(paths) | Equals(paths):
            parts = [_of_steps(path.steps) for path in paths]
        case RefersTo():
            return {"reference"}
        case Both(conditions) | Either(conditions):
            parts = [_of_condition(each) for each in conditions]
    known = [part for part in parts if part is not None]
    return set().union(*known) if len(known) == len(parts) else None
