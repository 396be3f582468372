"""What a real MongoDB does with our plans: the named index, no blocking sort, few keys examined.

Only a server that tells its winning plan can be asked; the wire server has none.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo.errors import OperationFailure

from fhir_server.storage.mongo import MongoStore
from fhir_server.storage.mongo.render import filter_of, hint_of, sort_of
from fhir_server.storage.query import (
    LONG,
    By,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyIn,
    KeyIs,
    Order,
    Plan,
    UpdatedIn,
)
from fhir_server.storage.versions import LATEST, Change, Terms, Version
from tests.support.mongo import new_address

pytestmark = pytest.mark.anyio

RARE, COMMON, LONG_COMMON = b"r" * 16, b"c" * 16, b"l" * 16
DOCUMENTS = 400
SORTED: list[tuple[Plan, str]] = [
    (Plan("Alpha"), "k"),
    (Plan("Alpha", KeyIs((RARE,))), "k"),
    (Plan("Alpha", KeyIs((RARE, COMMON))), "k"),
    (Plan("Alpha", DriverIs((COMMON,), (100, 200)), (), Order(By.START, descending=True)), "c"),
    (Plan("Alpha", DriverIs((RARE, COMMON)), (), Order(By.START)), "c"),
    (
        Plan(
            "Alpha",
            DriverIs((COMMON,), end=(2 * LONG, LATEST), long=(LONG_COMMON,)),
            (),
            Order(By.START),
        ),
        "c",
    ),
    (Plan("Alpha", UpdatedIn(100), (), Order(By.UPDATED, descending=True)), "u"),
]
FOUND: list[tuple[Plan, str]] = [
    (Plan("Alpha", KeyIn("w", "x")), "k"),
    (Plan("Alpha", IntervalIs((7, 7), (10, 20), (10, 20))), "r"),
    (Plan("Alpha", IdIs(frozenset({"1", "2"}))), "_id_"),
]


def change(number: int) -> Change:
    terms = Terms(
        keys=[COMMON if number % 50 else RARE, f"w{number}"],
        drivers=[COMMON if number % 50 else RARE],
        intervals=[(7, number, number)],
        start=number,
        end=number,
    )
    return Change(Version("Alpha", f"{number}", 1, number, number, "PUT", b"{}"), terms)


@pytest.fixture(scope="module")
async def store(anyio_backend: str) -> AsyncIterator[MongoStore]:
    address = new_address()
    store = MongoStore(address, urlsplit(address).path.strip("/"))
    await store.open()
    try:
        await explained(store, Plan("Alpha"))
        await store.commit([change(number) for number in range(1, DOCUMENTS)])
        yield store
    finally:
        await store.close()


async def explained(store: MongoStore, plan: Plan) -> dict[str, Any]:
    query = {
        "find": plan.type,
        "filter": filter_of(plan),
        "sort": dict(sort_of(plan.order)),
        "limit": plan.limit + 1,
        "hint": hint_of(plan.drive),
    }
    database = store.collections.meta.database
    try:
        told = await database.command("explain", query, verbosity="executionStats")
    except OperationFailure:
        told = {}
    if "winningPlan" not in told.get("queryPlanner", {}):
        pytest.skip("this server does not tell its plans: set FHIR_SERVER_TEST_MONGODB_URL")
    return told


@pytest.mark.parametrize(("plan", "index"), SORTED, ids=repr)
async def test_an_ordered_plan_is_a_scan_of_its_index_without_a_sort(
    store: MongoStore, plan: Plan, index: str
) -> None:
    told = await explained(store, plan)
    stages = list(_stages(told["queryPlanner"]["winningPlan"]))
    assert {stage["indexName"] for stage in stages if "indexName" in stage} == {index}
    assert "SORT" not in {stage["stage"] for stage in stages}
    figures = told["executionStats"]
    assert figures["totalKeysExamined"] <= 1.1 * figures["nReturned"] + 10


@pytest.mark.parametrize(("plan", "index"), FOUND, ids=repr)
async def test_a_selective_plan_examines_what_it_returns(
    store: MongoStore, plan: Plan, index: str
) -> None:
    told = await explained(store, plan)
    stages = list(_stages(told["queryPlanner"]["winningPlan"]))
    assert {stage["indexName"] for stage in stages if "indexName" in stage} <= {index}
    assert "COLLSCAN" not in {stage["stage"] for stage in stages}


def _stages(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    inner = [plan.get("inputStage"), plan.get("queryPlan"), *plan.get("inputStages", ())]
    for one in inner:
        if one is not None:
            yield from _stages(one)
