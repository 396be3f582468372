"""Folding: the form in which texts are equal to a person who searches.

https://hl7.org/fhir/R4/search.html#string

Case, accents and width go, ß is ss, the Turkish dotless i is i (its capital is I), and runs of
blanks and control characters are one blank.
"""

import unicodedata
from functools import lru_cache

_LONGEST_CACHED = 64
_DOTLESS_I = "\N{LATIN SMALL LETTER DOTLESS I}"


def fold(text: str) -> str:
    """The folded text; folding it again changes nothing."""
    if len(text) > _LONGEST_CACHED:
        return _folded(text)
    return _cached(text)


def _folded(text: str) -> str:
    if text.isascii():
        # `split` knows every blank, but not the control characters that are none.
        if not text.isprintable():
            text = "".join(c if c.isprintable() else " " for c in text)
        return " ".join(text.lower().split())
    # Cased first: the iota under a Greek vowel is a mark in small letters, a letter in capitals.
    small = unicodedata.normalize("NFKD", text).casefold().replace(_DOTLESS_I, "i")
    bare = _without_accents(_without_accents(small).casefold())
    # Composed again, so that a Korean syllable does not begin with another one.
    whole = unicodedata.normalize("NFC", bare)
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in whole).split())


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


_cached = lru_cache(maxsize=8192)(_folded)
