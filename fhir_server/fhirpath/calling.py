"""Calling a function: its row in the table, its arguments, and what joins them.

http://hl7.org/fhirpath/N1/#functions
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from fhir_server.fhirpath import code, singletons
from fhir_server.fhirpath.code import Code
from fhir_server.fhirpath.errors import FhirPathEvaluationError, FhirPathSemanticError, Unfit
from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.functions.rules import Function, Kind, Result
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.navigation import Many, Scalar

VIEWS: Final = {
    Kind.VALUE: singletons.single,
    Kind.BOOLEAN: singletons.truth,
    Kind.STRING: singletons.string,
    Kind.INTEGER: singletons.integer,
    Kind.NUMBER: singletons.number,
}
"""How each kind of one value is got from a collection."""

LAMBDAS: Final = frozenset(
    {Kind.CRITERION, Kind.PROJECTION, Kind.SORT_KEY, Kind.TYPE, Kind.ANY_TYPE}
)
"""Kinds whose arguments the function is given as they are, to evaluate itself."""


def check_arity(name: str, row: Function, given: int, position: int) -> None:
    """Raises FhirPathSemanticError."""
    most = row.most
    if given < row.least or (most is not None and given > most):
        expected = str(row.least) if most == row.least else f"{row.least} to {most or 'any'}"
        raise FhirPathSemanticError(f"{name}() takes {expected} arguments, not {given}", position)


def call(row: Function, source: Code, arguments: Sequence[Any], position: int) -> Code:
    """The code of a call. Arguments are Codes, but for lambdas and types."""
    kinds = kinds_of(row, len(arguments))
    run = _of_value if not row.total else _of_collection
    compiled = run(row, source, list(zip(kinds, arguments, strict=True)), position)
    if row.result is Result.ITEMS:
        return Code(compiled)
    return code.of_scalar(compiled, boolean=row.result is Result.BOOLEAN)


def kinds_of(row: Function, given: int) -> list[Kind]:
    """The kind of each argument; the last parameter may stand for several."""
    kinds = list(row.parameters[:given])
    return kinds + [row.parameters[-1]] * (given - len(kinds)) if given else kinds


Arguments = list[tuple[Kind, Any]]


def _of_collection(
    row: Function, source: Code, arguments: Arguments, position: int
) -> Callable[..., Any]:
    run, items_of = row.run, source.many
    fixed = [argument for kind, argument in arguments if kind in LAMBDAS]
    if len(fixed) == len(arguments):
        return _with_lambdas(row, items_of, fixed, position)
    readers = [_reader(kind, argument, position) for kind, argument in arguments]

    def compiled(evaluation: Evaluation, items: list[Item]) -> Any:
        given = [read(evaluation, items) for read in readers]
        found = items_of(evaluation, items)
        try:
            return run(evaluation, found, *given) if row.evaluation else run(found, *given)
        except Unfit as error:
            raise FhirPathEvaluationError(str(error), position) from None

    return compiled


def _with_lambdas(
    row: Function, items_of: Many, fixed: list[Any], position: int
) -> Callable[..., Any]:
    """The functions that are called most: nothing is evaluated for them but their input."""
    run = row.run
    if row.evaluation:

        def compiled(evaluation: Evaluation, items: list[Item]) -> Any:
            try:
                return run(evaluation, items_of(evaluation, items), *fixed)
            except Unfit as error:
                raise FhirPathEvaluationError(str(error), position) from None

    else:

        def compiled(evaluation: Evaluation, items: list[Item]) -> Any:
            try:
                return run(items_of(evaluation, items), *fixed)
            except Unfit as error:
                raise FhirPathEvaluationError(str(error), position) from None

    return compiled


def _of_value(
    row: Function, source: Code, arguments: Arguments, position: int
) -> Callable[..., Any]:
    run = row.run
    subject = _VALUES.get(row.input, partial(code.view, kind=VIEWS[row.input]))(source, position)
    readers = [_reader(kind, argument, position) for kind, argument in arguments]
    nothing: Any = [] if row.result is Result.ITEMS else None

    def compiled(evaluation: Evaluation, items: list[Item]) -> Any:
        value = subject(evaluation, items)
        if value is None:
            return nothing
        given = [read(evaluation, items) for read in readers]
        if None in given:
            return nothing
        try:
            return run(value, *given)
        except Unfit as error:
            raise FhirPathEvaluationError(str(error), position) from None

    return compiled


_VALUES: Final = {Kind.VALUE: code.value, Kind.BOOLEAN: code.truth}
"""Kinds that are got without a list around them, where there is none."""


def _reader(kind: Kind, argument: Any, position: int) -> Scalar:
    if kind in LAMBDAS:
        return lambda _, __: argument
    if kind is Kind.COLLECTION:
        return argument.many  # type: ignore[no-any-return] # a Code
    return code.view(argument, position, VIEWS[kind])
