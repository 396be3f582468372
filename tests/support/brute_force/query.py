"""A search as it is written, taken apart: `Patient?name=a,b&general-practitioner.name:exact=c`.

https://hl7.org/fhir/R4/search.html#Introduction
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

CONTROLS = frozenset(
    {
        "_contained",
        "_containedType",
        "_count",
        "_elements",
        "_explain",
        "_format",
        "_include",
        "_pretty",
        "_revinclude",
        "_sort",
        "_summary",
        "_total",
    }
)


class Refused(Exception):
    """The search is one that must be answered with an error."""


@dataclass(frozen=True)
class Plain:
    """`name:exact`"""

    name: str
    modifier: str = ""


@dataclass(frozen=True)
class Chain:
    """`subject:Patient.name`"""

    name: str
    type: str
    rest: "Name"


@dataclass(frozen=True)
class Has:
    """`_has:Observation:patient:code`"""

    type: str
    reference: str
    rest: "Name"


Name = Plain | Chain | Has


@dataclass(frozen=True)
class Criterion:
    name: Name
    values: tuple[str, ...]
    """Still escaped."""


@dataclass(frozen=True)
class Query:
    type: str
    """Empty: all types."""
    compartment: tuple[str, str] | None
    """Type and id of what the compartment is about."""
    criteria: tuple[Criterion, ...]
    controls: tuple[tuple[str, str], ...]


def parse(url: str) -> Query:
    """The search behind the base of a server: `Patient/1/Observation?code=x`, `?_type=A,B`."""
    path, _, text = url.partition("?")
    compartment, type_ = None, path
    if path.count("/") == 2:
        of, id_, type_ = path.split("/")
        compartment = of, id_
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    return Query(
        "" if type_ == "*" else type_,
        compartment,
        tuple(_criterion(*pair) for pair in pairs if not _is_control(pair[0])),
        tuple(pair for pair in pairs if _is_control(pair[0])),
    )


def split(text: str, mark: str) -> list[str]:
    """The pieces between marks that no backslash precedes; backslashes stay."""
    pieces, escaped = [""], False
    for sign in text:
        if sign == mark and not escaped:
            pieces.append("")
        else:
            pieces[-1] += sign
        escaped = sign == "\\" and not escaped
    return pieces


def unescape(text: str) -> str:
    r"""`\,` `\|` `\$` `\\` as the signs they stand for."""
    plain, at = "", 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in {",", "|", "$", "\\"}:
            at += 1
        plain += text[at]
        at += 1
    return plain


def _is_control(name: str) -> bool:
    return name.partition(":")[0] in CONTROLS


def _criterion(name: str, value: str) -> Criterion:
    values = (value,) if re.split("[.:]", name)[-1] == "_filter" else tuple(split(value, ","))
    if not all(values):
        raise Refused(f"{name} has an empty value")
    return Criterion(_name(name), values)


def _name(text: str) -> Name:
    if text.startswith("_has:"):
        _, type_, reference, rest = text.split(":", 3)
        return Has(type_, reference, _name(rest))
    head, dot, rest = text.partition(".")
    name, _, modifier = head.partition(":")
    return Chain(name, modifier, _name(rest)) if dot else Plain(name, modifier)
