"""Measuring: quantities, of which the number is hardly ever met again, but the unit always.

What marks the amounts of a quantity depends on its unit and, in composites, on what else they
look at, such as the code of what was measured. All parameters that look at one quantity share
what was read of it, and its number is worked out once for all.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from fhir_server.search.gathering import Gathered, Visit
from fhir_server.search.values.quantity import Marking, amounts_in

Marks = Callable[[Sequence[Any]], Marking]
"""The marks of a quantity, by the values of what they depend on; the quantity is the last."""

_REMEMBERED: Final = 1024
_LONGEST: Final = 1000
"""Bytes of what marks depend on, if they are remembered."""

_said = msgspec.json.Encoder(decimal_format="number").encode


def measured(marks: Sequence[Marks], otherwise: Visit, *, remembers: bool) -> Visit:
    """What is done with such values; `otherwise` is done with those that end in no object."""
    known: dict[bytes, Marking] = {}

    def meet(values: Sequence[Any], said: bytes) -> Marking:
        marking = _joined([mark(values) for mark in marks])
        if remembers and len(said) <= _LONGEST:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[said] = marking
        return marking

    def visit(values: Sequence[Any], gathered: Gathered) -> None:
        quantity = values[-1]
        if type(quantity) is not dict:
            otherwise(values, gathered)
            return
        get = quantity.get
        try:
            said = _said((values[:-1], get("system"), get("code"), get("unit")))
        except (ValueError, TypeError, RecursionError):  # no JSON, which no store keeps
            otherwise(values, gathered)
            return
        gathered.intervals += amounts_in(known.get(said) or meet(values, said), quantity)

    return visit


def _joined(markings: Sequence[Marking]) -> Marking:
    """They agree on the conversion, as they are about one unit."""
    return Marking(
        tuple(mark for each in markings for mark in each.written),
        markings[0].conversion,
        tuple(mark for each in markings for mark in each.converted),
    )
