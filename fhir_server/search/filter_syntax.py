"""The language of `_filter`, from text to a tree.

https://hl7.org/fhir/R4/search_filter.html

    filter  =  test  |  filter and filter  |  filter or filter  |  not (filter)  |  (filter)
    test    =  path operator value             given eq "peter"
    path    =  name  |  name[filter].path      subject[active eq true].name
    value   =  a JSON string, or characters without blanks, ) and ]

`and` and `or` bind alike and from the left. As in R4's successors a name may be `_has:Type:name:`
before another, and as in a query it may have a type: `subject:Patient.name`. Each part knows the
place where it stands, counted in characters from 1, so that a refusal can name it.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Final

from fhir_server.errors import BadRequest, TooCostly

LONGEST: Final = 16_000
"""Characters."""
MOST_TESTS: Final = 100
MOST_NESTED: Final = 32
OPERATORS: Final = frozenset(
    {
        *("eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le", "ap"),
        *("sa", "eb", "pr", "po", "ss", "sb", "in", "ni", "re"),
    }
)

_BLANK = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?::[A-Za-z_][A-Za-z0-9_-]*)*")
_WORD = re.compile(r"[A-Za-z]+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TOKEN = re.compile(r"[^\s)\]]+")
_LONGEST_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Link:
    """One name of a path."""

    name: str
    """With what may follow it behind colons."""
    condition: "Filter | None"
    """What stands in brackets behind it."""
    at: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    path: tuple[Link, ...]
    operator: str
    value: str
    operator_at: int = field(default=1, compare=False)
    value_at: int = field(default=1, compare=False)

    @property
    def text(self) -> str:
        """For messages."""
        return f"{'.'.join(link.name for link in self.path)} {self.operator} {self.value}"


@dataclass(frozen=True, slots=True)
class Both:
    left: "Filter"
    right: "Filter"


@dataclass(frozen=True, slots=True)
class Either:
    left: "Filter"
    right: "Filter"


@dataclass(frozen=True, slots=True)
class Negated:
    filter: "Filter"


Filter = Comparison | Both | Either | Negated


def parse_filter(text: str) -> Filter:
    """The tree of a filter; BadRequest says where it is wrong and what was expected there.

    TooCostly when it is longer than LONGEST, deeper than MOST_NESTED or has more than MOST_TESTS.
    """
    if len(text) > LONGEST:
        raise TooCostly(f"A filter may have {LONGEST} characters; this one has {len(text)}.")
    parser = _Parser(text)
    found = parser.filter()
    parser.end()
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._tests = 0

    def filter(self) -> Filter:
        """One or several joined by `and` and `or`, from the left."""
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise TooCostly(
                f"at character {self._at} the filter is nested deeper than {MOST_NESTED}."
            )
        found = self._one()
        while (word := self._peek(_WORD)) in {"and", "or"}:
            self._at += len(word)
            right = self._one()
            found = Both(found, right) if word == "and" else Either(found, right)
        self._depth -= 1
        return found

    def end(self) -> None:
        if self._peek(_TOKEN) or self._at < len(self._text):
            raise self._wrong("`and`, `or` or the end")

    def _one(self) -> Filter:
        if self._taken("("):
            return self._closed(")")
        if self._peek(_NAME) == "not":
            self._at += len("not")
            if not self._taken("("):
                raise self._wrong("( after not")
            return Negated(self._closed(")"))
        return self._test()

    def _closed(self, mark: str) -> Filter:
        found = self.filter()
        if not self._taken(mark):
            raise self._wrong(f"`and`, `or` or {mark}")
        return found

    def _test(self) -> Comparison:
        self._tests += 1
        if self._tests > MOST_TESTS:
            raise TooCostly(f"at character {self._at + 1} the filter has over {MOST_TESTS} tests.")
        path = [self._link()]
        while self._text.startswith(".", self._at):
            self._at += 1
            path.append(self._link())
        if path[-1].condition is not None:
            raise self._wrong("a dot and a name after ]")
        operator = self._peek(_WORD)
        if operator not in OPERATORS:
            raise self._wrong(f"an operator, one of {', '.join(sorted(OPERATORS))},")
        operator_at = self._at + 1
        self._at += len(operator)
        self._peek(_TOKEN)
        value_at = self._at + 1
        return Comparison(tuple(path), operator, self._value(), operator_at, value_at)

    def _link(self) -> Link:
        name = self._peek(_NAME)
        if not name:
            raise self._wrong("the name of a search parameter")
        at = self._at + 1
        self._at += len(name)
        bracket = self._text.startswith("[", self._at)
        return Link(name, self._closed("]") if bracket and self._taken("[") else None, at)

    def _value(self) -> str:
        if quoted := self._peek(_STRING):
            self._at += len(quoted)
            try:
                text = str(json.loads(quoted, strict=False))
                text.encode()  # half of a surrogate pair is no character
            except ValueError:
                raise self._wrong("a JSON string before this place") from None
            return text
        token = self._peek(_TOKEN)
        if not token or token.startswith('"'):
            raise self._wrong("a value, or a closing quote" if token else "a value")
        self._at += len(token)
        return token

    def _taken(self, mark: str) -> bool:
        found = self._peek(re.compile(re.escape(mark)))
        self._at += len(found)
        return bool(found)

    def _peek(self, pattern: re.Pattern[str]) -> str:
        """What matches behind any blanks, which are passed over; empty when nothing does."""
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at
        found = pattern.match(self._text, self._at)
        return found[0] if found else ""

    def _wrong(self, expected: str) -> BadRequest:
        rest = self._text[self._at : self._at + _LONGEST_SHOWN]
        met = f"not {rest!r}" if rest else "but the filter ends there"
        return BadRequest(f"at character {self._at + 1} {expected} was expected, {met}.")
