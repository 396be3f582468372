"""What is told of a search that never came to a plan, and what would narrow it."""

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.errors import TooCostly
from fhir_server.search.binding import Binder
from fhir_server.search.catalog import Catalog
from fhir_server.search.criterion import Criterion
from fhir_server.search.explaining import explain, narrowing
from fhir_server.search.planning import OLDEST_FIRST
from fhir_server.search.resolving import Deferred, Finder
from fhir_server.storage.query import Driver, Plan
from fhir_server.storage.versions import Page

pytestmark = pytest.mark.anyio


class Finding:
    """A finder that knows of five resources behind everything."""

    async def estimate(self, _type: str, _driver: Driver | None) -> int:
        return 5

    async def find(self, _plan: Plan) -> Page:
        return Page([], None)

    async def find_ids(self, _plan: Plan) -> list[str]:
        return ["a", "b"]

    async def find_keys(self, _plan: Plan, low: bytes, _high: bytes) -> list[bytes]:
        return [low]

    async def count(self, _plan: Plan, _cap: int | None = None) -> tuple[int, bool]:
        return 5, True


async def _refuse(finder: Finder) -> Criterion:
    await finder.find_ids(Plan("Patient"))
    raise TooCostly("Far too many.")


async def test_a_refusal_is_told_with_the_steps_that_led_to_it() -> None:
    scheme = Binder(Catalog(load_definitions()), 1).scheme("Observation")

    told = await explain(scheme, [Deferred("subject.name", _refuse)], Finding(), OLDEST_FIRST)

    assert told.plan is None
    assert told.chosen is None
    assert str(told.refused) == "Far too many."
    assert [(step.code, step.type, step.found) for step in told.steps] == [
        ("subject.name", "Patient", 2)
    ]


NARROWING = [
    ("Observation", [], ["patient", "identifier", "code", "date", "_lastUpdated"]),
    ("Observation", ["code:in", "patient.name"], ["identifier", "date", "_lastUpdated"]),
    ("Patient", ["name"], ["identifier", "birthdate", "_lastUpdated"]),
    ("Organization", [], ["identifier", "_lastUpdated"]),
]


@pytest.mark.parametrize(("type_", "criteria", "expected"), NARROWING)
def test_what_would_narrow_a_search_is_named(
    type_: str, criteria: list[str], expected: list[str]
) -> None:
    binder = Binder(Catalog(load_definitions()), 1)

    found = narrowing(binder.scheme(type_), criteria, lambda code: binder.knows(type_, code))

    assert list(found) == expected
