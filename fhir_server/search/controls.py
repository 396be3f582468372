"""Controls: what shapes the answer of a search without selecting anything.

https://hl7.org/fhir/R4/search.html#return

Each control has one reader in a table; one without a reader is refused by name. Only how they are
written is read here: whether a type has the parameter to sort by is asked in `sorting.py`, of
what is included in `including.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec

from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.search.clause import shown
from fhir_server.search.query_string import Pair

DEFAULT_COUNT: Final = 50
MOST_COUNT: Final = 1000
FORMATTING: Final = frozenset({"_format", "_pretty"})
"""Content negotiation: understood by HTTP, and kept in links."""
_MOST_SORT_KEYS: Final = 10


class Total(Enum):
    """How much work may go into `Bundle.total`."""

    NONE = "none"
    ESTIMATE = "estimate"
    ACCURATE = "accurate"


class Summary(Enum):
    """https://hl7.org/fhir/R4/search.html#summary"""

    TRUE = "true"
    TEXT = "text"
    DATA = "data"
    COUNT = "count"
    FALSE = "false"


class Contained(Enum):
    """https://hl7.org/fhir/R4/search.html#contained"""

    FALSE = "false"
    TRUE = "true"
    BOTH = "both"


class SortKey(NamedTuple):
    """One name of `_sort`."""

    code: str
    descending: bool


class Inclusion(NamedTuple):
    """One `_include` or `_revinclude` as it was written: `Source:code:Target`."""

    name: str
    """The control, with its modifier."""
    source: str | None
    """The type whose references are followed; None for any."""
    code: str | None
    """The parameter that has the references; None for all of them."""
    target: str | None
    """The only type whose resources are meant; None for any."""
    reverse: bool = False
    iterate: bool = False

    @property
    def written(self) -> str:
        parts = (self.source, self.code or "*", self.target)
        return ":".join(part for part in parts if part)


class Controls(msgspec.Struct, frozen=True):
    count: int = DEFAULT_COUNT
    """Most matches on the page; a larger wish is cut to what is allowed."""
    total: Total = Total.NONE
    summary: Summary = Summary.FALSE
    explain: bool = False
    """Whether the plan is wanted in place of the matches."""
    count_only: bool = False
    """`_summary=count` or `_count=0`: the answer is the total alone."""
    elements: tuple[str, ...] = ()
    """Names of the only elements that are wanted; none: all."""
    sort: tuple[SortKey, ...] = ()
    inclusions: tuple[Inclusion, ...] = ()
    contained: Contained = Contained.FALSE
    """Whether contained resources are looked for, alone or besides others."""
    contained_alone: bool = False
    """Whether those found are shown without their containers."""
    page: str | None = None
    """The sealed place to continue from; see `paging.py`."""


Fields = Mapping[str, Any]
"""Some fields of Controls."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the house allows."""

    default: int = DEFAULT_COUNT
    most: int = MOST_COUNT
    sorted: int = 10_000
    """Most matches that are sorted by what no index is ordered by."""
    included: int = 1000
    """Most resources that are included on one page."""
    depth: int = 3
    """How many links away from a match an iterating include may lead."""


def _anything(_: Fields) -> None:
    """For who knows of no parameters."""


def read_controls(
    pairs: Sequence[Pair],
    sizes: Sizes,
    *,
    lenient: bool = False,
    require: Callable[[Fields], None] = _anything,
) -> tuple[Controls, tuple[Pair, ...], tuple[str, ...]]:
    """The controls, the pairs understood, and the names that lenient handling left out.

    `require` is shown what each pair sets, and raises UnknownParameter for what is not known.
    """
    changes: dict[str, Any] = {"count": sizes.default}
    kept: list[Pair] = []
    dropped: list[str] = []
    for name, value in pairs:
        if name in dict(kept) and name not in _REPEATED:
            raise BadRequest(f"{shown(name)} is given twice.")
        try:
            read = _reader(name)(name, value, sizes)
            require(read)
        except UnknownParameter:
            if not lenient:
                raise
            dropped.append(name)
            continue
        for field, found in read.items():
            changes[field] = (*changes.get(field, ()), *found) if field in _GATHERED else found
        kept.append((name, value))
    _require_together(changes)
    return Controls(**changes), tuple(kept), tuple(dropped)


def processed(pairs: Sequence[Pair], controls: Controls) -> tuple[Pair, ...]:
    """The controls as they were carried out, for links: a count that was cut shows what it is."""
    cut = not controls.count_only
    return tuple(
        (name, str(controls.count) if name == "_count" and cut else value) for name, value in pairs
    )


Reader = Callable[[str, str, Sizes], Fields]
"""The fields of Controls that a name and its value set."""

_UNCHANGED: Final[Fields] = {}
_GATHERED: Final = frozenset({"inclusions"})
"""Fields to which several parameters add."""


def _reader(name: str) -> Reader:
    reader = _READERS.get(name)
    if reader is None:
        base, _, modifier = name.partition(":")
        if base in _READERS:
            raise BadRequest(f"{base} does not take :{shown(modifier)}.{_ADVICE.get(base, '')}")
        raise UnknownParameter(f"Not supported yet: {shown(name)}.")
    return reader


def _require_together(changes: dict[str, Any]) -> None:
    """What controls demand of each other."""
    if changes.get("contained", Contained.FALSE) is not Contained.FALSE and changes.get(
        "inclusions"
    ):
        raise BadRequest("_contained cannot be asked for together with _include or _revinclude.")
    if changes.get("count_only"):
        changes["total"] = Total.ACCURATE
    if changes.get("summary") is Summary.TEXT and changes.get("inclusions"):
        raise BadRequest("_summary=text cannot be asked for together with _include or _revinclude.")
    if changes.get("elements") and changes.get("summary", Summary.FALSE) not in _WITH_ELEMENTS:
        raise BadRequest("_elements and _summary cannot both say what to show; leave one out.")


_WITH_ELEMENTS: Final = frozenset({Summary.FALSE, Summary.COUNT})


def _count(_name: str, value: str, sizes: Sizes) -> Fields:
    if not (value.isascii() and value.isdigit()):
        raise BadRequest(f"_count is a number from 0 to {sizes.most}, not {shown(value)!r}.")
    count = int(value[:10])
    return {"count": min(count, sizes.most)} if count else {"count_only": True}


def _total(_name: str, value: str, _: Sizes) -> Fields:
    try:
        return {"total": Total(value)}
    except ValueError:
        allowed = ", ".join(each.value for each in Total)
        raise BadRequest(f"_total is one of {allowed}, not {shown(value)!r}.") from None


def _summary(_name: str, value: str, _: Sizes) -> Fields:
    try:
        summary = Summary(value)
    except ValueError:
        allowed = ", ".join(each.value for each in Summary)
        raise BadRequest(f"_summary is one of {allowed}, not {shown(value)!r}.") from None
    counts = summary is Summary.COUNT
    return {"summary": summary, **({"count_only": True} if counts else {})}


def _contained(_name: str, value: str, _: Sizes) -> Fields:
    try:
        return {"contained": Contained(value)}
    except ValueError:
        allowed = ", ".join(each.value for each in Contained)
        raise BadRequest(f"_contained is one of {allowed}, not {shown(value)!r}.") from None


def _contained_type(_name: str, value: str, _: Sizes) -> Fields:
    if value not in {"container", "contained"}:
        raise BadRequest(f"_containedType is container or contained, not {shown(value)!r}.")
    return {"contained_alone": value == "contained"}


def _elements(_name: str, value: str, _: Sizes) -> Fields:
    names = tuple(name.strip().removesuffix("[x]") for name in value.split(","))
    if not all(names):
        raise BadRequest("_elements is a list of element names, such as identifier,active.")
    return {"elements": names}


def _sort(_name: str, value: str, _: Sizes) -> Fields:
    keys = [SortKey(text.removeprefix("-"), text[:1] == "-") for text in value.split(",")]
    if not all(key.code for key in keys):
        raise BadRequest(
            f"_sort is a list of parameters, such as -date,name, not {shown(value)!r}."
        )
    if len(keys) > _MOST_SORT_KEYS:
        raise BadRequest(
            f"_sort may name {_MOST_SORT_KEYS} parameters; this one names {len(keys)}."
        )
    return {"sort": tuple(keys)}


def _inclusion(name: str, value: str, _: Sizes) -> Fields:
    base, iterate = name.partition(":")[::2]
    parts = value.split(":")
    if value == "*":
        parts = ["", "*"]
    elif not 2 <= len(parts) <= 3 or not all(parts):
        raise BadRequest(f"{shown(name)}={shown(value)} is not understood.{_ADVICE[base]}")
    source, code, target = (*parts, None)[:3]
    found = Inclusion(
        name,
        source or None,
        None if code == "*" else code,
        target,
        reverse=base == "_revinclude",
        iterate=bool(iterate),
    )
    return {"inclusions": (found,)}


def _explain(_name: str, value: str, _: Sizes) -> Fields:
    if value not in {"true", "false"}:
        raise BadRequest(f"_explain is true or false, not {shown(value)!r}.")
    return {"explain": value == "true"}


def _page(_name: str, value: str, _: Sizes) -> Fields:
    return {"page": value}


def _elsewhere(_name: str, _value: str, _: Sizes) -> Fields:
    return _UNCHANGED


_INCLUDING: Final = tuple(
    f"{base}{modifier}"
    for base in ("_include", "_revinclude")
    for modifier in ("", ":iterate", ":recurse")
)
_REPEATED: Final = frozenset(_INCLUDING)
_READERS: Final[Mapping[str, Reader]] = {
    "_contained": _contained,
    "_containedType": _contained_type,
    "_count": _count,
    "_elements": _elements,
    "_explain": _explain,
    "_page": _page,
    "_sort": _sort,
    "_summary": _summary,
    "_total": _total,
    **dict.fromkeys(_INCLUDING, _inclusion),
    **dict.fromkeys(FORMATTING, _elsewhere),
}
_ADVICE: Final[Mapping[str, str]] = {
    "_sort": " A name with - in front is sorted downwards, such as _sort=-date.",
    "_include": (
        " Write Type:parameter, Type:parameter:Target, Type:* or *, such as"
        " _include=Encounter:subject:Patient, with :iterate to follow what was included."
    ),
    "_revinclude": (
        " Write Type:parameter, Type:parameter:Target, Type:* or *, such as"
        " _revinclude=Provenance:target, with :iterate to follow what was included."
    ),
}
"""What would be right, by control."""
