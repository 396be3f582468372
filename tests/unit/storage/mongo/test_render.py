"""Plans as filters: the driver on top, ranges inside $elemMatch, no open end left open."""

from collections.abc import Iterator
from typing import Any

import pytest
from bson.int64 import Int64

from fhir_server.storage.mongo.documents import LARGEST_NUMBER
from fhir_server.storage.mongo.render import filter_of, hint_of, position_of, sort_of
from fhir_server.storage.query import (
    LONG,
    AllOf,
    AnyOf,
    By,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyIn,
    KeyIs,
    Not,
    Order,
    Plan,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import EARLIEST, LATEST, Position

A, B = b"a" * 16, b"b" * 16

FILTERS: list[tuple[Test, dict[str, Any]]] = [
    (KeyIs((A,)), {"k": A}),
    (KeyIs((A, "b")), {"k": {"$in": [A, "b"]}}),
    (KeyIs(()), {"_id": {"$in": []}}),
    (KeyIn("a", "b"), {"k": {"$elemMatch": {"$gte": "a", "$lt": "b"}}}),
    (DriverIs((A,)), {"c": A}),
    (DriverIs((A,), start=(1, 9)), {"c": A, "d": {"$gte": 1, "$lte": 9}}),
    (DriverIs((A,), end=(5, 5)), {"c": A, "e": 5}),
    (
        IntervalIs((7, 7), low=(EARLIEST, 2.5)),
        {
            "r": {
                "$elemMatch": {
                    "p": 7,
                    "a": {"$gte": -(2.0**62), "$lte": 2.5},
                    "z": {"$gte": -(2.0**62), "$lte": 2.0**62},
                }
            }
        },
    ),
    (IdIs(frozenset({"y", "x"})), {"_id": {"$in": ["x", "y"]}}),
    (UpdatedIn(1, 2), {"u": {"$gte": 1, "$lt": 2}}),
    (Not(KeyIs((A,))), {"$nor": [{"k": A}]}),
    (AnyOf((KeyIs((A,)), KeyIs((B,)))), {"$or": [{"k": A}, {"k": B}]}),
    (AnyOf(()), {"_id": {"$in": []}}),
    (AllOf((KeyIs((A,)), KeyIs((B,)))), {"$and": [{"k": A}, {"k": B}]}),
    (AllOf(()), {}),
]


@pytest.mark.parametrize(("test", "expected"), FILTERS, ids=repr)
def test_each_test_is_a_filter_under_and(test: Test, expected: dict[str, Any]) -> None:
    assert filter_of(Plan("T", KeyIs((A,)), (test,))) == {"k": A, "$and": [expected]}


def test_a_plan_without_a_driver_begins_with_everything() -> None:
    assert filter_of(Plan("T")) == {"k": 0}
    assert hint_of(None) == "k"


@pytest.mark.parametrize("drive", [IdIs(frozenset({"x"})), UpdatedIn(1, 2)])
def test_what_deletions_are_found_by_as_well_asks_for_live_versions(
    drive: IdIs | UpdatedIn,
) -> None:
    assert filter_of(Plan("T", drive))["$and"] == [{"d": {"$exists": True}}]


@pytest.mark.parametrize(
    ("drive", "hint"),
    [
        (KeyIs((A,)), "k"),
        (KeyIn("a", "b"), "k"),
        (DriverIs((A,)), "c"),
        (IntervalIs((1, 1)), "r"),
        (UpdatedIn(), "u"),
        (IdIs(frozenset()), "_id_"),
    ],
    ids=repr,
)
def test_each_driver_begins_in_its_index(drive: Any, hint: str) -> None:
    assert hint_of(drive) == hint


def test_a_window_on_the_end_bounds_where_short_dates_begin_and_seeks_long_ones_apart() -> None:
    drive = DriverIs((A,), start=(EARLIEST, LATEST), end=(LONG * 10, LATEST), long=(B,))
    ends = {"$gte": LONG * 10, "$lte": LATEST}
    assert filter_of(Plan("T", drive)) == {
        "$or": [
            {"c": A, "d": {"$gte": LONG * 9 + 1, "$lte": LATEST}, "e": ends},
            {"c": B, "d": {"$gte": EARLIEST, "$lte": LONG * 9}, "e": ends},
        ]
    }


def test_a_page_goes_on_behind_the_value_and_then_the_ordinal() -> None:
    plan = Plan("T", KeyIs((A,)), (), Order(By.START, descending=True), Position(5, 7))
    assert sort_of(plan.order) == [("d", -1), ("n", -1)]
    (behind,) = filter_of(plan)["$and"]
    assert behind == {
        "$and": [
            {"d": {"$lte": 5}},
            {"$or": [{"d": {"$lt": 5}}, {"d": 5, "n": {"$lt": 7}}]},
        ]
    }
    assert "$and" not in filter_of(plan, paged=False)
    by_ordinal = Plan("T", KeyIs((A,)), (), Order(), Position(7, 7))
    assert filter_of(by_ordinal)["$and"] == [{"n": {"$gt": 7}}]


def test_a_position_is_the_orders_value_and_the_ordinal() -> None:
    document = {"_id": "a", "n": Int64(1), "d": Int64(2), "u": Int64(3)}
    values: dict[By, int | str] = {By.ORDINAL: 1, By.START: 2, By.UPDATED: 3, By.ID: "a"}
    for by, value in values.items():
        assert position_of(Order(by), document) == Position(value, 1)


def test_no_number_in_a_filter_is_infinite() -> None:
    endless = IntervalIs((0, 0), (float("-inf"), float("inf")), (float("-inf"), float("inf")))
    numbers = set(_numbers(filter_of(Plan("T", endless))))
    assert numbers == {0, -LARGEST_NUMBER, LARGEST_NUMBER}


def test_whole_numbers_are_of_64_bits() -> None:
    found = filter_of(Plan("T", DriverIs((A,), start=(1, 2)), (UpdatedIn(3, 4),)))
    assert all(isinstance(number, Int64) for number in _numbers(found))


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner)
    elif isinstance(value, int | float):
        yield value
