"""URLs with a query, escaped no further than they must be."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote_plus

_LONGEST_KEPT: Final = 200
"""Characters of a name or value that is remembered."""


def with_query(url: str, pairs: Sequence[tuple[str, str]]) -> str:
    """The URL with the pairs as its query; without pairs as it is."""
    if not pairs:
        return url
    query = "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in pairs])
    return f"{url}?{query}"


def _quoted(text: str) -> str:
    return _kept(text) if len(text) <= _LONGEST_KEPT else _escaped(text)


def _escaped(text: str) -> str:
    return quote_plus(text, safe=":/,$-._~")


_kept = lru_cache(maxsize=4096)(_escaped)
