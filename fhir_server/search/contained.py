"""Contained resources: found within the resource that contains them.

https://hl7.org/fhir/R4/search.html#contained

A contained resource is indexed as if it stood alone, but among the terms of its container, where
its keys and intervals are moved aside: the contained resources of one type are numbered, and a
number, a slot, has terms of its own. So what is asked must hold of one and the same of them:

    Medication?code=a&status=b   →  any slot: code=a there, status=b there, a Medication is there
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec.structs import replace

from fhir_server.search import keys
from fhir_server.search.criterion import Criterion, Rank
from fhir_server.search.entries import Entries, Indexed
from fhir_server.search.gathering import Gathered, Visit
from fhir_server.storage.query import (
    AllOf,
    AnyOf,
    IdIs,
    IntervalIs,
    KeyHas,
    KeyIn,
    KeyIs,
    Not,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import Key

MOST_SLOTS: Final = 64
"""Contained resources of one type in one container that a search looks through."""

_THERE: Final = "_contained"


def add_contained(contained: Any, types: frozenset[str], add: Visit, to: Gathered) -> None:
    """The entries of contained resources, as `add` makes them of each and its slot's number."""
    slots: dict[str, int] = {}
    for each in contained if type(contained) is list else ():
        type_ = each.get("resourceType") if type(each) is dict else None
        if type(type_) is not str or type_ not in types:
            continue
        slot = slots.get(type_, 0)
        slots[type_] = slot + 1
        add((slot, each), to)


def adder(of: Callable[[dict[str, Any]], Entries]) -> Visit:
    """What adds the entries that `of` makes of a contained resource, moved to its slot."""

    def add(item: tuple[int, dict[str, Any]], to: Gathered) -> None:
        slot, resource = item
        own = of(resource)
        to.keys.append(there(resource["resourceType"], slot))
        to.keys += [_key(key, slot) for key in own.keys]
        to.intervals += [(_interval_key(key, slot), low, high) for key, low, high in own.intervals]

    return add


def in_slot(contained: Any, type_: str, slot: int) -> dict[str, Any] | None:
    """The contained resource of a type that has a slot."""
    of_type = [
        each
        for each in (contained if type(contained) is list else ())
        if type(each) is dict and each.get("resourceType") == type_
    ]
    return of_type[slot] if slot < len(of_type) else None


@lru_cache(maxsize=4096)
def there(type_: str, slot: int) -> bytes:
    """The key of what contains a resource of the type in the slot, and so in those before it."""
    mark = keys.indexed("Resource", _THERE).prefix
    return keys.key(mark, keys.group(type_), slot.to_bytes(keys.VALUE_BYTES))


def criteria_in_slot(
    type_: str, criteria: tuple[Criterion, ...], slot: int
) -> tuple[Criterion, ...]:
    """What must hold of a container so that the criteria hold of what the slot contains."""
    moved = [
        Criterion(each.code, test_in_slot(type_, each.test, slot), each.rank) for each in criteria
    ]
    return (*moved, Criterion(_THERE, KeyIs((there(type_, slot),)), Rank.ANYWHERE))


def test_in_slot(type_: str, test: Test, slot: int) -> Test:
    """A test of resources of the type as one of what contains them in the slot.

    When a contained resource was updated is when its container was.
    """
    move = _MOVED.get(type(test))
    match test:
        case AllOf(tests):
            return AllOf(tuple(test_in_slot(type_, each, slot) for each in tests))
        case AnyOf(tests):
            return AnyOf(tuple(test_in_slot(type_, each, slot) for each in tests))
        case Not(inner):
            return Not(test_in_slot(type_, inner, slot))
        case IdIs(ids):
            mark = keys.itself(type_).prefix + keys.group(type_)
            return KeyIs(tuple(_key(mark + keys.value(id_), slot) for id_ in sorted(ids)))
        case UpdatedIn():
            return test
    assert move is not None, f"{test} is about no contained resource"  # noqa: S101 -- criteria are made of no other tests
    return move(test, slot)


def _key_is(test: KeyIs, slot: int) -> Test:
    return KeyIs(tuple(_key(key, slot) for key in test.keys))


def _key_in(test: KeyIn, slot: int) -> Test:
    """A range of one parameter, which may end where those of the next one would begin."""
    low, high = _key(test.low, slot), test.high
    if isinstance(low, bytes) and isinstance(high, bytes):
        if high[: keys.PREFIX_BYTES] == test.low[: keys.PREFIX_BYTES]:
            return KeyIn(low, _key(high, slot))
        following = int.from_bytes(low[: keys.PREFIX_BYTES]) + 1
        return KeyIn(low, following.to_bytes(keys.PREFIX_BYTES) + high[keys.PREFIX_BYTES :])
    return KeyIn(low, _key(high, slot))


def _key_has(test: KeyHas, slot: int) -> Test:
    return KeyHas(str(_key(test.beginning, slot)), test.part)


def _interval_is(test: IntervalIs, slot: int) -> Test:
    first, last = test.key
    return replace(test, key=(_interval_key(first, slot), _interval_key(last, slot)))


_MOVED: Final[Mapping[type, Callable[[Any, int], Test]]] = {
    KeyIs: _key_is,
    KeyIn: _key_in,
    KeyHas: _key_has,
    IntervalIs: _interval_is,
}


def _key(key: Key, slot: int) -> Key:
    if isinstance(key, bytes):
        return _of_prefix(key[: keys.PREFIX_BYTES], slot).prefix + key[keys.PREFIX_BYTES :]
    return _of_text(key[: keys.TEXT_BYTES], slot).text + key[keys.TEXT_BYTES :]


def _interval_key(key: int, slot: int) -> int:
    prefix = (key >> 32).to_bytes(keys.PREFIX_BYTES)
    return _of_prefix(prefix, slot).number << 32 | key & 0xFFFF_FFFF


@lru_cache(maxsize=16_384)
def _of_prefix(prefix: bytes, slot: int) -> Indexed:
    """What marks the entries of a parameter in a slot."""
    return keys.indexed(f"{prefix.hex()} contained", str(slot))


@lru_cache(maxsize=16_384)
def _of_text(text: str, slot: int) -> Indexed:
    return _of_prefix(keys.prefix_of(text), slot)
