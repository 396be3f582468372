"""Tokens: codes with or without the system they are of.

https://hl7.org/fhir/R4/search.html#token

A code of a terminology compares without regard to case, an identifier exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.brute_force import strings
from tests.support.brute_force.elements import Element
from tests.support.brute_force.query import Refused, split, unescape

_BOOLEANS = "http://terminology.hl7.org/CodeSystem/special-values"
_ANY_SYSTEM = object()


@dataclass(frozen=True)
class Token:
    system: object
    """A text, None when there is none, or that any is meant."""
    code: str | None
    exact: bool = False


def tokens(element: Element) -> list[Token]:
    value = element.value
    if element.is_a("CodeableConcept"):
        return [_coding(coding) for coding in value.get("coding", ())]
    if element.is_a("Coding"):
        return [_coding(value)]
    if element.is_a("Identifier"):
        return [Token(value.get("system"), value.get("value"), exact=True)]
    if element.is_a("ContactPoint"):
        return [Token(None, value.get("value"))]
    if element.is_a("boolean"):
        return [Token(_BOOLEANS, str(value).lower())] if isinstance(value, bool) else []
    if element.is_a("code"):
        return [Token(element.system or _ANY_SYSTEM, value)]
    return [Token(None, value, exact=True)] if isinstance(value, str) else []


def matches(value: str, element: Element) -> bool:
    pieces = [unescape(piece) for piece in split(value, "|")]
    if len(pieces) > 2 or not any(pieces):
        raise Refused(f"{value} is no token")
    return any(_is(pieces, token, element) for token in tokens(element))


def of_type(value: str, element: Element) -> bool:
    """`:of-type`: system and code of an identifier's type, and its value."""
    pieces = [unescape(piece) for piece in split(value, "|")]
    if len(pieces) != 3 or not all(pieces):
        raise Refused(f"{value} is not system|code|value")
    system, code, text = pieces
    if not element.is_a("Identifier") or element.value.get("value") != text:
        return False
    codings = element.value.get("type", {}).get("coding", ())
    return any(
        each.get("system") == system and str(each.get("code")).casefold() == code.casefold()
        for each in codings
    )


def has_text(value: str, element: Element) -> bool:
    """`:text`: a string search of what a person reads of the code."""
    return any(strings.begins(value, Element(text, ("string",))) for text in displays(element))


def displays(element: Element) -> list[str]:
    value = element.value
    if not isinstance(value, Mapping):
        return []
    concept = value.get("type", {}) if element.is_a("Identifier") else value
    texts = [concept.get("text"), concept.get("display")]
    if element.is_a("CodeableConcept"):
        texts += [coding.get("display") for coding in concept.get("coding", ())]
    if element.is_a("Identifier"):
        texts = [concept.get("text")]
    return [text for text in texts if isinstance(text, str)]


def _coding(coding: Mapping[str, Any]) -> Token:
    return Token(coding.get("system"), coding.get("code"))


def _is(pieces: list[str], token: Token, element: Element) -> bool:
    implied = element.is_a("code", "boolean")
    if len(pieces) == 2:
        system = pieces[0]
        of_system = token.system in {system, _ANY_SYSTEM} if system else not token.system
        if not of_system and not (implied and not system):
            return False
    code = pieces[-1]
    if not code:
        return True
    if token.code is None:
        return False
    return code == token.code if token.exact else code.casefold() == token.code.casefold()
