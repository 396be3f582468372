"""The promises of `KeyValue`."""

import asyncio

import pytest

from fhir_server.kit.clock import SettableClock
from fhir_server.storage.base import KeyValue, StoreError
from tests.support.stores import opened

pytestmark = pytest.mark.anyio


async def test_what_was_never_set_is_none(key_value: KeyValue) -> None:
    assert await key_value.get("jobs", "a") is None
    assert list(await key_value.items("jobs")) == []


async def test_a_value_is_what_was_set(key_value: KeyValue) -> None:
    for value in (b"", b"\x00\xff", b"x" * 2**20):
        key = f"key of {len(value)} bytes"
        assert await key_value.compare_and_set("jobs", key, None, value)
        assert await key_value.get("jobs", key) == value


async def test_a_value_over_one_mebibyte_is_refused(key_value: KeyValue) -> None:
    with pytest.raises(StoreError):
        await key_value.compare_and_set("jobs", "a", None, b"x" * (2**20 + 1))
    assert await key_value.get("jobs", "a") is None


async def test_only_the_expected_value_is_replaced(key_value: KeyValue) -> None:
    assert not await key_value.compare_and_set("jobs", "a", b"0", b"1")
    assert await key_value.compare_and_set("jobs", "a", None, b"1")
    assert not await key_value.compare_and_set("jobs", "a", None, b"2")
    assert not await key_value.compare_and_set("jobs", "a", b"0", b"2")
    assert await key_value.get("jobs", "a") == b"1"
    assert await key_value.compare_and_set("jobs", "a", b"1", b"2")
    assert await key_value.get("jobs", "a") == b"2"


async def test_no_value_deletes(key_value: KeyValue) -> None:
    assert await key_value.compare_and_set("jobs", "a", None, b"1")
    assert not await key_value.compare_and_set("jobs", "a", b"2", None)
    assert await key_value.compare_and_set("jobs", "a", b"1", None)
    assert await key_value.get("jobs", "a") is None
    assert await key_value.compare_and_set("jobs", "a", None, None)
    assert await key_value.compare_and_set("jobs", "a", None, b"3")


async def test_an_expired_value_is_not_there(key_value: KeyValue, clock: SettableClock) -> None:
    assert await key_value.compare_and_set("lease", "a", None, b"1", expires=clock.now() + 10)
    clock.advance(9)
    assert await key_value.get("lease", "a") == b"1"
    assert [key for key, _ in await key_value.items("lease")] == ["a"]
    assert not await key_value.compare_and_set("lease", "a", None, b"2")
    clock.advance(1)
    assert await key_value.get("lease", "a") is None
    assert list(await key_value.items("lease")) == []
    assert not await key_value.compare_and_set("lease", "a", b"1", b"2")
    assert await key_value.compare_and_set("lease", "a", None, b"2")
    assert await key_value.get("lease", "a") == b"2"


async def test_setting_anew_sets_when_it_expires(key_value: KeyValue, clock: SettableClock) -> None:
    assert await key_value.compare_and_set("lease", "a", None, b"1", expires=clock.now() + 10)
    assert await key_value.compare_and_set("lease", "a", b"1", b"1")
    clock.advance(1000)
    assert await key_value.get("lease", "a") == b"1"


async def test_items_are_in_order_of_key_and_of_one_namespace(key_value: KeyValue) -> None:
    keys = ["b", "a", "\uffff", "\U0001f600", "é", "A", "aa", "a\0", "a\0b", "a\1", "\0"]
    for key in keys:
        assert await key_value.compare_and_set("one", key, None, key.encode())
        assert await key_value.compare_and_set("two", key, None, b"other")
    assert list(await key_value.items("one")) == [(key, key.encode()) for key in sorted(keys)]


async def test_a_key_with_a_nul_is_a_key_of_its_own(key_value: KeyValue) -> None:
    for namespace, key in (("one", "a\0b"), ("one", "a\0c"), ("one\0", "a"), ("one\0b", "a")):
        assert await key_value.get(namespace, key) is None
        assert await key_value.compare_and_set(
            namespace, key, None, repr((namespace, key)).encode()
        )
    assert await key_value.get("one", "a") is None
    assert await key_value.get("one", "a\0b") == b"('one', 'a\\x00b')"
    assert [key for key, _ in await key_value.items("one")] == ["a\0b", "a\0c"]
    assert [key for key, _ in await key_value.items("one\0")] == ["a"]
    assert await key_value.compare_and_set("one", "a\0b", b"('one', 'a\\x00b')", None)
    assert [key for key, _ in await key_value.items("one")] == ["a\0c"]


async def test_of_racing_callers_one_wins(key_value: KeyValue) -> None:
    async def attempt(number: int, expected: bytes | None) -> bool:
        return await key_value.compare_and_set("race", "a", expected, str(number).encode())

    for first in (100, 200):
        now = await key_value.get("race", "a")
        won = await asyncio.gather(*(attempt(first + each, now) for each in range(20)))
        assert sum(won) == 1
        assert await key_value.get("race", "a") == str(first + won.index(True)).encode()


async def test_of_two_open_stores_one_wins(address: str, clock: SettableClock) -> None:
    async with opened(address, clock=clock) as one, opened(address, clock=clock) as other:
        for number in range(10):
            attempts = (
                storage.key_value.compare_and_set("race", str(number), None, name)
                for storage, name in ((one, b"one"), (other, b"other"))
            )
            assert sorted(await asyncio.gather(*attempts)) == [False, True]
            value = await one.key_value.get("race", str(number))
            assert value in {b"one", b"other"}
            assert await other.key_value.get("race", str(number)) == value


async def test_values_outlive_the_program(address: str, clock: SettableClock) -> None:
    async with opened(address, clock=clock) as storage:
        assert await storage.key_value.compare_and_set("jobs", "a", None, b"1")
    async with opened(address, clock=clock) as storage:
        assert await storage.key_value.get("jobs", "a") == b"1"
