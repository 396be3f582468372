"""Constraints: the rules that the definitions of R4 state beside cardinalities and bindings.

https://hl7.org/fhir/R4/elementdefinition.html#ElementDefinition.constraint

They are in a file of their own, read when somebody first wants to check a rule. `ele-1` and
`ext-1`, which every element has, are not among them: structure says the same.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
import zstandard

from fhir_server.definitions.registry import R4

CONSTRAINTS = "constraints.msgpack.zst"
"""The file in the folder of definitions, made by `scripts/pack-definitions`."""


class Constraint(msgspec.Struct, frozen=True, array_like=True):
    key: str
    """Such as `obs-7`; one key may be several constraints of different types."""
    severity: str
    """error or warning."""
    human: str
    """What must hold, in the words of the specification."""
    expression: str
    best_practice: bool = False


class Constraints(msgspec.Struct, frozen=True, array_like=True):
    """What is packed: each constraint once, and where it holds."""

    constraints: tuple[Constraint, ...]
    places: dict[str, tuple[int, ...]]
    """Type path, element path without `[x]`, or canonical of a profile on a data type."""


def load_constraints(folder: Path = R4) -> Mapping[str, tuple[Constraint, ...]]:
    """All constraints by where they hold.

    That is a type (`Patient.contact`), an element (`Organization.telecom`) or the canonical of a
    profile. Raises FileNotFoundError, or msgspec.ValidationError when it was packed by another
    version.
    """
    packed = zstandard.ZstdDecompressor().decompress((folder / CONSTRAINTS).read_bytes())
    read = msgspec.msgpack.decode(packed, type=Constraints)
    return MappingProxyType(
        {
            place: tuple(read.constraints[number] for number in numbers)
            for place, numbers in read.places.items()
        }
    )
