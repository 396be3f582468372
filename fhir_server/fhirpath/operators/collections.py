"""`|`, `in`, `contains`.

http://hl7.org/fhirpath/N1/#collections-2
"""

from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.operators.equality import Bag, distinct, equal_items


def union(left: list[Item], right: list[Item]) -> list[Item]:
    return distinct([*left, *right])


def member_of(left: list[Item], right: list[Item]) -> bool | None:
    """`in`: empty when there is nothing to look for."""
    if len(left) > 1:
        raise Unfit(f"one item can be looked for, not {len(left)}")
    if not left:
        return None
    if len(right) > _FEW:
        return left[0] in Bag(right)
    return any(equal_items(left[0], each) is True for each in right)


def contains(left: list[Item], right: list[Item]) -> bool | None:
    return member_of(right, left)


_FEW = 8
