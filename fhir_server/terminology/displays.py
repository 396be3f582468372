"""Displays: the words for a code, and which of them are in a language that is asked for.

https://hl7.org/fhir/R4/valueset-operation-expand.html#displayLanguage

Languages are asked for as in Accept-Language: `de-CH, de;q=0.8, *;q=0`. A range `de` means `de-CH`
as well; `*;q=0` that no other language will do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.terminology.reading import objects, text
from fhir_server.terminology.value_set import Member

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Languages:
    """The languages that somebody reads, the best first."""

    ranges: tuple[str, ...] = ()
    others: bool = True
    """Whether another language is better than nothing."""
    asked: str = ""

    def include(self, language: str) -> bool:
        return any(_within(language, each) for each in self.ranges)


def read_languages(asked: str) -> Languages:
    """The languages of a header or parameter; what cannot be read there is passed over."""
    weighed = [_weighed(each) for each in asked.split(",") if each.strip()]
    ranges = sorted((each for each in weighed if each[1] > 0), key=lambda each: -each[1])
    others = ("*", 0.0) not in weighed
    return Languages(tuple(each for each, _ in ranges if each != "*"), others, asked)


def _weighed(part: str) -> tuple[str, float]:
    language, _, weight = part.strip().partition(";q=")
    try:
        return language.strip(), float(weight or 1)
    except ValueError:
        return language.strip(), 0.0


def _within(language: str, asked: str) -> bool:
    language, asked = language.lower(), asked.lower()
    return language == asked or language.startswith(f"{asked}-")


@dataclass(frozen=True, slots=True)
class Name:
    """One way to call a code."""

    value: str
    language: str
    """Empty: not stated."""
    designation: Mapping[str, Any]
    """As it is written; empty for a display."""


def names(member: Member) -> Iterator[Name]:
    """All names of a member, what the value set says before what the code system says."""
    concept, listed = member.concept, member.listed or _NOTHING
    language = member.source.language if member.source is not None else ""
    if text(listed, "display"):
        own = "" if text(listed, "display") != text(concept, "display") else language
        yield Name(text(listed, "display"), own, _NOTHING)
    yield from _designations(listed)
    if text(concept, "display") not in ("", text(listed, "display")):
        yield Name(text(concept, "display"), language, _NOTHING)
    yield from _designations(concept)


def _designations(concept: Mapping[str, Any]) -> Iterator[Name]:
    for each in objects(concept, "designation"):
        if text(each, "value"):
            yield Name(text(each, "value"), text(each, "language"), each)


def display(member: Member, languages: Languages) -> Name | None:
    """The name to show; None when there is none in these languages, and no other will do."""
    known = list(names(member))
    for wanted in languages.ranges:
        for name in known:
            if _within(name.language, wanted):
                return name
    plain = next((name for name in known if not name.designation), None)
    if plain is None or (languages.ranges and not languages.others and plain.language):
        return None
    return plain


def fitting(member: Member, languages: Languages) -> Sequence[Name]:
    """The names in these languages, or in any if none is asked for."""
    known = list(names(member))
    if not languages.ranges:
        return known
    return [name for name in known if languages.include(name.language)]


def same(one: str, other: str) -> bool:
    """Whether two displays differ by letter case and spaces at most."""
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())
