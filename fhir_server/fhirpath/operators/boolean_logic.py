"""`and`, `or`, `xor`, `implies`: three-valued, None for empty.

http://hl7.org/fhirpath/N1/#boolean-logic

The right operand is not evaluated where the left one decides: an error there is not seen.
"""

from collections.abc import Callable, Mapping
from typing import Final

from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.navigation import Scalar


def both(left: Scalar, right: Scalar) -> Scalar:
    """`and`."""

    def run(evaluation: Evaluation, items: list[Item]) -> bool | None:
        ours = left(evaluation, items)
        if ours is False:
            return False
        theirs: bool | None = right(evaluation, items)
        return theirs if ours or theirs is False else None

    return run


def either(left: Scalar, right: Scalar) -> Scalar:
    """`or`."""

    def run(evaluation: Evaluation, items: list[Item]) -> bool | None:
        ours = left(evaluation, items)
        if ours:
            return True
        theirs: bool | None = right(evaluation, items)
        return theirs if ours is False or theirs else None

    return run


def one_of(left: Scalar, right: Scalar) -> Scalar:
    """`xor`."""

    def run(evaluation: Evaluation, items: list[Item]) -> bool | None:
        ours = left(evaluation, items)
        if ours is None:
            return None
        theirs = right(evaluation, items)
        return None if theirs is None else ours is not theirs

    return run


def implies(left: Scalar, right: Scalar) -> Scalar:
    def run(evaluation: Evaluation, items: list[Item]) -> bool | None:
        ours = left(evaluation, items)
        if ours is False:
            return True
        theirs: bool | None = right(evaluation, items)
        return theirs if ours or theirs else None

    return run


LOGIC: Final[Mapping[str, Callable[[Scalar, Scalar], Scalar]]] = {
    "and": both,
    "or": either,
    "xor": one_of,
    "implies": implies,
}
