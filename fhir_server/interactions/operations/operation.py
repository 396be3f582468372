"""What an operation is, as the table lists it and as it is called.

https://hl7.org/fhir/R4/operationdefinition.html
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fhir_server.interactions.context import Context
from fhir_server.interactions.operations.arguments import Arguments, Parameter
from fhir_server.interactions.request import Request, Resource

SYSTEM: Final = ""
"""The type of an operation that belongs to none."""
ANY: Final = "Resource"
"""The type of an operation that every resource type has."""


@dataclass(frozen=True, slots=True)
class Call:
    """An operation that is asked for."""

    arguments: Arguments
    id: str | None
    """Of the resource it is called on; None at other levels."""
    request: Request


Run = Callable[[Call, Context], Awaitable[Resource]]
"""Answers a call by a resource, such as Parameters."""


@dataclass(frozen=True, slots=True)
class Operation:
    type: str
    """The resource type it belongs to; SYSTEM for none, ANY for all."""
    code: str
    """Its name without the dollar."""
    run: Run
    further: Mapping[str, str] = field(default_factory=dict)
    """Parameters it takes beyond those of its definition, each with its type."""
    without: frozenset[str] = frozenset()
    """Parameters of its definition that it does not take."""

    @property
    def url(self) -> str:
        return f"http://hl7.org/fhir/OperationDefinition/{self.type or 'System'}-{self.code}"

    @property
    def name(self) -> str:
        owner = "[type]" if self.type == ANY else self.type
        return f"{owner}/${self.code}" if owner else f"${self.code}"


@dataclass(frozen=True, slots=True)
class Definition:
    """What an OperationDefinition says of where and how it is called."""

    levels: frozenset[str]
    """Of `system`, `type`, `instance`."""
    changes: bool
    """Whether it changes what is stored, so that GET may not call it."""
    parameters: Mapping[str, Parameter]


def read_definition(resource: Mapping[str, Any], operation: Operation) -> Definition:
    """What is published of an operation, as far as it is offered here."""
    levels = frozenset(each for each in ("system", "type", "instance") if resource[each])
    found = {
        each["name"]: Parameter(each["name"], each.get("type", ""), each["max"] != "1")
        for each in resource.get("parameter", ())
        if each["use"] == "in" and each["name"] not in operation.without
    }
    further = {
        name: Parameter(name, kind.removesuffix("*"), kind.endswith("*"))
        for name, kind in operation.further.items()
    }
    return Definition(levels, resource.get("affectsState", False) is True, {**found, **further})
