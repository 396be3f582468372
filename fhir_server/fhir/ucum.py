"""UCUM: what a unit code means, so that quantities in different units can be compared.

https://ucum.org/ucum

Every unit is a multiple of a product of base units; temperatures also have a zero of their own.
What is neither (arbitrary units such as `[iU]`, logarithms such as `[pH]`) is a base unit here:
it compares with itself, and is converted to nothing else.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

_LONGEST_CODE = 128

_SYMBOL = re.compile(r"(10[*^]|(?:\[[!-Z\\^-~]+\]|[^\[\]\s./(){}0-9+-])+)([+-]?\d{1,3})?")
_NUMBER = re.compile(r"\d{1,30}")
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")

Powers = tuple[tuple[str, int], ...]
"""Base units with their exponents, in order of name."""


@dataclass(frozen=True, slots=True)
class Unit:
    """`(value + zero) * factor` is the amount in base units."""

    factor: Fraction
    powers: Powers
    zero: Fraction = Fraction(0)

    @property
    def canonical(self) -> str:
        """The product of base units as a code: `g.m-1.s-2`; `1` without any."""
        return ".".join(f"{b}{'' if e == 1 else e}" for b, e in self.powers) or "1"


class _Invalid(ValueError):
    """Not a UCUM expression."""


@lru_cache(maxsize=4096)
def unit(code: str) -> Unit | None:
    """What a case-sensitive code means; None if it is not UCUM."""
    if not code.isascii() or len(code) > _LONGEST_CODE:
        return None
    try:
        return _Expression(code).read()
    except _Invalid:
        return None


class _Expression:
    """Reads one expression from left to right: terms of components, as UCUM's grammar has them."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._at = 0

    def read(self) -> Unit:
        unit_ = self._term()
        if self._at != len(self._code):
            raise _Invalid(self._code)
        return unit_

    def _term(self) -> Unit:
        unit_ = _power(self._component(), -1) if self._take("/") else self._component()
        while True:
            if self._take("."):
                unit_ = _product(unit_, self._component())
            elif self._take("/"):
                unit_ = _product(unit_, _power(self._component(), -1))
            else:
                return unit_

    def _component(self) -> Unit:
        if self._take("("):
            unit_ = self._term()
            if not self._take(")"):
                raise _Invalid(self._code)
            return unit_
        if self._match(_ANNOTATION):
            return _ONE
        unit_ = self._simple()
        self._match(_ANNOTATION)
        return unit_

    def _simple(self) -> Unit:
        if symbol := self._match(_SYMBOL):
            unit_ = _symbol(symbol[1])
            return _power(unit_, int(symbol[2])) if symbol[2] else unit_
        if number := self._match(_NUMBER):
            return Unit(Fraction(number[0]), ())
        raise _Invalid(self._code)

    def _take(self, character: str) -> bool:
        taken = self._code.startswith(character, self._at)
        self._at += taken
        return taken

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._code, self._at)
        if found:
            self._at = found.end()
        return found


_ONE = Unit(Fraction(1), ())


def _product(left: Unit, right: Unit) -> Unit:
    """In a product a temperature is a difference: its own zero no longer counts."""
    powers = dict(left.powers)
    for base, exponent in right.powers:
        powers[base] = powers.get(base, 0) + exponent
    kept = tuple(sorted((base, exponent) for base, exponent in powers.items() if exponent))
    return Unit(left.factor * right.factor, kept)


def _power(unit_: Unit, exponent: int) -> Unit:
    powers = tuple((base, has * exponent) for base, has in unit_.powers if exponent)
    return unit_ if exponent == 1 else Unit(unit_.factor**exponent, powers)


@cache
def _symbol(symbol: str) -> Unit:
    """A unit's own code, or a prefix before the code of a metric unit."""
    table = _table()
    if symbol in table["base"] or symbol in table["units"]:
        return _defined(symbol)
    for prefix, factor in table["prefixes"].items():
        code = symbol.removeprefix(prefix)
        if code != symbol and (code in table["base"] or table["units"].get(code, (False,))[0]):
            unit_, by = _defined(code), Fraction(factor)
            return Unit(unit_.factor * by, unit_.powers, unit_.zero / by)
    raise _Invalid(symbol)


@cache
def _defined(code: str) -> Unit:
    table = _table()
    if code in table["base"]:
        return Unit(Fraction(1), ((code, 1),))
    _, value, of, *zero = table["units"][code]
    if value is None:
        return Unit(Fraction(1), ((code, 1),))
    base = _Expression(of).read()
    return Unit(base.factor * Fraction(value), base.powers, Fraction(zero[0]) if zero else _NO_ZERO)


_NO_ZERO = Fraction(0)


@cache
def _table() -> Mapping[str, Any]:
    """The packed table; see `ucum_packing.py`."""
    table: Mapping[str, Any] = json.loads(
        files(__package__).joinpath("ucum.json").read_text(encoding="utf-8")
    )
    return table
