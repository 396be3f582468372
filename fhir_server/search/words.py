"""Words: full text of the narrative (`_text`) and of all that a resource says (`_content`).

https://hl7.org/fhir/R4/search.html#content

A word is a run of letters, digits and marks, folded as strings are (`kit/text.py`): case, accents
and width do not matter. Scripts that write no blanks between words have a word a sign. A tag ends
a word. Each word of a resource is one key, so that words are found as codes are; where they stand
is not kept.

    (bone OR liver) and metastases   →  any of bone, liver; and metastases
    bone metastases                  →  both
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from html import unescape
from typing import Any, Final

from fhir_server.kit.text import fold
from fhir_server.search import keys
from fhir_server.search.extracting import Find
from fhir_server.search.gathering import Gathered
from fhir_server.search.paths import Member

TEXT: Final = "_text"
CONTENT: Final = "_content"
MOST_WORDS: Final = 10_000
"""Distinct words of a resource that are found under one parameter: the first ones."""
MOST_SIGNS: Final = 1_000_000
"""Characters of a resource that are looked at for one parameter, likewise."""


class FullText(IntEnum):
    """What is indexed word by word; each includes those before it."""

    NONE = 0
    TEXT = 1
    CONTENT = 2


FULL_TEXT: Final[Mapping[str, FullText]] = {TEXT: FullText.TEXT, CONTENT: FullText.CONTENT}
"""What must be indexed for a parameter."""

_BLANKLESS: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, kana, and Chinese characters."""
_MARKS: Final = "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963"
_INDIC: Final = "\u0966-\u0dff"
"""Marks that belong to a word, and are no letters by themselves."""
_ONE: Final = rf"[{_BLANKLESS}]|(?:[^\W_{_BLANKLESS}]|[{_MARKS}{_INDIC}])+"
_PLAIN: Final = re.compile("[0-9a-z]+")
_TAG: Final = r"""<[!/?A-Za-z][^<>"']*+(?:(?:"[^"<]*+"|'[^'<]*+')[^<>"']*+)*+>"""
_WORD: Final = re.compile(_ONE)
_WORD_OR_TAG: Final = re.compile(rf"{_TAG}|({_ONE})")
_PLAIN_OR_TAG: Final = re.compile(rf"{_TAG}|([0-9a-z]+)")
_ANY_TAG: Final = re.compile(_TAG)
_REMEMBERED: Final = 32_768
_LONGEST_REMEMBERED: Final = 32


def words_of(text: str) -> list[str]:
    """The words of a plain text, folded, each once, in their order."""
    return list(dict.fromkeys(word for raw in _raw(text) for word in _folded(raw)))


def narrative_words(div: str) -> dict[str, None]:
    """What may be words between the tags of XHTML, not folded yet, each once, in their order."""
    if "&" in div or "<!" in div:
        return _raw(_text_of(div))
    found = _PLAIN_OR_TAG.findall(div.lower()) if div.isascii() else _WORD_OR_TAG.findall(div)
    raw = dict.fromkeys(found)
    raw.pop("", None)
    return raw


def full_text_finds(type_: str, codes: Iterable[str], level: FullText) -> Iterator[Find]:
    """What has the walk index words, of those parameters that a type has."""
    if TEXT in codes and level >= FullText.TEXT:
        mark = keys.indexed(type_, TEXT).prefix + keys.ANY
        yield Find((Member("text"), Member("div")), _Narrative(mark))
    if CONTENT in codes and level >= FullText.CONTENT:
        mark = keys.indexed(type_, CONTENT).prefix + keys.ANY
        yield Find((), _Content(mark))


def word_key(type_: str, code: str, word: str) -> bytes:
    """The key of a resource of the type that has the word."""
    return keys.indexed(type_, code).prefix + keys.ANY + _VALUES[word][0]


class _Values(dict[str, tuple[bytes, ...]]):
    """The values of what may be words by how they are written; the same ones come again."""

    def __missing__(self, raw: str) -> tuple[bytes, ...]:
        values = tuple(keys.value(word) for word in _folded(raw))
        if len(raw) <= _LONGEST_REMEMBERED:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[raw] = values
        return values


_VALUES: Final = _Values()


class _Narrative:
    def __init__(self, mark: bytes) -> None:
        self._mark = mark

    def __call__(self, div: Any, gathered: Gathered) -> None:
        if type(div) is str:
            _add(narrative_words(div[:MOST_SIGNS]), self._mark, gathered)


class _Content:
    def __init__(self, mark: bytes) -> None:
        self._mark = mark

    def __call__(self, resource: Any, gathered: Gathered) -> None:
        _add(_content_words(resource), self._mark, gathered)


def _add(words: Iterable[str], mark: bytes, gathered: Gathered) -> None:
    known = _VALUES
    found = [mark + value for word in words for value in known[word]]
    gathered.keys += found[:MOST_WORDS]


def _content_words(resource: dict[str, Any]) -> Iterable[str]:
    texts: list[str] = []
    narratives: list[str] = []
    _texts_in([item for item in resource.items() if item[0] not in _NOT_SAID], texts, narratives)
    found = _raw("\n".join(texts)[:MOST_SIGNS])
    for div in narratives:
        found |= narrative_words(div[:MOST_SIGNS])
    return found


def _texts_in(items: list[tuple[str, Any]], texts: list[str], narratives: list[str]) -> None:
    """All strings below some members, but for what is base64."""
    while items:
        name, value = items.pop()
        kind = type(value)
        if kind is str:
            if name == "div" and value.startswith("<"):
                narratives.append(value)
            elif name not in _BASE64 and not name.endswith("Base64Binary"):
                texts.append(value)
        elif kind is dict:
            items += value.items()
        elif kind is list:
            items += [(name, each) for each in value]


_NOT_SAID: Final = frozenset({"resourceType", "meta"})
_BASE64: Final = frozenset({"data", "hash", "carrierAIDC"})
"""Members of type base64Binary, beside those whose name says so."""


def _raw(text: str) -> dict[str, None]:
    """What may be words of a text, not folded yet, each once, in their order."""
    return dict.fromkeys(_PLAIN.findall(text.lower()) if text.isascii() else _WORD.findall(text))


def _folded(raw: str) -> list[str]:
    """The words of a word as it is written: folding takes some signs apart, such as ½."""
    return _WORD.findall(fold(raw))


def _text_of(div: str) -> str:
    """The text of XHTML, a blank for each tag."""
    parts, at = [], 0
    while (start := div.find("<!--", at)) >= 0 and (end := div.find("-->", start)) >= 0:
        parts.append(div[at:start])
        at = end + len("-->")
    parts.append(div[at:])
    text = " ".join(parts).replace("<![CDATA[", " ").replace("]]>", " ")
    return unescape(_ANY_TAG.sub(" ", text))
