"""Quantities: numbers with a unit, compared in one unit where both can be converted.

https://hl7.org/fhir/R4/search.html#quantity
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.support.brute_force.elements import Element
from tests.support.brute_force.query import Refused, split, unescape
from tests.support.brute_force.ranges import (
    HIGHEST,
    LOWEST,
    PREFIXES,
    Range,
    number_asked,
    number_held,
    scaled,
)

UCUM = "http://unitsofmeasure.org"
CURRENCIES = "urn:iso:std:iso:4217"

_F = Fraction
_DAY = 86_400
_GRAM_PER_LITRE = _F(1000)
_MOLE = _F("6.02214076e23")
_ENZYME_UNIT = _MOLE / 10**6 / 60

UNITS: Mapping[str, tuple[str, Fraction]] = {
    "%": ("1", _F(1, 100)),
    "/mL": ("m-3", _F(10**6)),
    "/min": ("s-1", _F(1, 60)),
    "1": ("1", _F(1)),
    "10*12/L": ("m-3", _F(10**15)),
    "10*3/uL": ("m-3", _F(10**12)),
    "10*6/L": ("m-3", _F(10**9)),
    "10*6/uL": ("m-3", _F(10**15)),
    "10*9/L": ("m-3", _F(10**12)),
    "C": ("C", _F(1)),
    "L": ("m3", _F(1, 1000)),
    "L/L": ("1", _F(1)),
    "U": ("1", _ENZYME_UNIT),
    "U/L": ("m-3.s-1", _ENZYME_UNIT * 1000),
    "[IU]/L": ("[iU].m-3", _F(1000)),
    "[lb_av]": ("g", _F("453.59237")),
    "a": ("s", _F("365.25") * _DAY),
    "cal/mL": ("g.m-1.s-2", _F("4184") * 10**6),
    "cm": ("m", _F(1, 100)),
    "d": ("s", _F(_DAY)),
    "dB": ("B", _F(1, 10)),
    "fL": ("m3", _F(1, 10**18)),
    "g": ("g", _F(1)),
    "g/L": ("g.m-3", _GRAM_PER_LITRE),
    "g/cm2": ("g.m-2", _F(10**4)),
    "g/dL": ("g.m-3", _GRAM_PER_LITRE * 10),
    "h": ("s", _F(3600)),
    "kPa": ("g.m-1.s-2", _F(10**6)),
    "kU/L": ("m-3.s-1", _ENZYME_UNIT * 10**6),
    "kg": ("g", _F(1000)),
    "kg/m2": ("g.m-2", _F(1000)),
    "m": ("m", _F(1)),
    "m[H2O]": ("g.m-1.s-2", _F("9.80665e6")),
    "mL": ("m3", _F(1, 10**6)),
    "mL/d": ("m3.s-1", _F(1, 10**6 * _DAY)),
    "mL/h": ("m3.s-1", _F(1, 10**6 * 3600)),
    "mL/min": ("m3.s-1", _F(1, 10**6 * 60)),
    "mL/min/{1.73_m2}": ("m3.s-1", _F(1, 10**6 * 60)),
    "mg": ("g", _F(1, 1000)),
    "mg/dL": ("g.m-3", _GRAM_PER_LITRE / 100),
    "mg/g": ("1", _F(1, 1000)),
    "mg/kg": ("1", _F(1, 10**6)),
    "mg/m2": ("g.m-2", _F(1, 1000)),
    "min": ("s", _F(60)),
    "ml": ("m3", _F(1, 10**6)),
    "mm": ("m", _F(1, 1000)),
    "mm[Hg]": ("g.m-1.s-2", _F("133322")),
    "mmol/L": ("m-3", _MOLE),
    "ng/mL": ("g.m-3", _F(1, 1000)),
    "pg": ("g", _F(1, 10**12)),
    "pg/mL": ("g.m-3", _F(1, 10**6)),
    "s": ("s", _F(1)),
    "ug": ("g", _F(1, 10**6)),
    "ug/mL": ("g.m-3", _F(1)),
    "wk": ("s", _F(7 * _DAY)),
}
"""What one of each unit is in base units. Those in braces are one of nothing."""
ZEROS: Mapping[str, tuple[str, Fraction, Fraction]] = {
    "Cel": ("K", _F(1), _F("273.15")),
    "K": ("K", _F(1), _F(0)),
    "[degF]": ("K", _F(5, 9), _F("459.67")),
}
"""Temperatures: base unit, factor, and what is to be added before."""


def base(system: object, code: object) -> tuple[str, Fraction, Fraction]:
    """The unit compared in, and how to get there; of other systems a unit is only itself."""
    if system == UCUM and isinstance(code, str):
        if code in ZEROS:
            return ZEROS[code]
        if code in UNITS:
            return *UNITS[code], Fraction(0)
        if re.fullmatch(r"\{[!-z|~]*\}", code):
            return "1", Fraction(1), Fraction(0)
    return f"{system}|{code}", Fraction(1), Fraction(0)


def matches(value: str, element: Element) -> bool:
    number, *unit = split(value, "|")
    prefix, asked = number_asked(number)
    if not unit:
        held = [range_ for range_, _ in _held(element)]
    elif len(unit) != 2 or not unit[1]:
        raise Refused(f"{value} has not the form number|system|code")
    elif unit[0]:
        system, code = (unescape(piece) for piece in unit)
        name, factor, zero = base(system, code)
        asked = scaled(asked, factor, zero)
        held = [
            converted
            for range_, quantity in _held(element)
            for converted in _converted(range_, quantity, name)
        ]
    else:
        code = unescape(unit[1])
        held = [r for r, quantity in _held(element) if code in _written(quantity)]
    return any(PREFIXES[prefix](asked, each) for each in held)


def present(element: Element) -> bool:
    return bool(_held(element))


Held = list[tuple[Range, Mapping[str, Any]]]
"""A range and the quantity that says its unit."""


def _written(quantity: Mapping[str, Any]) -> set[Any]:
    return {quantity.get("code"), quantity.get("unit")}


def _converted(range_: Range, quantity: Mapping[str, Any], wanted: str) -> list[Range]:
    system, code = quantity.get("system"), quantity.get("code")
    if not isinstance(system, str) or not isinstance(code, str):
        return []
    name, factor, zero = base(system, code)
    return [scaled(range_, factor, zero)] if name == wanted else []


def _held(element: Element) -> Held:
    value = element.value
    if element.is_a("Range"):
        return _range(value)
    if element.is_a("SampledData"):
        return _sampled(value)
    if element.is_a("Money"):
        value = {**value, "system": CURRENCIES, "code": value.get("currency")}
    range_ = number_held(value.get("value"), value.get("comparator"))
    return [(range_, value)] if range_ else []


def _range(value: Mapping[str, Any]) -> Held:
    low, high = value.get("low", {}), value.get("high", {})
    first, last = number_held(low.get("value")), number_held(high.get("value"))
    if first is None and last is None:
        return []
    range_ = Range(first.first if first else LOWEST, last.last if last else HIGHEST)
    return [(range_, low if first else high)] if range_.first <= range_.last else []


def _sampled(value: Mapping[str, Any]) -> Held:
    limits = {"L": value.get("lowerLimit"), "U": value.get("upperLimit")}
    samples = [
        Fraction(str(limits.get(text, text)))
        for text in value.get("data", "").split()
        if text != "E" and limits.get(text, text) is not None
    ]
    origin = value.get("origin", {})
    if not samples or not isinstance(origin.get("value"), int | Decimal | float):
        return []
    factor, zero = Fraction(str(value.get("factor", 1))), Fraction(str(origin["value"]))
    reached = sorted(sample * factor + zero for sample in samples)
    return [(Range((reached[0], 0), (reached[-1], 0)), origin)]
