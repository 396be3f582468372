"""What collections contain: elements of FHIR resources and values of the System types.

http://hl7.org/fhirpath/N1/#types-and-reflection

System values are plain Python: bool is Boolean, str String, int Integer, Decimal Decimal; dates,
times and quantities have classes of their own. A FHIR element stays the JSON it is, with its
type beside it: what `1974-12-25` means is only asked when something is done with it.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.temporal import Date, DateTime, Time


class Element(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A node of a resource. Made by the thousand: a struct costs half of a slotted class."""

    value: Any
    """JSON; None where a primitive has no value, only an id or extensions."""
    type: str
    """Type path such as `HumanName` or `Observation.component`; concrete for resources."""
    beside: Any = None
    """What JSON has under the name with `_`: id and extensions of a primitive."""
    parent: "Element | None" = None
    key: str = ""
    """JSON member of the parent it stands under, such as `valueQuantity`."""
    index: int | None = None
    """Place in the array under that member; None where JSON has no array."""


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """What `type()` tells. http://hl7.org/fhirpath/N1/#reflection."""

    namespace: str
    name: str


Item = Element | bool | str | int | Decimal | Date | DateTime | Time | Quantity | TypeInfo

SYSTEM_TYPES = {
    bool: "Boolean",
    str: "String",
    int: "Integer",
    Decimal: "Decimal",
    Date: "Date",
    DateTime: "DateTime",
    Time: "Time",
    Quantity: "Quantity",
}
"""Name in the namespace System of each class of values."""


def type_name(item: Item) -> str:
    """What to call an item's type in a message."""
    if isinstance(item, Element):
        return item.type
    return SYSTEM_TYPES.get(type(item), "TypeInfo")
