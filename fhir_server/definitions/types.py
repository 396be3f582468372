"""Types of FHIR: resources, datatypes, primitives and the backbones inside them.

https://hl7.org/fhir/R4/datatypes.html

A type is named by its path: `Patient`, `HumanName`, `string`, `Observation.component`.
These are msgspec structs and not dataclasses because they are stored as they are: the
definitions at run time are read back without a line of code between file and object.
"""

from typing import Literal

import msgspec

Kind = Literal["resource", "complex-type", "primitive-type", "backbone"]


class Primitive(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a value of a primitive type may be; what a base type demands is demanded here too."""

    regex: str | None = None
    """As published: to be matched against the whole value."""
    minimum: int | None = None
    maximum: int | None = None
    max_length: int | None = None
    """In characters."""


class Type(msgspec.Struct, frozen=True, array_like=True, gc=False):
    name: str
    kind: Kind
    abstract: bool
    base: str | None
    """The type it is derived from; None for Element and Resource."""
    primitive: Primitive | None = None
    """Only for primitive types."""
