"""String values: string, markdown, HumanName, Address, and the text of a CodeableConcept.

https://hl7.org/fhir/R4/search.html#string

Texts are folded (`kit/text.py`) and found by how they begin. Of a name or an address each part
is a text of its own.

    name=Ann            some text begins so, case, accents and width aside
    name:contains=nn    some text has it anywhere; long texts are cut into pieces that overlap
    name:exact=Anna     some text is just this, to the last accent: a key by its hash

The key of a text ends in a mark that no text holds and that sorts before all that could stand
there: one says that the text ends, the next that it was cut. So one can also ask for the whole of
a folded text, for its end, and for its order.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from fhir_server.kit.text import fold
from fhir_server.search import keys
from fhir_server.search.entries import Entries, Index, Indexed, Indexer
from fhir_server.search.values.escapes import unescape, wrong
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.storage.query import KeyHas, KeyIn, KeyIs, Test
from fhir_server.storage.versions import Key

LONGEST = 128
"""Code points of a folded text that are indexed, and that can be searched for."""

_OVERLAP = 64
"""Code points that neighbouring pieces of a long text share, so that no part of it is cut apart."""
_FOLDED_AT_ONCE = 64 * LONGEST
"""Code points of a text that are folded at all; what lies further on is not found."""
_PIECE = "\1"
"""How the key of a piece goes on behind the parameter's mark: no folded text has it."""
_END = "\2"
_GOES_ON = "\3"
_FIRST = " "
"""No folded text begins with what is less."""
_EXACT = keys.group("\0exact")
_REMEMBERED = 1024
_LONGEST_REMEMBERED = 64
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
    return keys.of_parameter(parameter.indexed)


def test_exact(parameter: Parameter, value: str) -> Test:
    """The test for `:exact`: some text is the value, character by character."""
    return KeyIs((_exact_key(parameter.indexed, unescape(value)),))


def test_contains(parameter: Parameter, value: str) -> Test:
    """The test for `:contains`: some text has the value anywhere, case, accents and width aside."""
    return KeyHas(parameter.indexed.text, _part_searched(parameter, value))


def test_ending(parameter: Parameter, value: str) -> Test:
    """The test that some text ends with the value, case, accents and width aside."""
    return KeyHas(parameter.indexed.text, _part_searched(parameter, value) + _END)


def test_whole(parameter: Parameter, value: str) -> Test:
    """The test that some text is the value, case, accents and width aside."""
    return KeyIs((_whole_key(parameter, value),))


def test_order(operator: str, parameter: Parameter, value: str) -> Test:
    """The test that some text is `gt`, `ge`, `lt` or `le` the value, by folded code points."""
    key, all_ = _whole_key(parameter, value), keys.text_beginning(parameter.indexed.text)
    first, past = parameter.indexed.text + _FIRST, key.removesuffix(_END) + _GOES_ON
    bounds = {
        "gt": KeyIn(past, str(all_.high)),
        "ge": KeyIn(key, str(all_.high)),
        "lt": KeyIn(first, key),
        "le": KeyIn(first, past),
    }
    return bounds[operator]


def _whole_key(parameter: Parameter, value: str) -> str:
    return parameter.indexed.text + text_searched(parameter, value) + _END


def _part_searched(parameter: Parameter, value: str) -> str:
    folded = text_searched(parameter, value)
    if len(folded) > _OVERLAP:
        raise wrong(parameter, value, f"at most {_OVERLAP} characters can be looked for anywhere")
    return folded


def _exact_key(parameter: Indexed, text: str) -> bytes:
    return parameter.prefix + _EXACT + keys.value(text)


def _whole(text: Any) -> Sequence[str]:
    return (text,) if type(text) is str and text else ()


def _parts(names: tuple[str, ...]) -> Texts:
    def texts(element: Any) -> Sequence[str]:
        if type(element) is not dict:
            return ()
        found: list[str] = []
        for name in names:
            value = element.get(name)
            if type(value) is str:
                found.append(value)
            elif type(value) is list:
                found += [part for part in value if type(part) is str]
        return found

    return texts


TEXTS: Mapping[str, Texts] = {
    "string": _whole,
    "markdown": _whole,
    "HumanName": _parts(_NAME_PARTS),
    "Address": _parts(_ADDRESS_PARTS),
    "CodeableConcept": _parts(("text",)),
}
"""Texts by FHIR type, as they are written."""


class _TextKeys(dict[str, tuple[Key, ...]]):
    """Keys of a text, made when first asked for: many names and towns are met again."""

    def __init__(self, parameter: Indexed) -> None:
        self._parameter = parameter

    def __missing__(self, text: str) -> tuple[Key, ...]:
        parameter, folded = self._parameter, folded_text(text)
        found: tuple[Key, ...] = ()
        if folded:
            end = "" if len(text) > _FOLDED_AT_ONCE else _END
            cut = _GOES_ON if len(folded) > LONGEST else end
            whole = parameter.text + folded[:LONGEST] + cut
            found = (whole, _exact_key(parameter, text), *_pieces(parameter, folded, end))
        if len(text) <= _LONGEST_REMEMBERED:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[text] = found
        return found


def _pieces(parameter: Indexed, folded: str, end: str) -> Iterator[Key]:
    """Keys of a long text from its middle on; the last one has the mark of its end."""
    step, length = LONGEST - _OVERLAP, len(folded)
    for at in range(step, length - _OVERLAP, step) if length > LONGEST else ():
        last = end if at + LONGEST >= length else ""
        yield parameter.text + _PIECE + folded[at : at + LONGEST] + last


def folded_text(text: str) -> str:
    """How a text is searched, as long as it may be."""
    return fold(text[:_FOLDED_AT_ONCE])


def _index(texts: Texts, parameter: Indexed) -> Index:
    known = _TextKeys(parameter)

    def index(element: Any, entries: Entries) -> None:
        for text in texts(element):
            entries.keys += known[text]

    return index


INDEXERS: Mapping[str, Indexer] = {type_: partial(_index, texts) for type_, texts in TEXTS.items()}
