"""The query of a URL, or of a form: pairs of names and values, and what HTTP itself needs of them.

https://url.spec.whatwg.org/#urlencoded-parsing

The same short queries come again and again: what they say is remembered.
"""

from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from fhir_server.errors import BadRequest
from fhir_server.observability.redaction import parameter_names

Pairs = tuple[tuple[str, str], ...]

_MOST_PAIRS: Final = 10_000
"""Parameters that are parsed at all; how many a search may have is a setting."""
_LONGEST_KEPT: Final = 300
"""Bytes of a query that is remembered."""


class Query(NamedTuple):
    """What a query says."""

    pairs: Pairs = ()
    """Decoded, in the order given."""
    format: str | None = None
    """The last `_format`."""
    pretty: str | None = None
    """The last `_pretty`."""
    names: str = ""
    """What may be logged of it."""


NO_QUERY: Final = Query()


def read_query(text: bytes) -> Query:
    """The query; BadRequest if it is not UTF-8, percent-encoded, or has too many parameters."""
    return _kept(text) if len(text) <= _LONGEST_KEPT else _read(text)


def of_pairs(pairs: Pairs) -> Query:
    """The query of pairs that are decoded already."""
    last = dict(pairs)
    return Query(pairs, last.get("_format"), last.get("_pretty"), parameter_names(pairs))


def _read(text: bytes) -> Query:
    if text.count(b"&") >= _MOST_PAIRS:
        raise BadRequest(f"A query may have {_MOST_PAIRS} parameters at the very most.")
    try:
        parts = [part.partition("=") for part in text.decode("ascii").split("&") if part]
        return of_pairs(tuple([(_plain(name), _plain(value)) for name, _, value in parts]))
    except UnicodeDecodeError:
        raise BadRequest("The query is not UTF-8, percent-encoded.") from None


_kept = lru_cache(maxsize=1024)(_read)


def _plain(text: str) -> str:
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text
