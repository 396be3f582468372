"""The meaning of plans, one by one; `test_store_plans` tries their combinations at random."""

from collections.abc import Callable
from itertools import product

import pytest
from msgspec.structs import replace

from fhir_server.storage.base import Store
from fhir_server.storage.query import (
    LONG,
    AllOf,
    AnyOf,
    By,
    Driver,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyHas,
    KeyIn,
    KeyIs,
    Not,
    Order,
    Plan,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import (
    EARLIEST,
    KEY_BYTES,
    LATEST,
    Key,
    Page,
    Position,
    Terms,
)
from tests.support.version_making import START, TYPE, created, deleted, found, key, keyed, updated

pytestmark = pytest.mark.anyio

EVERY_WAY = ("as driver", "as test")


def asked(driver: Driver, way: str) -> Plan:
    return Plan(TYPE, driver) if way == "as driver" else Plan(TYPE, None, (driver,))


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_a_resource_with_several_of_the_keys_is_found_once(store: Store, way: str) -> None:
    await store.commit([created("a", keyed(key(1), key(2))), created("b", keyed(key(2)))])
    cases: list[tuple[Key, ...]] = [
        (key(1), key(2)),
        (key(2), key(2)),
        (key(1), key(2), *map(key, range(50, 90))),
    ]
    for keys in cases:
        assert await found(store, asked(KeyIs(keys), way)) == ["a", "b"]
    assert await found(store, asked(KeyIs(()), way)) == []


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_text_is_ordered_by_code_point(store: Store, way: str) -> None:
    words = ["smith", "smithe", "smití", "sm\uffff", "sm\U0001f600", "sn", "Smith", "smit"]
    await store.commit([created(f"id-{at}", keyed(word)) for at, word in enumerate(words)])
    for low, high in (("smith", "smiti"), ("sm\uffff", "sn"), ("sm", "sm\uffff"), ("a", "b")):
        expected = [f"id-{at}" for at, word in enumerate(words) if low <= word < high]
        assert await found(store, asked(KeyIn(low, high), way)) == expected


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_bytes_are_ordered_by_value_and_apart_from_text(store: Store, way: str) -> None:
    keys: list[Key] = [b"a" * KEY_BYTES, b"a" * 15 + b"b", b"\xff" * KEY_BYTES, b"b" + bytes(15)]
    await store.commit([created(f"id-{at}", keyed(one)) for at, one in enumerate(keys)])
    await store.commit([created("text", keyed("a" * KEY_BYTES, "ab"))])
    low, high = b"a" + bytes(15), b"b" + bytes(15)
    assert await found(store, asked(KeyIn(low, high), way)) == ["id-0", "id-1"]
    assert await found(store, asked(KeyIn(low, low), way)) == []
    assert await found(store, asked(KeyIn("a", "b"), way)) == ["text"]
    assert await found(store, asked(KeyIs(("a" * KEY_BYTES,)), way)) == ["text"]
    assert await found(store, asked(KeyIs((b"a" * KEY_BYTES,)), way)) == ["id-0"]


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_ten_thousand_keys_may_be_asked_for(store: Store, way: str) -> None:
    await store.commit([created(f"id-{at}", keyed(key(at), f"t{at}")) for at in range(0, 30, 3)])
    keys: list[Key] = [*map(key, range(10_000)), *(f"t{at}" for at in range(100))]
    assert len(await found(store, asked(KeyIs(tuple(keys)), way))) == 10
    assert await found(store, asked(KeyIs(tuple(map(key, range(30, 10_030)))), way)) == []


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_ten_thousand_ids_may_be_asked_for(store: Store, way: str) -> None:
    await store.commit([created(f"id-{at}") for at in range(20)])
    ids = frozenset(f"id-{at}" for at in range(10, 10_010))
    assert len(await found(store, asked(IdIs(ids), way))) == 10
    assert await found(store, asked(IdIs(frozenset()), way)) == []


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_both_ends_of_a_window_of_dates_belong_to_it(store: Store, way: str) -> None:
    driver = key(7)
    dates = {"early": (1, 5), "late": (5, 9), "long": (1, 9), "none": (EARLIEST, EARLIEST)}
    await store.commit(
        [
            created(id_, Terms(drivers=(driver,), start=start, end=end))
            for id_, (start, end) in dates.items()
        ]
    )
    cases: dict[tuple[tuple[int, int], tuple[int, int]], list[str]] = {
        ((1, 1), (EARLIEST, LATEST)): ["early", "long"],
        ((EARLIEST, LATEST), (5, 9)): ["early", "late", "long"],
        ((5, LATEST), (EARLIEST, LATEST)): ["late"],
        ((EARLIEST, LATEST), (EARLIEST, 0)): ["none"],
        ((2, 4), (EARLIEST, LATEST)): [],
        ((EARLIEST, LATEST), (EARLIEST, LATEST)): ["early", "late", "long", "none"],
    }
    for (start, end), expected in cases.items():
        assert await found(store, asked(DriverIs((driver,), start, end), way)) == expected
        many = DriverIs((driver, *map(key, range(100, 180))), start, end)
        assert await found(store, asked(many, way)) == expected
    assert await found(store, asked(DriverIs((key(8),)), way)) == []


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_one_same_interval_must_fit_in_every_part(store: Store, way: str) -> None:
    low_one, high_one = (1, 10.0, 20.0), (1, 100.0, 200.0)
    await store.commit(
        [
            created("both", Terms(intervals=(low_one, high_one))),
            created("other key", Terms(intervals=((2, 10.0, 200.0),))),
            created("open", Terms(intervals=((1, EARLIEST, 5.5),))),
        ]
    )
    cases = {
        IntervalIs((1, 1), (10, 10), (20, 20)): ["both"],
        IntervalIs((1, 1), (10, 10), (200, 200)): [],
        IntervalIs((1, 2), (10, 10), (200, 200)): ["other key"],
        IntervalIs((1, 1), high=(EARLIEST, 5.5)): ["open"],
        IntervalIs((1, 1), low=(EARLIEST, EARLIEST)): ["open"],
        IntervalIs((1, 1)): ["both", "open"],
        IntervalIs((-5, 0)): [],
    }
    for test, expected in cases.items():
        assert await found(store, asked(test, way)) == expected


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_updated_lies_from_low_to_just_below_high(store: Store, way: str) -> None:
    await store.commit([created(f"id-{at}", at=START + at) for at in range(5)])
    assert await found(store, asked(UpdatedIn(START + 1, START + 3), way)) == ["id-1", "id-2"]
    assert await found(store, asked(UpdatedIn(high=START + 1), way)) == ["id-0"]
    assert await found(store, asked(UpdatedIn(START + 4), way)) == ["id-4"]


async def test_a_driver_means_the_same_as_a_test(store: Store) -> None:
    await store.commit([created("a", keyed(key(1), key(2))), created("b", keyed(key(1)))])
    assert await found(store, Plan(TYPE, KeyIs((key(1),)), (KeyIs((key(2),)),))) == ["a"]
    assert await found(store, Plan(TYPE, KeyIs((key(2),)), (KeyIs((key(1),)),))) == ["a"]


async def test_nothing_and_everything_are_tests(store: Store) -> None:
    await store.commit([created("a", keyed(key(1)))])
    for driver in (None, KeyIs((key(1),))):
        for test, ids in (
            (AllOf(()), ["a"]),
            (AnyOf(()), []),
            (Not(AllOf(())), []),
            (Not(AnyOf(())), ["a"]),
            (Not(KeyIs(())), ["a"]),
        ):
            assert await found(store, Plan(TYPE, driver, (test,))) == ids


async def test_a_test_may_have_a_thousand_parts(store: Store) -> None:
    await store.commit([created(f"id-{at}", keyed(key(at))) for at in range(5)])
    many = tuple(KeyIs((key(at),)) for at in range(1000))
    assert len(await found(store, Plan(TYPE, None, (AnyOf(many),)))) == 5
    none = tuple(Not(KeyIs((key(at),))) for at in range(1, 1000))
    assert await found(store, Plan(TYPE, None, (AllOf(none),))) == ["id-0"]


ALTERNATIVES: dict[str, Callable[[int], Driver]] = {
    "keys": lambda at: KeyIs((key(at), f"t{at}")),
    "texts": lambda at: KeyIs((f"t{at}",)),
    "ids": lambda at: IdIs(frozenset({f"id-{at}"})),
    "intervals": lambda at: IntervalIs((at, at), (10, 11), (12, 20)),
    "intervals of several keys": lambda at: IntervalIs((at, at + 1), (11, 30)),
    "ranges of bytes": lambda at: KeyIn(key(at), key(at + 1)),
    "ranges of texts": lambda at: KeyIn(f"t{at}", f"t{at}~"),
    "parts of texts": lambda at: KeyHas("t", str(at)),
    "moments": lambda at: UpdatedIn(START + at, START + at + 1),
}


@pytest.mark.parametrize("what", ALTERNATIVES)
async def test_alternatives_find_what_each_finds_however_many_they_are(
    store: Store, what: str
) -> None:
    changes = [
        created(
            f"id-{at}",
            Terms(
                keys=(key(at), key(at + 500), f"t{at}"),
                intervals=((at, 10 + at % 2, 12), (at + 1, 0, 100)),
            ),
            at=START + at,
        )
        for at in range(1, 30, 3)
    ]
    await store.commit(changes)
    ids = [change.version.id for change in changes]
    tests = [ALTERNATIVES[what](at) for at in range(300)]
    each = [set(await store.find_ids(Plan(TYPE, test))) for test in tests[:31]]
    for size in (2, 8, 9, 70, 300):
        some = set().union(*each[:size])
        others = [id_ for id_ in ids if id_ not in some]
        assert some
        for drive in (None, KeyIs(tuple(map(key, range(40))))):
            any_ = AnyOf(tuple(tests[:size]))
            nots: tuple[Test, ...] = (*map(Not, tests[:size]), AllOf((Not(tests[0]),)))
            assert set(await found(store, Plan(TYPE, drive, (any_,)))) == some
            assert await found(store, Plan(TYPE, drive, (Not(any_),))) == others
            assert await found(store, Plan(TYPE, drive, nots)) == others


STRANGE = (
    *("t:ab", "t:ab\0", "t:ab\0cd", "t:ab\1", "t:ab\1\2", "t:ab\2", "t:ab\3\1"),
    *("t:ab\x04", "t:ab\t", "t:ab ", "t:ab\0\2"),
)
"""Characters that some store may take for an end or write otherwise."""


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_text_with_control_characters_is_text_like_any_other(store: Store, way: str) -> None:
    await store.commit([created(f"id-{at}", keyed(text)) for at, text in enumerate(STRANGE)])

    def where(holds: Callable[[str], bool]) -> list[str]:
        return [f"id-{at}" for at, text in enumerate(STRANGE) if holds(text)]

    padding = tuple(f"x{at}" for at in range(70))
    for text in STRANGE:
        assert await found(store, asked(KeyIs((text,)), way)) == where(text.__eq__)
        assert await found(store, asked(KeyIs((text, *padding)), way)) == where(text.__eq__)
        above = KeyIn(text, "t:ac")
        assert await found(store, asked(above, way)) == where(lambda each: each >= text)  # noqa: B023  called at once
        several = (above, *(KeyIn(other, f"{other}a") for other in padding))
        for alternatives in (several[:2], several):
            plan = Plan(TYPE, None, (AnyOf(alternatives),))
            assert await found(store, plan) == where(lambda each: each >= text)  # noqa: B023  called at once
        part = text[3:]
        assert await found(store, asked(KeyHas("t:", part), way)) == where(
            lambda each: part in each[2:]  # noqa: B023  called at once
        )


async def test_no_id_is_taken_for_another_that_is_its_beginning(store: Store) -> None:
    await store.commit([created("a")])
    for ids in ({"a\0b"}, {"a\0b", *(f"x{at}" for at in range(100))}):
        for way in EVERY_WAY:
            assert await found(store, asked(IdIs(frozenset(ids)), way)) == []
    many = ["a\0b", *(f"x{at}" for at in range(100))]
    assert await store.get_many(TYPE, many) == {}


async def test_long_copies_of_a_driver_change_no_answer(store: Store) -> None:
    """Each driver has dates of every length around every border, and copies for the long ones."""
    driver, copy, other = key(1), key(2), key(3)
    lengths = (0, LONG - 1, LONG, 5 * LONG)
    changes = [
        created(
            f"id-{start}-{length}",
            Terms(
                drivers=(driver, copy) if length >= LONG else (driver,),
                start=start * LONG,
                end=start * LONG + length,
            ),
        )
        for start in range(-1, 4)
        for length in lengths
    ]
    await store.commit(changes)
    windows = [
        ((low, LATEST), (end, LATEST if low else 4 * LONG))
        for low in (EARLIEST + 1, 0)
        for end in (EARLIEST + 1, LONG - 1, LONG, 3 * LONG + 1)
    ]
    for drivers, copies in (((driver,), (copy,)), ((driver, other), (copy, key(4)))):
        for (start, end), order in product(windows, map(Order, By)):
            plain = Plan(TYPE, DriverIs(drivers, start, end), order=order, limit=20)
            plan = replace(plain, drive=DriverIs(drivers, start, end, copies))
            assert await found(store, plan) == await found(store, plain)
            assert await store.count(plan) == await store.count(plain)
            assert await store.count(plan, 5) == await store.count(plain, 5)


@pytest.mark.parametrize("by", list(By))
@pytest.mark.parametrize("descending", [False, True])
async def test_equal_values_are_ordered_by_ordinal_the_same_way(
    store: Store, by: By, *, descending: bool
) -> None:
    terms = Terms(keys=(key(1),), drivers=(key(2),), start=5, end=5)
    ids = [f"id-{at}" for at in range(7)]
    await store.commit([created(id_, terms) for id_ in ids])
    expected = ids[::-1] if descending else ids
    for driver in (None, KeyIs((key(1),)), DriverIs((key(2),)), DriverIs((key(2), key(3)))):
        plan = Plan(TYPE, driver, order=Order(by, descending), limit=2)
        assert await found(store, plan) == expected


async def test_the_last_page_has_no_next(store: Store) -> None:
    changes = [created(f"id-{at}") for at in range(4)]
    await store.commit(changes)
    ordinals = [change.version.ordinal for change in changes]
    assert (await store.find(Plan(TYPE, limit=4))).next is None
    assert (await store.find(Plan(TYPE, limit=3))).next == Position(ordinals[2], ordinals[2])
    assert (await store.find(Plan("Beta", limit=3))).versions == []


async def test_a_limit_of_nothing_is_an_empty_answer(store: Store) -> None:
    await store.commit([created("a", keyed(key(1))), created("b", keyed(key(1)))])
    for driver in (None, KeyIs((key(1),)), IdIs(frozenset({"a"}))):
        plan = Plan(TYPE, driver, limit=0)
        assert await store.find(plan) == Page([], None)
        assert await store.find_ids(plan) == []
    assert await store.scan(TYPE, limit=0) == []
    assert await store.history(limit=0) == []
    assert await store.history(TYPE, "a", limit=0) == []


async def test_pages_stay_what_they_are_while_others_write(store: Store) -> None:
    changes = [created(f"id-{at}", keyed(key(1))) for at in range(10)]
    await store.commit(changes)
    plan = Plan(TYPE, KeyIs((key(1),)), limit=4)
    page = await store.find(plan)
    seen = [version.id for version in page.versions]
    await store.commit([updated(changes[0], keyed(key(1))), deleted(changes[5])])
    await store.commit([created("later", keyed(key(1)))])
    while page.next:
        page = await store.find(replace(plan, after=page.next))
        seen += [version.id for version in page.versions]
    assert seen == [f"id-{at}" for at in range(10) if at != 5] + ["later"]


async def test_counting_goes_no_further_than_its_cap(store: Store) -> None:
    await store.commit([created(f"id-{at}", keyed(key(1), key(2))) for at in range(10)])
    for driver in (None, KeyIs((key(1),)), KeyIs((key(1), key(2))), KeyIn(key(0), key(9))):
        plan = Plan(TYPE, driver, limit=1, after=Position(10**15, 10**15))
        assert await store.count(plan) == (10, True)
        assert await store.count(plan, 11) == (10, True)
        assert await store.count(plan, 10) == (10, True)
        assert await store.count(plan, 9) == (9, False)
        assert await store.count(plan, 0) == (0, False)
    assert await store.count(Plan(TYPE, KeyIs((key(5),))), 0) == (0, True)
    assert await store.count(Plan("Beta")) == (0, True)


@pytest.mark.parametrize("descending", [False, True])
async def test_a_page_tells_where_it_begins_so_that_one_can_go_back(
    store: Store, *, descending: bool
) -> None:
    ids = ["b", "a", "C", "a-1", "a.1", "Z", "9"]
    await store.commit([created(id_, keyed(key(1))) for id_ in ids])
    for driver in (None, KeyIs((key(1),)), IdIs(frozenset(ids))):
        plan = Plan(TYPE, driver, order=Order(By.ID, descending), limit=3)
        first = await store.find(plan)
        second = await store.find(replace(plan, after=first.next))
        back = replace(plan, order=Order(By.ID, not descending), after=second.first)
        assert [*first.versions, *second.versions] == sorted(
            [*first.versions, *second.versions], key=lambda each: each.id, reverse=descending
        )
        assert first.first is not None
        assert first.first.value == first.versions[0].id
        assert [*(await store.find(back)).versions] == [*first.versions][::-1]
