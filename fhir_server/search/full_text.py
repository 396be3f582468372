"""Full text searched: `_text` and `_content` become criteria, one for each word that must be there.

https://hl7.org/fhir/R4/search.html#content

    value   =  all { or all }
    all     =  part { [and] part }
    part    =  word | ( value )

Words beside each other must all be there, in whatever order; `and` and `or` in any case join, `and`
first. Where words stand is not indexed (`words.py`), so phrases in quotes and the beginnings of
words are refused, and never taken for something wider.
"""

import re
from typing import Final

from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.search.clause import Clause, refusal, shown
from fhir_server.search.criterion import Criterion, Rank, any_of
from fhir_server.search.values.escapes import unescape
from fhir_server.search.words import FULL_TEXT, FullText, word_key, words_of
from fhir_server.storage.query import AllOf, KeyIs, Test

MOST_PARTS: Final = 64
"""Words, joins and parentheses of one value."""

_PART: Final = re.compile(r"[()]|[^\s()]+")
_AND, _OR, _OPEN, _CLOSE = "and", "or", "(", ")"
_UNINDEXED: Final = {
    '"': "phrases are not indexed, only words: leave the quotes out to ask for all of the words",
    "*": "only whole words are indexed: leave the * out, or join several words with OR",
}


def full_text_criteria(type_: str, clause: Clause, level: FullText) -> tuple[Criterion, ...]:
    """What must hold; UnknownParameter for what is not indexed, BadRequest for a wrong value."""
    code = clause.name
    if level < FULL_TEXT[code]:
        wanted = FULL_TEXT[code].name.lower()
        raise UnknownParameter(
            f"{code} is not indexed here. Whoever runs the server turns it on with the setting"
            f" FHIR_SERVER_FULL_TEXT={wanted}; all that is stored is then indexed again."
        )
    if clause.modifier is not None or clause.chain:
        raise refusal(clause, [])
    tests = [_Reading(type_, code, value).test() for value in clause.values]
    test = any_of(tests)
    parts = test.tests if isinstance(test, AllOf) else (test,)
    return tuple(Criterion(code, part, Rank.TOKEN) for part in parts)


class _Reading:
    """One value while it is read."""

    def __init__(self, type_: str, code: str, value: str) -> None:
        self._type, self._code, self._value = type_, code, value
        text = unescape(value)
        for sign, advice in _UNINDEXED.items():
            if sign in text:
                raise self._wrong(advice)
        self._parts = _PART.findall(text)
        if len(self._parts) > MOST_PARTS:
            raise self._wrong(f"it has more than {MOST_PARTS} words and signs")
        self._at = 0

    def test(self) -> Test:
        """The test of the whole value."""
        test = self._any()
        if self._next is not None:
            raise self._wrong("a ) has no ( before it")
        return test

    @property
    def _next(self) -> str | None:
        return self._parts[self._at] if self._at < len(self._parts) else None

    def _takes(self, join: str) -> bool:
        taken = self._next is not None and self._next.lower() == join
        self._at += taken
        return taken

    def _any(self) -> Test:
        tests = [self._all()]
        while self._takes(_OR):
            tests.append(self._all())
        return any_of(tests)

    def _all(self) -> Test:
        tests = list(self._part())
        while self._takes(_AND) or (self._next is not None and not self._ends()):
            tests += self._part()
        if not tests:
            raise self._wrong("it has no word to look for")
        return tests[0] if len(tests) == 1 else AllOf(tuple(dict.fromkeys(tests)))

    def _ends(self) -> bool:
        return self._next == _CLOSE or (self._next or "").lower() == _OR

    def _part(self) -> list[Test]:
        """What one part asks for: several words where signs part it, none where it is a sign."""
        part = self._next
        if part is None or part.lower() in {_AND, _OR, _CLOSE}:
            raise self._wrong("a word is missing beside and, or, or within parentheses")
        self._at += 1
        if part != _OPEN:
            return [KeyIs((word_key(self._type, self._code, word),)) for word in words_of(part)]
        test = self._any()
        if not self._takes(_CLOSE):
            raise self._wrong("a ( has no ) behind it")
        return list(test.tests) if isinstance(test, AllOf) else [test]

    def _wrong(self, advice: str) -> BadRequest:
        return BadRequest(
            f"{shown(self._value)!r} is no value for the search parameter {self._code}: {advice}."
            " Write words, such as (bone OR liver) AND metastases."
        )
