"""String manipulation: http://hl7.org/fhirpath/N1/#string-manipulation.

Also what the specification has since 3.0: `matchesFull()`, `trim()`, `split()`, `join()`,
`encode()`, `decode()`, `escape()` and `unescape()`.
"""

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.functions.rules import Function, Kind, Result, collection, value
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.operators.math import LONGEST_STRING, text
from fhir_server.fhirpath.regular_expressions import matcher
from fhir_server.fhirpath.regular_expressions import replace_matches as replace_all_matches
from fhir_server.fhirpath.singletons import string


def substring(item: str, start: int, length: int | None = None) -> str | None:
    if not 0 <= start < len(item):
        return None
    return item[start:] if length is None else item[start : start + max(length, 0)]


def replace(item: str, pattern: str, substitution: str) -> str:
    _check_growth(item, substitution)
    return text(item.replace(pattern, substitution))


def matches(item: str, pattern: str) -> bool:
    return matcher(pattern)(item)


def matches_full(item: str, pattern: str) -> bool:
    return matcher(pattern, whole=True)(item)


def replace_matches(item: str, pattern: str, substitution: str) -> str:
    """An empty pattern replaces nothing."""
    if not pattern:
        return item
    _check_growth(item, substitution)
    return text(replace_all_matches(item, pattern, substitution))


def split(item: str, separator: str) -> list[str]:
    return item.split(separator) if separator else list(item)


def join(items: list[Item], separator: str | None = None) -> str | None:
    """Empty when there is nothing to join."""
    if not items:
        return None
    values = [string([item]) for item in items]
    return text((separator or "").join(each for each in values if each is not None))


def _check_growth(item: str, substitution: str) -> None:
    """Before the memory is taken: each character may become a substitution."""
    if len(item) * len(substitution) > LONGEST_STRING:
        raise Unfit(f"the text could become longer than {LONGEST_STRING} characters")


def _coded(
    forms: Mapping[str, Callable[[str], str]],
) -> Callable[[str, str], str | None]:
    def run(item: str, form: str) -> str | None:
        known = forms.get(form)
        if known is None:
            raise Unfit(f"the form is one of {', '.join(forms)}")
        try:
            return known(item)
        except (binascii.Error, ValueError):
            return None

    return run


def _unescape_json(item: str) -> str:
    """Escapes are resolved; quotes that are none stay."""
    quoted = _LOOSE_QUOTE.sub(r"\1\"", item)
    return str(json.loads(f'"{quoted}"', strict=False))


_LOOSE_QUOTE: Final = re.compile(r'((?:^|[^\\])(?:\\\\)*)"')


_ENCODINGS: Final = {
    "hex": lambda item: item.encode().hex(),
    "base64": lambda item: base64.b64encode(item.encode()).decode(),
    "urlbase64": lambda item: base64.urlsafe_b64encode(item.encode()).decode(),
}
_DECODINGS: Final = {
    "hex": lambda item: bytes.fromhex(item).decode(),
    "base64": lambda item: base64.b64decode(item, validate=True).decode(),
    "urlbase64": lambda item: base64.b64decode(item, altchars=b"-_", validate=True).decode(),
}
_ESCAPES: Final = {
    "html": html.escape,
    "json": lambda item: json.dumps(item, ensure_ascii=False)[1:-1],
}
_UNESCAPES: Final = {"html": html.unescape, "json": _unescape_json}

STRING_MANIPULATION: dict[str, Function] = {
    "indexOf": value(Kind.STRING, str.find, Kind.STRING),
    "substring": value(Kind.STRING, substring, Kind.INTEGER, Kind.INTEGER, optional=1),
    "startsWith": value(Kind.STRING, str.startswith, Kind.STRING, result=Result.BOOLEAN),
    "endsWith": value(Kind.STRING, str.endswith, Kind.STRING, result=Result.BOOLEAN),
    "contains": value(Kind.STRING, str.__contains__, Kind.STRING, result=Result.BOOLEAN),
    "upper": value(Kind.STRING, str.upper),
    "lower": value(Kind.STRING, str.lower),
    "replace": value(Kind.STRING, replace, Kind.STRING, Kind.STRING),
    "matches": value(Kind.STRING, matches, Kind.STRING, result=Result.BOOLEAN),
    "matchesFull": value(Kind.STRING, matches_full, Kind.STRING, result=Result.BOOLEAN),
    "replaceMatches": value(Kind.STRING, replace_matches, Kind.STRING, Kind.STRING),
    "length": value(Kind.STRING, len),
    "toChars": value(Kind.STRING, list, result=Result.ITEMS),
    "trim": value(Kind.STRING, str.strip),
    "split": value(Kind.STRING, split, Kind.STRING, result=Result.ITEMS),
    "join": collection(join, Kind.STRING, optional=1, result=Result.VALUE),
    "encode": value(Kind.STRING, _coded(_ENCODINGS), Kind.STRING),
    "decode": value(Kind.STRING, _coded(_DECODINGS), Kind.STRING),
    "escape": value(Kind.STRING, _coded(_ESCAPES), Kind.STRING),
    "unescape": value(Kind.STRING, _coded(_UNESCAPES), Kind.STRING),
}
