"""Compartments: which resources belong to a patient, an encounter, a device, ...

https://hl7.org/fhir/R4/compartmentdefinition.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CompartmentDefinition(Mapping[str, tuple[str, ...]]):
    """Resource type to the codes of the reference parameters that make a resource a member.

    Types that are never members are absent. The resource the compartment is about is a
    member of itself by its id; its type is always present, be it with no codes.
    """

    code: str
    """The resource type it is about, such as Patient."""
    url: str
    parameters: Mapping[str, tuple[str, ...]]

    def __getitem__(self, resource_type: str) -> tuple[str, ...]:
        return self.parameters[resource_type]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)
