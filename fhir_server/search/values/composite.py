"""Composite values: several parts that belong together, as in `code$value`.

https://hl7.org/fhir/R4/search.html#composite

The first part always is one that has forms (token, reference, uri). It narrows what the second
is compared with, so that every composite is one key, one text or one interval:

    token$token            key        group: the first form     value: the second form
    token$string           text       prefix, the first form, then the folded text
    token$date, $number    interval   group: the first form
    token$quantity         interval   group: the first form and the unit
    token$number$number    interval   group: the first form     from the one to the other

A token stands there as `system|code`, `|code` and `code`; `system|` alone is not indexed.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import product
from typing import Any

from fhir_server.search import keys
from fhir_server.search.entries import Entries, Indexed
from fhir_server.search.values import date, number, quantity, reference, string, token, uri
from fhir_server.search.values.escapes import split, wrong
from fhir_server.search.values.forms import NO_VALUE, Form, Forms
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.search.values.prefixes import AMOUNT, compare
from fhir_server.storage.query import AnyOf, IntervalIs, KeyIs, Test

Part = tuple[str, str]
"""Search type and FHIR type of one part, such as `("quantity", "Quantity")`."""
TupleIndex = Callable[[Sequence[Any], Entries], None]
"""Add the entries of parts that belong together, one element for each; ignore what cannot be."""
TupleIndexer = Callable[[Indexed], TupleIndex]


def indexer(parts: Sequence[Part], zone: tzinfo = UTC, base_url: str = "") -> TupleIndexer | None:
    """How elements of these types are indexed together; None if they cannot be."""
    first, *others = parts
    forms = _forms(*first, base_url)
    if forms is None:
        return None
    match others:
        case [("number", one), ("number", other)]:
            return _between(forms, number.BOUNDS.get(one), number.BOUNDS.get(other))
        case [("string", type_)]:
            return _with_texts(forms, string.TEXTS.get(type_))
        case [("date", type_)]:
            return _with_bounds(forms, date.spans_of(zone).get(type_))
        case [("number", type_)]:
            return _with_bounds(forms, number.BOUNDS.get(type_))
        case [("quantity", type_)]:
            return _with_amounts(forms, quantity.AMOUNTS.get(type_))
        case [second]:
            return _with_forms(forms, _forms(*second, base_url))
    return None


def marks_of(
    parts: Sequence[Part], parameter: Indexed, base_url: str
) -> Callable[[Sequence[Any]], quantity.Marking] | None:
    """What marks a quantity under a first part, if the parts are these; takes their elements."""
    if len(parts) != 2 or quantity.AMOUNTS.get(parts[1][1]) is not quantity.quantity_amounts:
        return None
    upper, forms = parameter.number << 32, _forms(*parts[0], base_url)
    if forms is None or parts[1][0] != "quantity":
        return None

    def marks(elements: Sequence[Any]) -> quantity.Marking:
        firsts = elements[0] if type(elements[0]) is list else elements[:1]
        comparable = [form for first in firsts for form in _comparable(forms, first)]
        return quantity.marked(
            quantity.marking_of(elements[1]),
            lambda unit: [upper | _group(form, unit) for form in comparable],
        )

    return marks


def test(parameter: Parameter, value: str, context: Context) -> Test:
    """The test for one value, its parts separated by `$`."""
    first, *others = _read(parameter, value)
    forms = _forms_searched(*first, context)
    if forms is not None:
        match others:
            case [("number", one, low), ("number", other, high)]:
                return _test_between(
                    parameter.indexed, forms, _points(one, low), _points(other, high)
                )
            case [(search_type, part, piece)] if search_type in _TESTS:
                test_one = _TESTS[search_type]
                return _any_of(
                    [test_one(parameter.indexed, f, part, piece, context) for f in forms]
                )
            case [second]:
                return _test_forms(parameter.indexed, forms, _forms_searched(*second, context))
    raise wrong(parameter, value, "parts of these types cannot be searched together")


def present(parameter: Parameter) -> Test:
    """The test that the parameter has any value."""
    indexed = parameter.indexed
    return AnyOf(
        (
            keys.of_parameter(indexed),
            keys.text_beginning(indexed.text),
            keys.intervals_of_parameter(indexed),
        )
    )


# Keys of pairs


@lru_cache(maxsize=4096)
def _narrowed(form: Form) -> bytes:
    return blake2b(form, digest_size=keys.GROUP_BYTES).digest()


@lru_cache(maxsize=4096)
def _second(form: Form) -> bytes:
    return blake2b(form, digest_size=keys.VALUE_BYTES).digest()


@lru_cache(maxsize=4096)
def _group(form: Form, unit: int = quantity.ANY_UNIT) -> int:
    pair = form + unit.to_bytes(keys.GROUP_BYTES)
    return int.from_bytes(blake2b(pair, digest_size=keys.GROUP_BYTES).digest())


@lru_cache(maxsize=4096)
def _text(form: Form) -> str:
    return base64.urlsafe_b64encode(_narrowed(form)).decode()[: keys.TEXT_BYTES]


# Indexing


def _forms(search_type: str, type_: str, base_url: str) -> Forms | None:
    match search_type:
        case "token":
            return token.FORMS.get(type_)
        case "reference":
            return reference.forms_of(base_url).get(type_)
        case "uri":
            return uri.FORMS.get(type_)
    return None


def _comparable(forms: Forms, element: Any) -> Sequence[Form]:
    return [form for form in forms(element) if not form.endswith(NO_VALUE)]


def _with_forms(forms: Forms, others: Forms | None) -> TupleIndexer | None:
    return None if others is None else partial(_index_forms, forms, others)


def _index_forms(forms: Forms, others: Forms, parameter: Indexed) -> TupleIndex:
    def index(parts: Sequence[Any], entries: Entries) -> None:
        seconds = [_second(form) for form in _comparable(others, parts[1])]
        if seconds:
            for form in _comparable(forms, parts[0]):
                beginning = parameter.prefix + _narrowed(form)
                entries.keys += [beginning + second for second in seconds]

    return index


def _with_texts(forms: Forms, others: string.Texts | None) -> TupleIndexer | None:
    return None if others is None else partial(_index_texts, forms, others)


def _index_texts(forms: Forms, others: string.Texts, parameter: Indexed) -> TupleIndex:
    def index(parts: Sequence[Any], entries: Entries) -> None:
        folded = (string.folded_text(text)[: string.LONGEST] for text in others(parts[1]))
        texts = [text for text in folded if text]
        if texts:
            for form in _comparable(forms, parts[0]):
                beginning = parameter.text + _text(form)
                entries.keys += [beginning + text for text in texts]

    return index


BoundsOf = Callable[[Any], tuple[float, float] | None]


def _with_bounds(forms: Forms, others: BoundsOf | None) -> TupleIndexer | None:
    return None if others is None else partial(_index_bounds, forms, others)


def _index_bounds(forms: Forms, others: BoundsOf, parameter: Indexed) -> TupleIndex:
    def index(parts: Sequence[Any], entries: Entries) -> None:
        bounds = others(parts[1])
        if bounds is not None:
            for form in _comparable(forms, parts[0]):
                key = keys.interval_key(parameter, _group(form))
                entries.intervals.append((key, *bounds))

    return index


def _with_amounts(forms: Forms, others: quantity.Amounts | None) -> TupleIndexer | None:
    return None if others is None else partial(_index_amounts, forms, others)


def _index_amounts(forms: Forms, others: quantity.Amounts, parameter: Indexed) -> TupleIndex:
    upper = parameter.number << 32

    def index(parts: Sequence[Any], entries: Entries) -> None:
        amounts = others(parts[1])
        if amounts:
            entries.intervals += [
                (upper | _group(form, unit), low, high)
                for form in _comparable(forms, parts[0])
                for unit, low, high in amounts
            ]

    return index


def _between(
    forms: Forms, lows: number.BoundsOf | None, highs: number.BoundsOf | None
) -> TupleIndexer | None:
    """One interval from the one number to the other, so that both are compared at once."""
    if lows is None or highs is None:
        return None
    return partial(_index_between, forms, lows, highs)


def _index_between(
    forms: Forms, lows: number.BoundsOf, highs: number.BoundsOf, parameter: Indexed
) -> TupleIndex:
    def index(parts: Sequence[Any], entries: Entries) -> None:
        low, high = lows(parts[1]), highs(parts[2])
        if low is not None and high is not None:
            for form in _comparable(forms, parts[0]):
                key = keys.interval_key(parameter, _group(form))
                entries.intervals.append((key, low[0], high[1]))

    return index


# Searching

_Piece = tuple[str, Parameter, str]
"""Search type, parameter and text of one part."""


def _read(parameter: Parameter, value: str) -> Sequence[_Piece]:
    pieces, components = split(value, "$"), parameter.components
    if len(pieces) != len(components):
        advice = f"write {len(components)} parts with $ between them, and \\$ for one inside a part"
        raise wrong(parameter, value, advice)
    return [
        (component.search_type, replace(component.parameter, code=parameter.code), piece)
        for component, piece in zip(components, pieces, strict=True)
    ]


def _forms_searched(
    search_type: str, part: Parameter, piece: str, context: Context
) -> Sequence[Form] | None:
    match search_type:
        case "token":
            return token.forms_searched(part, piece)
        case "reference":
            return reference.forms_searched(part, piece, context.base_url)
        case "uri":
            return uri.forms_searched(part, piece)
    return None


def _test_forms(indexed: Indexed, forms: Sequence[Form], others: Sequence[Form] | None) -> Test:
    pairs = product(forms, others or ())
    found = (indexed.prefix + _narrowed(form) + _second(other) for form, other in pairs)
    return KeyIs(tuple(dict.fromkeys(found)))


def _test_string(indexed: Indexed, form: Form, part: Parameter, piece: str, _: Context) -> Test:
    return keys.text_beginning(indexed.text + _text(form) + string.text_searched(part, piece))


def _test_date(indexed: Indexed, form: Form, part: Parameter, piece: str, context: Context) -> Test:
    return date.test_under(keys.interval_key(indexed, _group(form)), part, piece, context)


def _test_number(indexed: Indexed, form: Form, part: Parameter, piece: str, _: Context) -> Test:
    return number.test_under(keys.interval_key(indexed, _group(form)), part, piece)


def _test_quantity(indexed: Indexed, form: Form, part: Parameter, piece: str, _: Context) -> Test:
    prefix, unit, first, last = quantity.searched(part, piece)
    return compare(prefix, first, last, keys.interval_key(indexed, _group(form, unit)), AMOUNT)


_TESTS: Mapping[str, Callable[[Indexed, Form, Parameter, str, Context], Test]] = {
    "string": _test_string,
    "date": _test_date,
    "number": _test_number,
    "quantity": _test_quantity,
}
"""Tests of a second part, under a first one, by search type."""


def _points(part: Parameter, piece: str) -> Sequence[number.Bounds]:
    """Where a number may lie that compares so."""
    prefix, exact = number.read_number(part, piece)
    first, last = number.range_as_floats(prefix, exact)
    below = (-keys.UNBOUNDED, AMOUNT.before(first))
    above = (AMOUNT.after(last), keys.UNBOUNDED)
    return {
        "eq": [(first, last)],
        "ap": [(first, last)],
        "ne": [below, above],
        "gt": [above],
        "sa": [above],
        "lt": [below],
        "eb": [below],
        "ge": [(first, keys.UNBOUNDED)],
        "le": [(-keys.UNBOUNDED, last)],
    }[prefix]


def _test_between(
    indexed: Indexed,
    forms: Sequence[Form],
    lows: Sequence[number.Bounds],
    highs: Sequence[number.Bounds],
) -> Test:
    found = (keys.interval_key(indexed, _group(form)) for form in forms)
    return _any_of(
        [
            IntervalIs((key, key), low, high)
            for key, low, high in product(dict.fromkeys(found), lows, highs)
        ]
    )


def _any_of(tests: Sequence[Test]) -> Test:
    return tests[0] if len(tests) == 1 else AnyOf(tuple(tests))
