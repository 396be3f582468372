"""The published definitions as files have them, less what must not pass for real.

SOURCE is a folder of `*.ndjson.gz`, one resource a line. The core package of R4 mixes
examples among its definitions; each one left out is named here with the reason.
"""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

_EXPANSIONS = "valueset-expansions"
_EXAMPLE = "an example of the resource type, not a definition in force"
_EXAMPLE_SYSTEM = "a capability statement of an imagined system"
_EXAMPLE_CODES = "its content is an example: real codes are missing from it"

LEFT_OUT = {
    "CapabilityStatement/base": _EXAMPLE_SYSTEM,
    "CapabilityStatement/base2": _EXAMPLE_SYSTEM,
    "CapabilityStatement/example": _EXAMPLE_SYSTEM,
    "CapabilityStatement/knowledge-repository": _EXAMPLE_SYSTEM,
    "CapabilityStatement/measure-processor": _EXAMPLE_SYSTEM,
    "CapabilityStatement/messagedefinition": _EXAMPLE_SYSTEM,
    "CapabilityStatement/phr": _EXAMPLE_SYSTEM,
    "CapabilityStatement/terminology-server": _EXAMPLE_SYSTEM,
    "CodeSystem/appointment-cancellation-reason": _EXAMPLE_CODES,
    "CodeSystem/program": _EXAMPLE_CODES,
    "CodeSystem/service-category": _EXAMPLE_CODES,
    "CodeSystem/service-type": _EXAMPLE_CODES,
    "CompartmentDefinition/example": _EXAMPLE,
    "NamingSystem/example": _EXAMPLE,
    "NamingSystem/example-id": _EXAMPLE,
    "OperationDefinition/example": _EXAMPLE,
    "SearchParameter/example": "an example; it would take the place of Resource._id",
    "SearchParameter/example-extension": _EXAMPLE,
    "SearchParameter/example-reference": "an example; it would take the place of Condition.subject",
    "StructureMap/example": _EXAMPLE,
}
"""`type/id` to the reason."""


@dataclass(frozen=True, slots=True)
class Definition:
    text: bytes
    """As published, to the byte."""
    resource: dict[str, Any]

    @property
    def key(self) -> str:
        return f"{self.resource['resourceType']}/{self.resource['id']}"


@dataclass(frozen=True, slots=True)
class Source:
    definitions: tuple[Definition, ...]
    expansions: tuple[Definition, ...]
    """Value sets as published with their expansions."""

    def of_type(self, resource_type: str) -> list[dict[str, Any]]:
        resources = [each.resource for each in self.definitions]
        return [each for each in resources if each["resourceType"] == resource_type]


def read_source(folder: Path) -> Source:
    """Read a folder of definitions; ValueError if a name in LEFT_OUT is not there to leave out."""
    definitions: list[Definition] = []
    expansions: list[Definition] = []
    for path in sorted(folder.glob("*.ndjson.gz")):
        is_expansions = path.name.startswith(_EXPANSIONS)
        (expansions if is_expansions else definitions).extend(_read(path))
    missing = LEFT_OUT.keys() - {each.key for each in definitions}
    if missing:
        raise ValueError(f"{folder} has no {', '.join(sorted(missing))}: is it the R4 core?")
    kept = [each for each in definitions if each.key not in LEFT_OUT]
    known = {each.key for each in kept}
    # A value set that is only published expanded is a definition all the same.
    kept += [_without_expansion(each) for each in expansions if each.key not in known]
    return Source(tuple(kept), tuple(expansions))


def expansion_of(value_set: Definition) -> bytes:
    """The `expansion` member alone, as published."""
    return bytes(_members(value_set)["expansion"])


def _read(path: Path) -> Iterable[Definition]:
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    with gzip.open(path, "rb") as file:
        lines = file.read().split(b"\n")
    return [Definition(line, decode(line)) for line in lines if line]


def _without_expansion(value_set: Definition) -> Definition:
    members = {name: raw for name, raw in _members(value_set).items() if name != "expansion"}
    text = msgspec.json.encode(members)
    return Definition(text, msgspec.json.decode(text))


def _members(definition: Definition) -> dict[str, msgspec.Raw]:
    return msgspec.json.decode(definition.text, type=dict[str, msgspec.Raw])
