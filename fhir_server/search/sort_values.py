"""Sort values: what an element is sorted by, by search type and FHIR type.

https://hl7.org/fhir/R4/search.html#sort

    string             the folded text; of a name the family first, of an address the country
    token              the code, value or text, case aside
    date               its first millisecond
    number, quantity   the least it may be; quantities in their canonical unit, unit by unit
    reference, uri     the text; one of this server as Type/id
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from functools import cache
from typing import Any, Final

from fhir_server.fhir.quantity import CURRENCIES, UCUM, conversion
from fhir_server.fhir.reference import Local, parse
from fhir_server.kit.text import fold
from fhir_server.search.paging import Value
from fhir_server.search.values.date import Spans, spans_of
from fhir_server.search.values.number import BOUNDS, BoundsOf
from fhir_server.search.values.quantity import AMOUNTS, Amounts

SortValues = Callable[[Any], Iterable[Value]]
"""What one element is sorted by; nothing when it says nothing."""

LONGEST: Final = 128
"""Characters of a text that count."""
_NAME: Final = ("family", "given", "text")
_ADDRESS: Final = ("country", "state", "district", "city", "postalCode", "line", "text")


@cache
def sort_values(zone: tzinfo, base_url: str) -> Mapping[str, Mapping[str, SortValues]]:
    """By search type and FHIR type; composites and special parameters have none."""
    text_of_reference = _reference(base_url)
    return {
        "date": {type_: _first(spans) for type_, spans in spans_of(zone).items()},
        "number": {type_: _least(bounds) for type_, bounds in BOUNDS.items()},
        "quantity": {type_: _amount(amounts) for type_, amounts in AMOUNTS.items()},
        "reference": {
            "Reference": _of_member("reference", text_of_reference),
            "canonical": text_of_reference,
            "uri": text_of_reference,
        },
        "string": {
            "string": _folded,
            "markdown": _folded,
            "HumanName": _joined(_NAME),
            "Address": _joined(_ADDRESS),
            "CodeableConcept": _of_member("text", _folded),
        },
        "token": _TOKENS,
        "uri": dict.fromkeys(_WRITTEN, _text),
    }


_WRITTEN: Final = ("code", "string", "id", "uri", "url", "canonical", "oid", "uuid")


def _folded(text: Any) -> Iterable[Value]:
    return (fold(text)[:LONGEST],) if type(text) is str else ()


def _code(text: Any) -> Iterable[Value]:
    return (text.casefold()[:LONGEST],) if type(text) is str else ()


def _text(text: Any) -> Iterable[Value]:
    return (text[:LONGEST],) if type(text) is str else ()


def _truth(truth: Any) -> Iterable[Value]:
    return ("true" if truth else "false",) if type(truth) is bool else ()


def _of_member(name: str, values: SortValues, otherwise: str = "") -> SortValues:
    def of(element: Any) -> Iterable[Value]:
        if type(element) is not dict:
            return ()
        return values(element.get(name, element.get(otherwise)))

    return of


def _concept(concept: Any) -> Iterable[Value]:
    if type(concept) is not dict:
        return ()
    codings = concept.get("coding")
    listed = codings if type(codings) is list else ()
    codes = [code for each in listed if type(each) is dict for code in _code(each.get("code"))]
    return codes or _code(concept.get("text"))


def _joined(names: tuple[str, ...]) -> SortValues:
    """The parts of one name or address as one text."""

    def of(element: Any) -> Iterable[Value]:
        if type(element) is not dict:
            return ()
        found = (element.get(name) for name in names)
        lists = (each if type(each) is list else [each] for each in found)
        parts = [part for parts in lists for part in parts if type(part) is str]
        return _folded(" ".join(parts)) if parts else ()

    return of


def _reference(base_url: str) -> SortValues:
    def of(text: Any) -> Iterable[Value]:
        if type(text) is not str:
            return ()
        match parse(text, base_url):
            case Local(type_, id_):
                return (f"{type_}/{id_}",)
        return (text[:LONGEST],)

    return of


def _first(spans: Spans) -> SortValues:
    def of(element: Any) -> Iterable[Value]:
        span = spans(element)
        return () if span is None else (span[0],)

    return of


def _least(bounds: BoundsOf) -> SortValues:
    def of(element: Any) -> Iterable[Value]:
        found = bounds(element)
        return () if found is None else (found[0],)

    return of


def _amount(amounts: Amounts) -> SortValues:
    """The last amount is the one in the canonical unit, if there is such a unit."""

    def of(element: Any) -> Iterable[Value]:
        found = amounts(element)
        return ((_unit(element), found[-1][1]),) if found else ()

    return of


def _unit(element: dict[str, Any]) -> str:
    """The canonical unit of a quantity, or of the quantity inside."""
    inside = [element.get(name) for name in ("low", "high", "origin")]
    stated: dict[str, Any] = next((each for each in inside if type(each) is dict), element)
    if "currency" in stated:
        return f"{CURRENCIES}|{stated['currency']}"
    code, system = stated.get("code"), stated.get("system")
    if type(code) is not str:
        unit = stated.get("unit")
        return unit if type(unit) is str else ""
    how = conversion(code) if system == UCUM else None
    return code if how is None else how.unit


_TOKENS: Final[Mapping[str, SortValues]] = {
    "Coding": _of_member("code", _code, "display"),
    "CodeableConcept": _concept,
    "Identifier": _of_member("value", _code),
    "ContactPoint": _of_member("value", _code),
    "boolean": _truth,
    **dict.fromkeys(_WRITTEN, _code),
}
