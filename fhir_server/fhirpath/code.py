"""What a node is compiled to, and its views: as a list, as one value, as a Boolean.

http://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections

Everything that can go wrong with a value is told with the place of the node that asked for it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fhir_server.fhirpath import singletons
from fhir_server.fhirpath.errors import FhirPathEvaluationError, Unfit
from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.navigation import Many, Scalar


@dataclass(frozen=True, slots=True)
class Code:
    many: Many
    scalar: Scalar | None = None
    """The same as one System value or None; absent where there may be more, or an element."""
    boolean: bool = False
    """Whether that value can only be a Boolean."""
    constant: list[Item] | None = None
    """What it gives, where that is known before it is evaluated."""


def of_scalar(scalar: Scalar, *, boolean: bool = False) -> Code:
    def many(evaluation: Evaluation, items: list[Item]) -> list[Item]:
        value = scalar(evaluation, items)
        return [] if value is None else [value]

    return Code(many, scalar, boolean)


def literal(*values: Item) -> Code:
    known = list(values)
    if len(known) > 1:
        return Code(lambda _, __: known, constant=known)
    only = known[0] if known else None
    return Code(lambda _, __: known, lambda _, __: only, isinstance(only, bool), known)


def guarded(run: Callable[..., Any], position: int) -> Callable[..., Any]:
    """The same function, with the place of the node in what it refuses."""

    def guard(evaluation: Evaluation, items: list[Item]) -> Any:
        try:
            return run(evaluation, items)
        except Unfit as error:
            raise FhirPathEvaluationError(str(error), position) from None

    return guard


def value(code: Code, position: int) -> Scalar:
    """The only System value or element, or None."""
    return code.scalar or _view(code.many, singletons.single, position)


def view(code: Code, position: int, kind: Callable[[list[Item]], Any]) -> Scalar:
    """The only value, of a kind."""
    if code.constant is not None:
        with suppress(Unfit):  # told when it is evaluated, which may be never
            known = kind(code.constant)
            return lambda _, __: known
    return _view(code.many, kind, position)


def truth(code: Code, position: int) -> Scalar:
    """The Boolean, or None."""
    scalar = code.scalar
    if scalar is None:
        return _view(code.many, singletons.truth, position)
    if code.boolean:
        return scalar

    def run(evaluation: Evaluation, items: list[Item]) -> bool | None:
        answer = scalar(evaluation, items)
        return answer if answer is None or type(answer) is bool else True

    return run


def _view(many: Many, read: Callable[[list[Item]], Any], position: int) -> Scalar:
    def run(evaluation: Evaluation, items: list[Item]) -> Any:
        try:
            return read(many(evaluation, items))
        except Unfit as error:
            raise FhirPathEvaluationError(str(error), position) from None

    return run
