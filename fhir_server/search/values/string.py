"""String values: string, markdown, HumanName, Address, and the text of a CodeableConcept.

https://hl7.org/fhir/R4/search.html#string

Texts are folded (`kit/text.py`) and found by how they begin. Of a name or an address each part
is a text of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fhir_server.kit.text import fold
from fhir_server.search import keys
from fhir_server.search.entries import Entries, Indexed, Indexer
from fhir_server.search.values.escapes import unescape, wrong
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.storage.query import KeyIn, Test

LONGEST = 128
"""Code points of a folded text that are indexed, and that can be searched for."""

_FOLDED_AT_ONCE = 64 * LONGEST
"""A text is cut before it is folded: what lies further on hardly ever reaches the first 128."""
Texts = Callable[[Any], Sequence[str]]

_NAME_PARTS = ("family", "given", "text", "prefix", "suffix")
_ADDRESS_PARTS = ("line", "city", "district", "state", "postalCode", "country", "text")


def text_searched(parameter: Parameter, value: str) -> str:
    """The folded beginning that a match has."""
    folded = fold(unescape(value))
    if not folded:
        raise wrong(parameter, value, "it has no letter, digit or sign to look for")
    if len(folded) > LONGEST:
        raise wrong(parameter, value, f"at most {LONGEST} characters can be looked for")
    return folded


def test(parameter: Parameter, value: str, _: Context) -> Test:
    """The test for texts that begin with the value, case, accents and width aside."""
    return keys.text_beginning(parameter.indexed.text + text_searched(parameter, value))


def present(parameter: Parameter) -> Test:
    """The test that the parameter has any value."""
    beginning: KeyIn = keys.text_beginning(parameter.indexed.text)
    return beginning


def _text(text: Any) -> Sequence[str]:
    if type(text) is not str:
        return ()
    folded = fold(text[:_FOLDED_AT_ONCE])[:LONGEST]
    return (folded,) if folded else ()


def _parts(names: tuple[str, ...]) -> Texts:
    def texts(element: Any) -> Sequence[str]:
        if type(element) is not dict:
            return ()
        found: list[str] = []
        for name in names:
            value = element.get(name)
            if value is None:
                continue
            for part in value if type(value) is list else (value,):
                for text in _text(part):
                    if text not in found:
                        found.append(text)
        return found

    return texts


TEXTS: Mapping[str, Texts] = {
    "string": _text,
    "markdown": _text,
    "HumanName": _parts(_NAME_PARTS),
    "Address": _parts(_ADDRESS_PARTS),
    "CodeableConcept": _parts(("text",)),
}


def _indexer(texts: Texts) -> Indexer:
    def index(element: Any, parameter: Indexed, entries: Entries) -> None:
        for text in texts(element):
            entries.keys.append(parameter.text + text)

    return index


INDEXERS: Mapping[str, Indexer] = {type_: _indexer(texts) for type_, texts in TEXTS.items()}
