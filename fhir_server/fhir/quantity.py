"""Quantities in canonical units, so that 5.4 mg and 0.0054 g are one amount.

https://hl7.org/fhir/R4/datatypes.html#Quantity
"""

from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

from fhir_server.fhir import ucum

UCUM = "http://unitsofmeasure.org"
CURRENCIES = "urn:iso:std:iso:4217"
"""The system of the currency codes that Money has."""

_TOLD_DIGITS = Context(prec=34, Emin=-999_999, Emax=999_999, traps=[])
_MORE_DIGITS = Context(prec=50, Emin=-999_999, Emax=999_999, traps=[])


@dataclass(frozen=True, slots=True)
class Conversion:
    """How values in one unit become values in its canonical unit."""

    unit: str
    """The canonical unit, as a UCUM code."""
    factor: Decimal
    zero: Decimal

    def convert(self, value: Decimal) -> Decimal:
        """The value in the canonical unit, to 50 digits; never raises."""
        shifted = _MORE_DIGITS.add(value, self.zero) if self.zero else value
        return _MORE_DIGITS.multiply(shifted, self.factor)


@lru_cache(maxsize=2048)
def conversion(code: str) -> Conversion | None:
    """How to convert from a UCUM code; None if it is not one."""
    unit = ucum.unit(code)
    if unit is None:
        return None
    return Conversion(unit.canonical, _decimal(unit.factor), _decimal(unit.zero))


def canonical(value: Decimal, code: str) -> tuple[Decimal, str] | None:
    """The value in its canonical unit, to 34 digits, and that unit; None if it is not UCUM."""
    how = conversion(code)
    if how is None:
        return None
    # Of more digits than are told: 60 a minute is exactly 1 a second.
    return _TOLD_DIGITS.plus(how.convert(value)), how.unit


def _decimal(fraction: Fraction) -> Decimal:
    return _MORE_DIGITS.divide(Decimal(fraction.numerator), Decimal(fraction.denominator))
