"""Ways to spoil a resource that is right, each with the issue that must be told of it.

A way changes one object of the resource in place. It knows the element table and the
specification, and nothing of how validation works.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from fhir_server.definitions.elements import Element, ElementTable

WRONG: Mapping[str, Sequence[Any]] = {
    "base64Binary": ["YWJ", "!!!!", 1],
    "boolean": ["true", 1],
    "canonical": ["a b", "", 7],
    "code": [" a", "a  b", "", 7],
    "date": ["2023-02-29", "1900-02-29", "2024-13", "24", "2024-02-29T00:00:00Z", "0000", 2024],
    "dateTime": ["2024-02-30", "2024-04-31T00:00:00Z", "2024-02-29T23:59Z", "2024-02-29T23:59:59"],
    "decimal": ["1.0", True],
    "id": ["a/b", "a b", "", "x" * 65],
    "instant": ["2024", "2024-02-29", "2023-02-29T23:59:59Z", "2024-02-29T23:59:59"],
    "integer": [2**31, Decimal("1.0"), Decimal("1.5"), "1", True],
    "markdown": ["", "a\x00", 1],
    "oid": ["1.2.3", "urn:oid:3.1"],
    "positiveInt": [0, -1, Decimal("1.0"), 2**31, True],
    "string": ["", "a\x00b", 1, False],
    "time": ["24:00:00", "10:00"],
    "unsignedInt": [-1, Decimal("2.0"), False],
    "uri": ["a b", "", 1],
    "url": ["a b", ""],
    "uuid": ["c757873d-ec9a-4326-a141-556f43239520"],
    "xhtml": ["", 1],
}


class Expected(NamedTuple):
    message_id: str
    place: str


@dataclass(frozen=True, slots=True)
class Spot:
    """An object somewhere in a resource."""

    value: dict[str, Any]
    type: str
    place: str
    """Its FHIRPath."""
    table: ElementTable
    chance: random.Random

    def members(self) -> list["Member"]:
        """What it has, `_name` aside, in a random order."""
        by_key = self.table.by_key(self.type)
        found = [
            Member(key, by_key[key], by_key[key].keys[key], f"{self.place}.{by_key[key].name}")
            for key in self.value
            if key in by_key
        ]
        self.chance.shuffle(found)
        return found

    def primitives(self) -> list["Member"]:
        return [each for each in self.members() if each.type in self.table.primitives]

    def objects(self) -> list["Member"]:
        return [each for each in self.members() if each.type not in self.table.primitives]


class Member(NamedTuple):
    key: str
    element: Element
    type: str
    place: str


Way = Callable[[Spot], Expected | None]
"""Changes the object and says what must be told, or None and changes nothing."""


def spots(resource: dict[str, Any], table: ElementTable, chance: random.Random) -> list[Spot]:
    """All objects of a resource, in a random order."""
    type_ = resource["resourceType"]
    found = list(_spots(Spot(resource, type_, type_, table, chance)))
    chance.shuffle(found)
    return found


def _spots(spot: Spot) -> Iterator[Spot]:
    yield spot
    for member in spot.objects():
        held = spot.value[member.key]
        for index, each in enumerate(held if member.element.many else [held]):
            place = f"{member.place}[{index}]" if member.element.many else member.place
            type_ = each["resourceType"] if member.type == "Resource" else member.type
            yield from _spots(Spot(each, type_, place, spot.table, spot.chance))


def _unknown_member(spot: Spot) -> Expected:
    spot.value["unheardOf"] = "x"
    return Expected("unknown-element", f"{spot.place}.unheardOf")


def _extensions_beside_an_object(spot: Spot) -> Expected | None:
    for member in spot.objects():
        spot.value[f"_{member.key}"] = {"id": "a"}
        return Expected("unknown-element", f"{spot.place}._{member.key}")
    return None


def _required_left_out(spot: Spot) -> Expected | None:
    for member in spot.members():
        if member.element.min and len(spot.value) > 1 and f"_{member.key}" not in spot.value:
            del spot.value[member.key]
            return Expected("missing-element", member.place)
    return None


def _no_array(spot: Spot) -> Expected | None:
    for member in spot.members():
        if member.element.many and f"_{member.key}" not in spot.value:
            spot.value[member.key] = spot.value[member.key][0]
            return Expected("array-expected", member.place)
    return None


def _an_array(spot: Spot) -> Expected | None:
    for member in spot.members():
        if not member.element.many:
            spot.value[member.key] = [spot.value[member.key]]
            return Expected("array-unexpected", member.place)
    return None


def _empty_array(spot: Spot) -> Expected | None:
    for member in spot.members():
        if member.element.many and f"_{member.key}" not in spot.value:
            spot.value[member.key] = []
            return Expected("empty-array", member.place)
    return None


def _empty_object(spot: Spot) -> Expected | None:
    for member in spot.objects():
        if member.type != "Resource":
            _put(spot, member, {})
            return Expected("empty-object", _first(member))
    return None


def _null(spot: Spot) -> Expected | None:
    for member in spot.members():
        if f"_{member.key}" not in spot.value:
            _put(spot, member, None)
            return Expected("null-unexpected", _first(member))
    return None


def _null_further_on(spot: Spot) -> Expected | None:
    for member in spot.members():
        if member.element.many and f"_{member.key}" not in spot.value:
            spot.value[member.key].append(None)
            last = len(spot.value[member.key]) - 1
            return Expected("null-unexpected", f"{member.place}[{last}]")
    return None


def _text_for_an_object(spot: Spot) -> Expected | None:
    for member in spot.objects():
        _put(spot, member, "text")
        return Expected("object-expected", _first(member))
    return None


def _object_for_a_value(spot: Spot) -> Expected | None:
    for member in spot.primitives():
        _put(spot, member, {"value": "x"})
        return Expected(_refused(member), _first(member))
    return None


def _wrong_value(spot: Spot) -> Expected | None:
    for member in spot.primitives():
        _put(spot, member, spot.chance.choice(WRONG[member.type]))
        return Expected(_refused(member), _first(member))
    return None


def _unknown_code(spot: Spot) -> Expected | None:
    for member in spot.primitives():
        if _refused(member) == "not-in-value-set":
            _put(spot, member, "no-such-code")
            return Expected("not-in-value-set", _first(member))
    return None


def _further_type(spot: Spot) -> Expected | None:
    for member in spot.members():
        if member.element.choice:
            others = {key: path for key, path in member.element.keys.items() if key != member.key}
            key, value = spot.chance.choice(
                [(key, _RIGHT[path]) for key, path in others.items() if path in _RIGHT]
                or [("", None)]
            )
            if key:
                spot.value[key] = value
                return Expected("several-types", member.place)
    return None


_RIGHT: Mapping[str, Any] = {
    "boolean": True,
    "CodeableConcept": {"text": "x"},
    "date": "2024",
    "dateTime": "2024",
    "integer": 1,
    "Period": {"start": "2024"},
    "Quantity": {"value": 1},
    "Reference": {"display": "x"},
    "string": "x",
}


def _text_beside_a_value(spot: Spot) -> Expected | None:
    for member in _extensible(spot):
        _put_beside(spot, member, "x")
        return Expected("object-expected", _first(member))
    return None


def _wrong_extension_beside_a_value(spot: Spot) -> Expected | None:
    for member in _extensible(spot):
        _put_beside(spot, member, {"extension": [{"url": "http://example.org", "valueCode": ""}]})
        return Expected("wrong-form", f"{_first(member)}.extension[0].value")
    return None


def _arrays_of_unequal_length(spot: Spot) -> Expected | None:
    for member in _extensible(spot):
        if member.element.many:
            length = len(spot.value[member.key])
            spot.value[f"_{member.key}"] = [{"id": f"a{n}"} for n in range(length + 1)]
            # What is too much has no value, and an id alone is no content.
            return Expected("unequal-arrays", member.place)
    return None


def _nothing_at_one_place(spot: Spot) -> Expected | None:
    for member in _extensible(spot):
        if member.element.many:
            length = len(spot.value[member.key])
            spot.value[member.key].append(None)
            spot.value[f"_{member.key}"] = [None] * (length + 1)
            return Expected("null-unexpected", f"{member.place}[{length}]")
    return None


def _only_an_id(spot: Spot) -> Expected | None:
    for member in spot.objects():
        children = spot.table.children(member.type) if member.type != "Resource" else {}
        if children and not any(each.min for each in children.values()):
            _put(spot, member, {"id": "a"})
            return Expected("only-an-id", _first(member))
    return None


def _extension_of_nothing(spot: Spot) -> Expected | None:
    if spot.type != "Extension":
        return None
    for key in set(spot.value) - {"url", "id"}:
        del spot.value[key]
    if spot.chance.random() < 0.5:
        spot.value["id"] = "a"
    return Expected("value-or-extensions", spot.place)


def _extension_of_both(spot: Spot) -> Expected | None:
    if spot.type != "Extension":
        return None
    inner = {"url": "http://example.org/inner", "valueBoolean": True}
    if "extension" in spot.value:
        spot.value["valueString"] = "x"
    else:
        spot.value["extension"] = [inner]
    return Expected("value-or-extensions", spot.place)


def _contained_of_no_type(spot: Spot) -> Expected | None:
    if spot.place != spot.type or "contained" not in spot.table.children(spot.type):
        return None
    contained = spot.value.setdefault("contained", [])
    contained.append({"id": "unheard"})
    return Expected("missing-resource-type", f"{spot.place}.contained[-].resourceType")


def _contained_of_unknown_type(spot: Spot) -> Expected | None:
    if spot.place != spot.type or "contained" not in spot.table.children(spot.type):
        return None
    spot.value.setdefault("contained", []).append({"resourceType": "Unheard", "id": "unheard"})
    return Expected("unknown-resource-type", f"{spot.place}.contained[-].resourceType")


def _extensible(spot: Spot) -> list[Member]:
    return [
        each
        for each in spot.primitives()
        if f"_{each.key}" not in spot.value
        and not (each.element.attribute or each.type == "xhtml" or each.element.name == "id")
    ]


def _refused(member: Member) -> str:
    """How a wrong value is told: by its form, or by the codes it may be one of."""
    binding = member.element.binding
    by_rule = "http://hl7.org/fhir/ValueSet/mimetypes|4.0.1"  # has no list of its codes
    if member.type != "code" or binding is None or binding.strength != "required":
        return "wrong-form"
    return "wrong-form" if binding.value_set == by_rule else "not-in-value-set"


def _put(spot: Spot, member: Member, value: Any) -> None:
    if member.element.many:
        spot.value[member.key][0] = value
    else:
        spot.value[member.key] = value


def _put_beside(spot: Spot, member: Member, value: Any) -> None:
    if member.element.many:
        length = len(spot.value[member.key])
        spot.value[f"_{member.key}"] = [value, *[None] * (length - 1)]
    else:
        spot.value[f"_{member.key}"] = value


def _first(member: Member) -> str:
    return f"{member.place}[0]" if member.element.many else member.place


WAYS: tuple[Way, ...] = (
    _unknown_member,
    _extensions_beside_an_object,
    _required_left_out,
    _no_array,
    _an_array,
    _empty_array,
    _empty_object,
    _null,
    _null_further_on,
    _text_for_an_object,
    _object_for_a_value,
    _wrong_value,
    _unknown_code,
    _further_type,
    _text_beside_a_value,
    _wrong_extension_beside_a_value,
    _arrays_of_unequal_length,
    _nothing_at_one_place,
    _only_an_id,
    _extension_of_nothing,
    _extension_of_both,
    _contained_of_no_type,
    _contained_of_unknown_type,
)
