r"""Escaped values: `\,` `\|` `\$` and `\\` stand for the characters themselves.

https://hl7.org/fhir/R4/search.html#escaping
"""

import re

from fhir_server.errors import BadRequest
from fhir_server.search.values.parameter import Parameter

_ESCAPED = re.compile(r"\\([,|$\\])")
_MARKS = re.compile(r"([,|$\\])")
_PIECES = {mark: re.compile(rf"(?:[^\\{mark}]|\\.|\\\Z)*", re.DOTALL) for mark in "|$"}


def unescape(text: str) -> str:
    """The text meant; a backslash before anything else stands for itself."""
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def escape(text: str) -> str:
    """The value that means the text, whatever it holds."""
    return _MARKS.sub(r"\\\1", text)


def split(text: str, mark: str) -> list[str]:
    """The pieces between unescaped marks, `|` or `$`; escapes stay as they are."""
    if "\\" not in text:
        return text.split(mark)
    pieces, at = [], 0
    while True:
        found = _PIECES[mark].match(text, at)
        end = found.end() if found else at
        pieces.append(text[at:end])
        if end == len(text):
            return pieces
        at = end + 1


def wrong(parameter: Parameter, value: str, advice: str) -> BadRequest:
    """The error for a value that cannot be searched for."""
    shown = value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…"
    return BadRequest(f"{shown!r} is no value for the search parameter {parameter.code}: {advice}.")


_LONGEST_SHOWN = 100
