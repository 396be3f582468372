"""Planning: whatever index a search begins at, its answer is the same; and it begins well."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.search.catalog import Catalog
from fhir_server.search.criterion import NOTHING, Rank, any_of, around
from fhir_server.search.drivers import long
from fhir_server.search.indexing import Indexer
from fhir_server.search.planning import candidates
from fhir_server.search.schemes import PATIENT, Scheme, scheme_of
from fhir_server.search.searching import Searching
from fhir_server.storage.query import (
    LONG,
    AllOf,
    AnyOf,
    By,
    Driver,
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
from fhir_server.storage.versions import EARLIEST, LATEST, Page, Version
from tests.support.oracle import Row, holds
from tests.support.searching import plain_criteria

BASE = "https://here.example/fhir"
LOINC, SNOMED, OWN = "http://loinc.org", "http://snomed.info/sct", "http://example.org/c"
DAY = 86_400_000
JANUARY_2020 = 1_577_836_800_000

Pairs = Sequence[tuple[str, str]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog(load_definitions())


@pytest.fixture(scope="module")
def searching(catalog: Catalog) -> Searching:
    return Searching(catalog.definitions, BASE, b"0" * 16, catalog=catalog)


def scheme(catalog: Catalog, type_: str) -> Scheme:
    return scheme_of(catalog.of(type_), catalog.definitions.compartment(PATIENT))


def observation(number: int, **members: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": f"o{number}", **members}


def coded(*codings: tuple[str | None, str]) -> dict[str, Any]:
    return {"coding": [{"system": s, "code": c} if s else {"code": c} for s, c in codings]}


def period(start: str | None, end: str | None) -> dict[str, str]:
    return {k: v for k, v in (("start", start), ("end", end)) if v is not None}


ONE, TWO = {"reference": "Patient/1"}, {"reference": f"{BASE}/Patient/2"}
SUBJECTS: list[dict[str, Any]] = [
    {},
    {"subject": ONE},
    {"subject": TWO},
    {"subject": {"reference": "Group/1"}},
    {"subject": {"reference": "https://elsewhere.example/Patient/1"}},
    {"subject": TWO, "performer": [ONE, {"reference": "Practitioner/1"}]},
]
CODES: list[dict[str, Any]] = [
    {},
    {"code": coded((LOINC, "a"))},
    {"code": coded((LOINC, "a"), (SNOMED, "b")), "category": [coded((None, "lab"))]},
    {"code": coded((None, "a"))},
    {"code": {"text": "a"}, "category": [coded((OWN, "lab")), coded((LOINC, "a"))]},
]  # fmt: skip
DATES: list[dict[str, Any]] = [
    {},
    {"effectiveDateTime": "2020"},
    {"effectiveDateTime": "2020-01-01T10:00:00Z"},
    {"effectiveInstant": "2019-12-31T23:59:59.999Z"},
    {"effectivePeriod": period("2019-06-01", "2020-06-01")},
    {"effectivePeriod": period(None, "2020-01-15")},
    {"effectivePeriod": period("2020-01-15", None)},
    {"effectivePeriod": period("2020-01-01T00:00:00Z", "2020-01-01T23:59:59.999Z")},
    {"effectivePeriod": period("2020-01-01T00:00:00Z", "2020-01-02T00:00:00.000Z")},
]
OBSERVATIONS = [
    observation(number, **subject, **code, **date)
    for number, (subject, code, date) in enumerate(
        (subject, code, date) for subject in SUBJECTS for code in CODES for date in DATES
    )
]

SEARCHES: list[Pairs] = [
    [("patient", "1")],
    [("patient", "1,Patient/2")],
    [("patient", "Group/1")],
    [("patient", "Group/1,Patient/1")],
    [("subject", "Patient/1")],
    [("subject", "1")],
    [("performer", "Patient/1")],
    [("code", f"{LOINC}|a")],
    [("code", "a")],
    [("code", "|a")],
    [("code", f"{LOINC}|a,b")],
    [("code", f"{LOINC}|")],
    [("patient", "1"), ("code", f"{LOINC}|a")],
    [("patient", "1,2"), ("code", f"{LOINC}|a,{SNOMED}|b")],
    [("patient", "1"), ("code", "a")],
    [("patient", "1"), ("category", "|lab")],
    [("patient", "1"), ("category", f"{OWN}|lab"), ("code", f"{LOINC}|a")],
    [("patient", "2"), ("performer", "Patient/1"), ("code", f"{LOINC}|a")],
    [("patient", "1"), ("patient", "2")],
    [("_id", "o1,o2,o41,x"), ("patient", "1")],
    [("_lastUpdated", "ge1970"), ("patient", "1")],
    [("_lastUpdated", "gt2024"), ("patient", "1")],
    [("code:missing", "true"), ("date", "2020")],
    [("code:missing", "false"), ("patient", "1")],
    *(
        [*others, ("date", prefix + value)]
        for others in ([], [("patient", "1")], [("code", f"{LOINC}|a")],
                       [("patient", "2"), ("code", f"{LOINC}|a")])
        for prefix in ("", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
        for value in ("2020", "2020-01-01", "2020-01-02", "2020-01-15T00:00:00Z")
    ),
    [("date", "ge2020-01-01"), ("date", "lt2020-01-02"), ("patient", "1")],
    [("date", "2020-01-01,2020-01-15"), ("patient", "1"), ("code", f"{LOINC}|a")],
]  # fmt: skip


def test_every_way_to_begin_gives_the_same_answer(catalog: Catalog, searching: Searching) -> None:
    indexer = Indexer(catalog.definitions, BASE, catalog=catalog)
    rows = [
        Row(Version("Observation", each["id"], 1, 1, 1, "PUT", b""), indexer.terms(each))
        for each in OBSERVATIONS
    ]
    ways, found = 0, 0
    for pairs in SEARCHES:
        criteria = plain_criteria(searching, "Observation", pairs)
        expected = [all(holds(each.test, row) for each in criteria) for row in rows]
        for order in (Order(), Order(By.START), Order(By.UPDATED)):
            for way in candidates(scheme(catalog, "Observation"), criteria, order):
                tests = [*way.rest, *([way.driver] if way.driver else [])]
                assert [all(holds(t, row) for t in tests) for row in rows] == expected, (pairs, way)
                ways += 1
        found += sum(expected)
    assert ways > 500
    assert found > 1000


def test_long_copies_name_all_that_begin_long_before_the_window(
    catalog: Catalog, searching: Searching
) -> None:
    """What the hint in DriverIs promises to a store."""
    indexer = Indexer(catalog.definitions, BASE, catalog=catalog)
    rows = [
        Row(Version("Observation", each["id"], 1, 1, 1, "PUT", b""), indexer.terms(each))
        for each in OBSERVATIONS
    ]
    hinted = 0
    for pairs in SEARCHES:
        criteria = plain_criteria(searching, "Observation", pairs)
        for way in candidates(scheme(catalog, "Observation"), criteria, Order(By.START)):
            driver = way.driver
            if not isinstance(driver, DriverIs) or not driver.long:
                continue
            assert driver.long == tuple(map(long, driver.drivers))
            edge = driver.end[0] - LONG
            near = DriverIs(
                driver.drivers, (max(edge + 1, driver.start[0]), driver.start[1]), driver.end
            )
            far = DriverIs(driver.long, (driver.start[0], min(edge, driver.start[1])), driver.end)
            for row in rows:
                assert holds(driver, row) == (holds(near, row) or holds(far, row))
                hinted += holds(far, row)
    assert hinted > 100


SHAPES: list[tuple[str, Pairs, type | None, Rank]] = [
    ("Patient", [("_id", "1"), ("name", "x")], IdIs, Rank.ID),
    ("Patient", [("identifier", "s|v"), ("gender", "male")], KeyIs, Rank.IDENTIFIER),
    ("Patient", [("gender", "male"), ("name", "x")], KeyIn, Rank.STRING),
    ("Patient", [("gender", "male"), ("birthdate", "ge2000")], DriverIs, Rank.DATE_ALONE),
    ("Patient", [("gender", "male"), ("death-date", "ge2000")], IntervalIs, Rank.INTERVAL),
    ("Observation", [("patient", "1"), ("code", f"{LOINC}|a")], DriverIs, Rank.PAIR),
    ("Observation", [("patient", "1"), ("category", "s|lab")], DriverIs, Rank.PAIR),
    ("Observation", [("patient", "1"), ("code", "a")], KeyIs, Rank.REFERENCE),
    ("Observation", [("patient", "1"), ("date", "ge2020")], KeyIs, Rank.REFERENCE),
    ("Observation", [("code", f"{LOINC}|a"), ("date", "ge2020")], DriverIs, Rank.TERM_AND_DATE),
    ("Observation", [("status", "final"), ("date", "ge2020")], DriverIs, Rank.DATE_ALONE),
    ("Observation", [("_lastUpdated", "ge2020"), ("status", "final")], UpdatedIn, Rank.UPDATED),
    ("Encounter", [("status", "finished")], KeyIs, Rank.CATEGORY),
    ("AllergyIntolerance", [("patient", "1"), ("category", "food")], DriverIs, Rank.PAIR),
    ("Observation", [("patient", "Group/1"), ("code", "a")], IdIs, Rank.ID),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "pairs", "driver", "rank"), SHAPES)
def test_the_best_rank_comes_first(
    type_: str, pairs: Pairs, driver: type, rank: Rank, catalog: Catalog, searching: Searching
) -> None:
    criteria = plain_criteria(searching, type_, pairs)
    best = next(iter(candidates(scheme(catalog, type_), criteria, Order())))
    assert (type(best.driver), best.rank) == (driver, rank)


def test_a_driver_that_says_it_all_leaves_no_test(catalog: Catalog, searching: Searching) -> None:
    """Encounters are in a patient's compartment by their subject alone."""
    pairs = [("patient", "1"), ("type", "s|a"), ("date", "sa2020-01-01"), ("date", "lt2021")]
    criteria = plain_criteria(searching, "Encounter", pairs)
    best = next(iter(candidates(scheme(catalog, "Encounter"), criteria, Order())))
    assert best.rest == ()
    assert isinstance(best.driver, DriverIs)
    assert best.driver.start == (JANUARY_2020 + DAY, JANUARY_2020 + 366 * DAY - 1)
    assert best.driver.end == (EARLIEST + 1, LATEST)
    assert best.driver.long == ()


def test_a_main_date_window_bounds_both_ends(catalog: Catalog, searching: Searching) -> None:
    pairs = [("code", f"{LOINC}|a"), ("date", "2020-01-01")]
    criteria = plain_criteria(searching, "Observation", pairs)
    best = next(iter(candidates(scheme(catalog, "Observation"), criteria, Order())))
    day = (JANUARY_2020, JANUARY_2020 + DAY - 1)
    assert isinstance(best.driver, DriverIs)
    assert (best.driver.start, best.driver.end) == (day, day)
    assert best.driver.long == ()


class Counts:
    """A store's estimates, by kind of driver; counts how often it was asked."""

    def __init__(self, counts: Mapping[type, int]) -> None:
        self._counts = counts
        self.asked = 0

    async def estimate(self, type_: str, driver: Driver | None) -> int:
        self.asked += 1
        return self._counts[type(driver)]

    async def find(self, plan: Plan) -> Page:
        raise AssertionError(f"nothing but ids and keys is looked for, yet asked for {plan}")

    async def find_ids(self, plan: Plan) -> Sequence[str]:
        raise AssertionError(f"nothing is deferred, yet asked for {plan}")

    async def find_keys(self, plan: Plan, low: bytes, high: bytes) -> Sequence[bytes]:
        raise AssertionError(f"nothing is deferred, yet asked for {plan} from {low!r} to {high!r}")

    async def count(self, plan: Plan, cap: int | None = None) -> tuple[int, bool]:
        raise AssertionError(f"nothing is deferred, yet asked for {plan}, no further than {cap}")


async def plan(searching: Searching, type_: str, pairs: Pairs, counts: Counts) -> Plan:
    ((found,),) = await searching.plans(searching.prepare(type_, pairs), counts)
    return found


@pytest.mark.anyio
async def test_estimates_correct_the_rank(searching: Searching) -> None:
    pairs = [("identifier", "s|v"), ("name", "x")]
    counts = Counts({KeyIs: 900, KeyIn: 120})
    assert isinstance((await plan(searching, "Patient", pairs, counts)).drive, KeyIn)
    assert counts.asked == 2


@pytest.mark.anyio
async def test_few_matches_end_the_asking(searching: Searching) -> None:
    pairs = [("identifier", "s|v"), ("name", "x")]
    counts = Counts({KeyIs: 100, KeyIn: 1})
    assert isinstance((await plan(searching, "Patient", pairs, counts)).drive, KeyIs)
    assert counts.asked == 1


@pytest.mark.anyio
async def test_among_many_matches_those_in_order_are_preferred(searching: Searching) -> None:
    pairs = [("code", f"{LOINC}|a"), ("date", "ge2000")]
    counts = Counts({KeyIs: 1000, DriverIs: 1000})
    assert isinstance((await plan(searching, "Observation", pairs, counts)).drive, KeyIs)


UNASKED: list[tuple[str, Pairs]] = [
    ("Patient", []),
    ("Patient", [("_id", "1")]),
    ("Patient", [("identifier", "s|v")]),
    ("Patient", [("name", "x")]),
    ("Observation", [("patient", "1")]),
    ("Observation", [("patient", "Group/1")]),
    ("Patient", [("gender:missing", "true")]),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("type_", "pairs"), UNASKED)
async def test_no_estimate_is_asked_for_when_there_is_no_choice(
    type_: str, pairs: Pairs, searching: Searching
) -> None:
    counts = Counts({})
    await plan(searching, type_, pairs, counts)
    assert counts.asked == 0


@pytest.mark.anyio
async def test_what_nothing_meets_looks_at_nothing(searching: Searching) -> None:
    pairs = [("patient", "Group/1"), ("status", "final")]
    found = await plan(searching, "Observation", pairs, Counts({}))
    assert found.drive == IdIs(frozenset())
    assert found.tests == ()


K1, K2, I1 = KeyIs(("a",)), KeyIs(("b", "a")), IntervalIs((1, 1))
ALTERNATIVES: list[tuple[list[Test], Test]] = [
    ([I1], I1),
    ([K1, K2], KeyIs(("a", "b"))),
    ([K1, NOTHING], K1),
    ([NOTHING, NOTHING], NOTHING),
    ([IdIs(frozenset("a")), IdIs(frozenset("b"))], IdIs(frozenset("ab"))),
    ([K1, AnyOf((I1, K2))], AnyOf((KeyIs(("a", "b")), I1))),
    ([I1, I1], I1),
]


@pytest.mark.parametrize(("tests", "expected"), ALTERNATIVES)
def test_alternatives_become_one_test(tests: list[Test], expected: Test) -> None:
    assert any_of(tests) == expected


A, B, C = (bytes([number]) * 16 for number in range(3))
BOX, FURTHER, ELSEWHERE = (
    IntervalIs((1, 1), (0, 2), (5, 6)),
    IntervalIs((1, 1), (1, 4), (3, 4)),
    IntervalIs((2, 2), (0, 2), (5, 6)),
)
AROUND: list[tuple[Test, Driver | None]] = [
    (KeyIs((A,)), KeyIs((A,))),
    (AllOf((Not(KeyIs((A,))), KeyIs((B,)))), KeyIs((B,))),
    (AnyOf((KeyIs((A, B)), KeyIs((B, C)))), KeyIs((A, B, C))),
    (AnyOf((AllOf((KeyIs((A,)), KeyIs((C,)))), KeyIs((B,)))), KeyIs((A, B))),
    (AnyOf((BOX, FURTHER)), IntervalIs((1, 1), (0, 4), (3, 6))),
    (AnyOf((AllOf((BOX, KeyIs((A,)))), FURTHER)), IntervalIs((1, 1), (0, 4), (3, 6))),
    (AnyOf((BOX, ELSEWHERE)), None),
    (AnyOf((BOX, KeyIs((A,)))), None),
    (AnyOf((KeyIs((A,)), Not(KeyIs((B,))))), None),
    (Not(KeyIs((A,))), None),
    (AllOf(()), None),
    (NOTHING, None),
]


@pytest.mark.parametrize(("test", "driver"), AROUND)
def test_what_has_no_index_of_its_own_begins_where_all_its_matches_are(
    test: Test, driver: Driver | None
) -> None:
    assert around(test) == driver


@pytest.mark.anyio
async def test_a_search_with_a_choice_is_asked_for_each_time(searching: Searching) -> None:
    pairs = [("identifier", "s|v"), ("name", "x")]
    few, many = Counts({KeyIs: 900, KeyIn: 120}), Counts({KeyIs: 1, KeyIn: 120})
    assert isinstance((await plan(searching, "Patient", pairs, few)).drive, KeyIn)
    assert isinstance((await plan(searching, "Patient", pairs, many)).drive, KeyIs)
