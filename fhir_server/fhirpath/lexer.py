r"""Text to tokens.

http://hl7.org/fhirpath/N1/#lexical-elements

A token's kind is what it is called in the grammar; keywords and signs are their own kind.
Dates and times are only checked for form, as the grammar has it.
"""

import re
from typing import NamedTuple

from fhir_server.fhirpath.errors import FhirPathSyntaxError
from fhir_server.fhirpath.tree import KEYWORDS

END = "the end"

_TIME = r"[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
_ZONE = r"Z|[+-][0-9]{2}:[0-9]{2}"
_DATE = r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?"
_TOKEN = re.compile(
    rf"""
      (?P<ignored>    (?: [ \t\r\n]+ | //[^\r\n]* | /\*.*?\*/ )+ )
    | (?P<name>       [A-Za-z_][A-Za-z0-9_]* )
    | (?P<sign>       [<>!]= | !~ | (?!/\*) [.,()\[\]{{}}+\-*/&|<>=~%] )
    | (?P<string>     '(?: [^\\'] | \\. )*' )
    | (?P<number>     [0-9]+ (?: \.[0-9]+ )? )
    | (?P<delimited>  `(?: [^\\`] | \\. )*` )
    | (?P<variable>   \$(?: this | index | total ) \b )
    | (?P<datetime>   @{_DATE}T (?: {_TIME} (?: {_ZONE} )? )? )
    | (?P<date>       @{_DATE} )
    | (?P<zoned>      @T{_TIME} (?: {_ZONE} ) )
    | (?P<time>       @T{_TIME} )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_ESCAPED = {
    **{each: each for each in "\\'\"`/"},
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_UNREADABLE = {
    "'": "this string is not closed",
    "`": "this name in backticks is not closed",
    "/": "this comment is not closed",
    '"': "strings stand in single quotes, names in backticks",
    "$": "expected $this, $index or $total",
    "@": "expected a date, a dateTime or a time after @",
    "!": "expected != or !~",
}


class Token(NamedTuple):
    kind: str
    """string, number, delimited, identifier, variable, datetime, date, time; a keyword or
    sign by itself; or END."""
    text: str
    """As written, without quotes, backticks, `@` and `@T`; escapes are resolved."""
    position: int


def tokens(text: str) -> list[Token]:
    """All tokens of an expression and an END. Raises FhirPathSyntaxError."""
    found: list[Token] = []
    position = 0
    for match in _TOKEN.finditer(text):
        if match.start() != position:
            break
        position = match.end()
        kind = str(match.lastgroup)
        if kind != "ignored":
            found.append(_token(kind, match[0], match.start()))
    if position != len(text):
        raise _unreadable(text, position)
    found.append(Token(END, "", position))
    return found


def _token(kind: str, text: str, position: int) -> Token:
    match kind:
        case "name":
            return Token(text if text in KEYWORDS else "identifier", text, position)
        case "sign":
            return Token(text, text, position)
        case "string" | "delimited":
            return Token(kind, _unescape(text[1:-1], position), position)
        case "date" | "datetime" | "time":
            return Token(kind, text.lstrip("@T"), position)
        case "zoned":
            raise FhirPathSyntaxError("a time has no time zone", position)
        case _:
            return Token(kind, text, position)


def _unescape(text: str, position: int) -> str:
    if "\\" not in text:
        return text

    def character(escape: re.Match[str]) -> str:
        if escape[1]:
            return chr(int(escape[1], 16))
        if escape[2] not in _ESCAPED:
            place = position + 1 + escape.start()
            raise FhirPathSyntaxError(
                f"there is no escape \\{escape[2]}; a backslash itself is \\\\", place
            )
        return _ESCAPED[escape[2]]

    unescaped = _ESCAPE.sub(character, text)
    try:
        # Two escaped halves of a pair are one character.
        return unescaped.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise FhirPathSyntaxError("half a surrogate pair is not a character", position) from None


def _unreadable(text: str, position: int) -> FhirPathSyntaxError:
    sign = text[position]
    return FhirPathSyntaxError(
        _UNREADABLE.get(sign, f"no expression contains the character {sign!r}"), position
    )
