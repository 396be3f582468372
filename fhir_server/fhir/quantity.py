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

_DIGITS = 34
_GUARD_DIGITS = 16
_NO_TRAPS = Context(prec=_DIGITS, Emin=-999_999, Emax=999_999, traps=[])
_MORE_DIGITS = Context(prec=_DIGITS + _GUARD_DIGITS, Emin=-999_999, Emax=999_999, traps=[])


@dataclass(frozen=True, slots=True)
class Conversion:
    """How values in one unit become values in its canonical unit."""

    unit: str
    """The canonical unit, as a UCUM code."""
    factor: Decimal
    zero: Decimal

    def convert(self, value: Decimal) -> Decimal:
        """The value in the canonical unit, to 34 digits. Greater stays greater."""
        # Guard digits first, 34 then: 60 a minute is exactly 1 a second.
        shifted = _MORE_DIGITS.add(value, self.zero) if self.zero else value
        return _NO_TRAPS.plus(_MORE_DIGITS.multiply(shifted, self.factor))


@lru_cache(maxsize=2048)
def conversion(code: str) -> Conversion | None:
    """How to convert from a UCUM code; None if it is not one."""
    unit = ucum.unit(code)
    if unit is None:
        return None
    return Conversion(unit.canonical, _decimal(unit.factor), _decimal(unit.zero))


def canonical(value: Decimal, code: str) -> tuple[Decimal, str] | None:
    """The value in its canonical unit and that unit; None if the code is not UCUM."""
    how = conversion(code)
    return None if how is None else (how.convert(value), how.unit)


def _decimal(fraction: Fraction) -> Decimal:
    return _MORE_DIGITS.divide(Decimal(fraction.numerator), Decimal(fraction.denominator))
