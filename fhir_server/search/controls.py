"""Controls: what shapes the answer of a search without selecting anything.

https://hl7.org/fhir/R4/search.html#return

Each control has one reader in a table; one without a reader is refused by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.search.clause import shown
from fhir_server.search.query_string import Pair

DEFAULT_COUNT: Final = 50
MOST_COUNT: Final = 1000
FORMATTING: Final = frozenset({"_format", "_pretty"})
"""Content negotiation: understood by HTTP, and kept in links."""


class Total(Enum):
    """How much work may go into `Bundle.total`."""

    NONE = "none"
    ESTIMATE = "estimate"
    ACCURATE = "accurate"


@dataclass(frozen=True, slots=True)
class Controls:
    count: int = DEFAULT_COUNT
    """Most matches on the page; a larger wish is cut to what is allowed."""
    total: Total = Total.NONE
    count_only: bool = False
    """`_summary=count` or `_count=0`: the answer is the total alone."""
    page: str | None = None
    """The sealed place to continue from; see `paging.py`."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the house allows."""

    default: int = DEFAULT_COUNT
    most: int = MOST_COUNT


def read_controls(
    pairs: Sequence[Pair], sizes: Sizes, *, lenient: bool = False
) -> tuple[Controls, tuple[Pair, ...], tuple[str, ...]]:
    """The controls, the pairs understood, and the names that lenient handling left out."""
    changes: dict[str, Any] = {"count": sizes.default}
    kept: dict[str, str] = {}
    dropped: list[str] = []
    for name, value in pairs:
        if name in kept:
            raise BadRequest(f"{shown(name)} is given twice.")
        try:
            changes.update(_reader(name)(value, sizes))
        except UnknownParameter:
            if not lenient:
                raise
            dropped.append(name)
        else:
            kept[name] = value
    if changes.get("count_only"):
        changes["total"] = Total.ACCURATE
    return Controls(**changes), tuple(kept.items()), tuple(dropped)


Reader = Callable[[str, Sizes], Mapping[str, Any]]
"""The fields of Controls that a value sets."""

_UNCHANGED: Final[Mapping[str, Any]] = {}
_SUMMARIES: Final = frozenset({"true", "text", "data"})


def _reader(name: str) -> Reader:
    reader = _READERS.get(name)
    if reader is None:
        raise UnknownParameter(f"Not supported yet: {shown(name)}.")
    return reader


def _count(value: str, sizes: Sizes) -> Mapping[str, Any]:
    if not (value.isascii() and value.isdigit()):
        raise BadRequest(f"_count is a number from 0 to {sizes.most}, not {shown(value)!r}.")
    count = int(value[:10])
    return {"count": min(count, sizes.most)} if count else {"count_only": True}


def _total(value: str, _: Sizes) -> Mapping[str, Any]:
    try:
        return {"total": Total(value)}
    except ValueError:
        allowed = ", ".join(each.value for each in Total)
        raise BadRequest(f"_total is one of {allowed}, not {shown(value)!r}.") from None


def _summary(value: str, _: Sizes) -> Mapping[str, Any]:
    if value == "count":
        return {"count_only": True}
    if value == "false":
        return _UNCHANGED
    if value in _SUMMARIES:
        raise UnknownParameter(f"Not supported yet: _summary={value}.")
    raise BadRequest(f"_summary is one of true, text, data, count, false, not {shown(value)!r}.")


def _page(value: str, _: Sizes) -> Mapping[str, Any]:
    return {"page": value}


def _elsewhere(_value: str, _: Sizes) -> Mapping[str, Any]:
    return _UNCHANGED


_READERS: Final[Mapping[str, Reader]] = {
    "_count": _count,
    "_page": _page,
    "_summary": _summary,
    "_total": _total,
    **dict.fromkeys(FORMATTING, _elsewhere),
}
