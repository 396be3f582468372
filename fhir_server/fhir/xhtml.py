"""Narrative: the XHTML that a resource may carry.

https://hl7.org/fhir/R4/narrative.html#xhtml

A `div` in the XHTML namespace, made of the elements and attributes that format text; nothing
that runs, loads or submits. A document type is refused before it is read, so there are no
entities but XML's own.
"""

import re
from typing import Final
from xml.parsers import expat

NAMESPACE: Final = "http://www.w3.org/1999/xhtml"

_ELEMENT_NAMES: Final = (
    "a abbr acronym address area b bdo big blockquote br caption center cite code col colgroup dd"
    " del dfn div dl dt em font h1 h2 h3 h4 h5 h6 hr i img ins kbd li map ol p pre q s samp small"
    " span strike strong sub sup table tbody td tfoot th thead tr tt u ul var"
)
_ELEMENTS: Final = {f"{NAMESPACE} {name}": name for name in _ELEMENT_NAMES.split()}
"""By the name the parser gives them.

HTML 4.0, chapters 7 to 11 (without section 4 of chapter 9) and 15, with links and images.
"""
_ATTRIBUTE_NAMES: Final = (
    "abbr accesskey align alt axis bgcolor border cellpadding cellspacing char charoff charset cite"
    " class colspan compact coords dir frame headers height href hreflang hspace id lang longdesc"
    " name nowrap rel rev rowspan rules scope shape span src start style summary tabindex title"
    " type valign value vspace width xml:lang"
)
_ATTRIBUTES: Final = frozenset(_ATTRIBUTE_NAMES.split())
_SCHEME: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel", "ftp", "urn", "data", "cid"})
_LINKS: Final = frozenset({"href", "src", "longdesc", "cite"})


class _Refused(Exception):
    pass


def is_narrative(text: str) -> bool:
    """Whether a text is a narrative's `div`: allowed parts only, and something to read in it."""
    reader = _Reader()
    try:
        reader.parser.Parse(text.encode("utf-8"), True)  # noqa: FBT003 - the parser's own order
    except (expat.ExpatError, _Refused, UnicodeEncodeError):
        return False
    return reader.says_something


class _Reader:
    def __init__(self) -> None:
        self.says_something = False
        self._begun = False
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._refuse
        parser.ProcessingInstructionHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.CharacterDataHandler = self._text
        self.parser = parser

    def _refuse(self, *_: object) -> None:
        raise _Refused

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = _ELEMENTS.get(name)
        if local is None or (not self._begun and local != "div"):
            raise _Refused
        for attribute, value in attributes.items():
            _check(attribute, value)
        self._begun = True
        if local == "img":
            self._says_something()

    def _text(self, text: str) -> None:
        if not text.isspace():
            self._says_something()

    def _says_something(self) -> None:
        self.says_something = True
        self.parser.CharacterDataHandler = None  # the rest of the text says nothing more


def _check(attribute: str, value: str) -> None:
    local = attribute.replace("http://www.w3.org/XML/1998/namespace ", "xml:")
    if local not in _ATTRIBUTES:
        raise _Refused
    scheme = _SCHEME.match(value) if local in _LINKS else None
    if scheme and scheme[1].lower() not in _SCHEMES:
        raise _Refused
