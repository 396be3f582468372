"""Strings: equal to a person who searches, whatever their case, accents and width.

https://hl7.org/fhir/R4/search.html#string
"""

import unicodedata
from collections.abc import Mapping, Sequence

from tests.support.brute_force.elements import Element
from tests.support.brute_force.query import Refused, unescape

_PARTS = {
    "HumanName": ("family", "given", "text", "prefix", "suffix"),
    "Address": ("line", "city", "district", "state", "postalCode", "country", "text"),
    "CodeableConcept": ("text",),
}


_ORDERED_BY = {
    "HumanName": ("family", "given", "text"),
    "Address": ("country", "state", "district", "city", "postalCode", "line", "text"),
}


def fold(text: str) -> str:
    for _ in range(2):
        text = text.casefold().replace("\N{LATIN SMALL LETTER DOTLESS I}", "i")
        apart = unicodedata.normalize("NFKD", text)
        bare = (sign for sign in apart if unicodedata.category(sign) not in {"Mn", "Me"})
        text = "".join(bare).casefold()
    signs = (" " if unicodedata.category(sign) == "Cc" else sign for sign in text)
    return unicodedata.normalize("NFC", " ".join("".join(signs).split()))


def texts(element: Element) -> list[str]:
    """The texts of an element that are searched, each by itself."""
    return _parts(element, _PARTS)


def ordered_by(element: Element) -> list[str]:
    """A name by family and then given name, an address from the country down to the house."""
    parts = _parts(element, {**_PARTS, **_ORDERED_BY})
    joined = [" ".join(parts)] if parts and element.is_a(*_ORDERED_BY) else parts
    return [fold(text) for text in joined]


def _parts(element: Element, table: Mapping[str, Sequence[str]]) -> list[str]:
    if isinstance(element.value, str):
        return [element.value]
    names = next((parts for type_, parts in table.items() if element.is_a(type_)), ())
    found: list[str] = []
    for name in names:
        part = element.value.get(name)
        every = part if isinstance(part, list) else [part]
        found += [each for each in every if isinstance(each, str)]
    return found


def begins(value: str, element: Element) -> bool:
    asked = _asked(value)
    return any(fold(text).startswith(asked) for text in texts(element))


def contains(value: str, element: Element) -> bool:
    asked = _asked(value)
    return any(asked in fold(text) for text in texts(element))


def exact(value: str, element: Element) -> bool:
    return unescape(value) in texts(element)


def present(element: Element) -> bool:
    return any(fold(text) for text in texts(element))


def _asked(value: str) -> str:
    asked = fold(unescape(value))
    if not asked:
        raise Refused(f"{value} has nothing to look for")
    return asked
