"""Query strings: pairs become clauses and controls. Syntax only, no definitions.

https://hl7.org/fhir/R4/search.html#escaping

A comma separates values that are alternatives; a repeated name means that both must hold.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from fhir_server.errors import BadRequest
from fhir_server.search.clause import Clause, shown

Pair = tuple[str, str]

CONTROLS = frozenset(
    {
        "_contained",
        "_containedType",
        "_count",
        "_elements",
        "_explain",
        "_format",
        "_include",
        "_page",
        "_pretty",
        "_revinclude",
        "_sort",
        "_summary",
        "_total",
    }
)
"""Parameters that shape the answer and select nothing."""

FILTER = "_filter"
"""Its value is a language of its own, in which a comma is nothing special."""

_FILTERED = re.compile(rf"(?:\A|[.:]){FILTER}\Z")
"""A filter, of what is searched or of what a chain or `_has` leads to."""
_ITEM = re.compile(r"(?:[^\\,]|\\.)*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Limits:
    parameters: int = 100
    """Most parameters in one query, controls included."""
    values: int = 200
    """Most alternatives of one parameter."""
    joined: int = 10_000
    """Most resources that one link of a chain, or of `_has`, may match."""


class Query(msgspec.Struct, frozen=True):
    clauses: tuple[Clause, ...]
    controls: tuple[Pair, ...]
    """Name with its modifier, if any (`_include:iterate`), and the value as sent."""


def parse(pairs: Sequence[Pair], limits: Limits) -> Query:
    """Split pairs into clauses and controls; BadRequest when a limit or the syntax is broken."""
    if len(pairs) > limits.parameters:
        raise BadRequest(
            f"A query may have {limits.parameters} parameters; this one has {len(pairs)}."
        )
    clauses, controls = [], []
    for text, value in pairs:
        if text[:1] == "_" and text.partition(":")[0] in CONTROLS:
            controls.append((text, value))
        else:
            clauses.append(_clause(text, value, limits))
    return Query(tuple(clauses), tuple(controls))


def clause_of(text: str, values: tuple[str, ...]) -> Clause:
    """A clause of a name with its modifier and chain; BadRequest if it is none."""
    if text and ":" not in text and "." not in text:
        return Clause(text, None, (), values, text)
    head, *chain = text.split(".")
    name, colon, modifier = head.partition(":")
    if not name or (colon and not modifier) or not all(chain):
        raise BadRequest(f"{shown(text)!r} is not the name of a search parameter.")
    return Clause(name, modifier or None, tuple(chain), values, text)


def _clause(text: str, value: str, limits: Limits) -> Clause:
    if FILTER in text and _FILTERED.search(text):
        return clause_of(text, (value,))
    values = split_values(text, value) if "," in value or "\\" in value else (value,)
    if len(values) > limits.values:
        raise BadRequest(
            f"{shown(text)} may have {limits.values} values; this one has {len(values)}."
        )
    if not all(values):
        raise BadRequest(f"{shown(text)} has an empty value; leave the parameter out instead.")
    return clause_of(text, values)


def of_the_moment(value: str) -> bool:
    """Whether what a value means may depend on when it is asked: `ap`, which a filter may escape.

    https://hl7.org/fhir/R4/search.html#prefix
    """
    return "ap" in value or "\\u" in value


def split_values(name: str, value: str) -> tuple[str, ...]:
    """Split a parameter's value at commas that no backslash precedes; escapes stay as they are."""
    if "\\" not in value:
        return tuple(value.split(","))
    values, at = [], 0
    while True:
        match = _ITEM.match(value, at)
        end = match.end() if match else at
        if end < len(value) and value[end] == "\\":
            raise BadRequest(
                f"{shown(name)}: {shown(value)!r} ends in a backslash that escapes nothing."
            )
        values.append(value[at:end])
        if end == len(value):
            return tuple(values)
        at = end + 1
