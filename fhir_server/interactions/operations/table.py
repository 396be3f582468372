"""All operations there are, a line for each, and how one is found and called.

https://hl7.org/fhir/R4/operations.html#executing
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from fhir_server.definitions.registry import Definitions
from fhir_server.errors import MethodNotAllowed, UnknownOperation
from fhir_server.fhir import json_format
from fhir_server.interactions.context import Context
from fhir_server.interactions.operations import code_system, concept_map, validate, value_set
from fhir_server.interactions.operations.arguments import read_arguments
from fhir_server.interactions.operations.operation import (
    ANY,
    SYSTEM,
    Call,
    Definition,
    Operation,
    read_definition,
)
from fhir_server.interactions.request import Reply, Request
from fhir_server.search.clause import shown

OPERATIONS: Final[tuple[Operation, ...]] = (
    *code_system.OPERATIONS,
    *value_set.OPERATIONS,
    *concept_map.OPERATIONS,
    *validate.OPERATIONS,
)

_BY_NAME: Final[Mapping[tuple[str, str], Operation]] = {
    (each.type, each.code): each for each in OPERATIONS
}


def of_type(type_: str) -> Sequence[Operation]:
    """The operations of a type, those of all types included, or of SYSTEM; by name."""
    owners = {type_} if type_ == SYSTEM else {type_, ANY}
    return sorted((each for each in OPERATIONS if each.type in owners), key=lambda each: each.code)


async def operate(request: Request, context: Context) -> Reply:
    """The answer of the operation that the path names.

    UnknownOperation names those there are; MethodNotAllowed when one that changes something is
    asked for by GET.
    """
    *owner, name = request.path
    type_, id_ = owner[0] if owner else SYSTEM, owner[1] if len(owner) > 1 else None
    operation = _found(type_, name.removeprefix("$"))
    level = ("system", "type", "instance")[len(owner)]
    if operation is None:
        raise _unknown(name, type_)
    definition = definition_of(operation, context.definitions)
    if level not in definition.levels:
        raise UnknownOperation(
            f"{operation.name} is called on {_words(definition.levels)}, not on {_words([level])}."
        )
    if definition.changes and request.method != "POST":
        error = MethodNotAllowed(f"{operation.name} changes what is stored: use POST.")
        error.headers["allow"] = "POST"
        raise error
    arguments = read_arguments(request, definition.parameters, operation.name)
    answer = await operation.run(Call(arguments, id_, request), context)
    return Reply(200, content=json_format.write(answer))


def _found(type_: str, code: str) -> Operation | None:
    own = _BY_NAME.get((type_, code))
    return own if own is not None or type_ == SYSTEM else _BY_NAME.get((ANY, code))


def definition_of(operation: Operation, definitions: Definitions) -> Definition:
    """Where and how an operation is called, as R4 publishes it."""
    return _definition(operation.type, operation.code, definitions)


@lru_cache(maxsize=64)
def _definition(type_: str, code: str, definitions: Definitions) -> Definition:
    operation = _BY_NAME[type_, code]
    published = definitions.by_canonical(operation.url)
    assert published is not None  # noqa: S101 -- a test goes through the table
    return read_definition(published, operation)


def _unknown(name: str, type_: str) -> UnknownOperation:
    known = [f"${each.code}" for each in of_type(type_)]
    where = type_ or "the system as a whole"
    if known:
        return UnknownOperation(
            f"There is no operation {shown(name)} on {where}; there are {', '.join(known)}."
        )
    others = ", ".join(each.name for each in OPERATIONS)
    return UnknownOperation(
        f"There is no operation {shown(name)} on {where}, which has none; there are {others}."
    )


def _words(levels: Iterable[str]) -> str:
    names = {"system": "the system", "type": "the type", "instance": "one resource"}
    return " or ".join(names[each] for each in sorted(levels, reverse=True))
