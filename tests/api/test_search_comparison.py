"""Random searches of whole patients: the server finds what looking at every resource finds.

`FHIR_SERVER_SEARCH_SEED` and `FHIR_SERVER_SEARCH_ROUNDS` ask for others and for more.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.support.filter_generator import FilterGenerator
from tests.support.search_comparison import differences, told
from tests.support.search_data import synthea
from tests.support.search_generator import SearchGenerator
from tests.support.search_tables import Loaded, load
from tests.support.server import BASE, Server

pytestmark = pytest.mark.anyio

SEED = int(os.environ.get("FHIR_SERVER_SEARCH_SEED", "1"))
ROUNDS = int(os.environ.get("FHIR_SERVER_SEARCH_ROUNDS", "150"))


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    return await load(server, synthea())


@pytest.fixture(scope="module")
def generator(loaded: Loaded) -> SearchGenerator:
    return SearchGenerator(loaded.brute_force, SEED, BASE)


@pytest.fixture(scope="module")
def filter_generator(loaded: Loaded) -> FilterGenerator:
    return FilterGenerator(loaded.brute_force, SEED, BASE)


async def test_every_parameter_that_has_values_finds_them(
    loaded: Loaded, generator: SearchGenerator
) -> None:
    compared, hits, found = await differences(loaded, generator.one_for_each_parameter())
    assert found == [], told(found)
    assert hits > compared / 2


async def test_every_modifier_that_is_listed_finds_what_brute_force_finds(
    loaded: Loaded, generator: SearchGenerator
) -> None:
    response = await loaded.server.get("metadata")
    listed = {each["type"]: each["searchParam"] for each in response.json()["rest"][0]["resource"]}
    urls = [
        url
        for type_ in generator.types
        for parameter in listed[type_]
        for url in generator.by_each_modifier(type_, parameter["name"], modifiers_of(parameter))
    ]

    compared, hits, found = await differences(loaded, urls)

    assert found == [], told(found)
    assert compared > len(urls) * 0.95
    assert hits > compared / 4


def modifiers_of(listed: Mapping[str, Any]) -> Sequence[str]:
    """The modifiers of one parameter of a CapabilityStatement."""
    names: str = listed.get("documentation", "").removeprefix("Modifiers: ")
    return [each.strip().removeprefix(":") for each in names.split(",") if each]


async def test_random_searches_find_what_brute_force_finds(
    loaded: Loaded, generator: SearchGenerator
) -> None:
    compared, hits, found = await differences(loaded, generator.several(ROUNDS))
    assert found == [], told(found)
    assert hits > compared / 4


async def test_every_operator_of_a_filter_finds_what_brute_force_finds(
    loaded: Loaded, filter_generator: FilterGenerator
) -> None:
    urls = list(filter_generator.each_operator())
    compared, hits, found = await differences(loaded, urls[SEED % 3 :: 3])
    assert found == [], told(found)
    assert hits > compared / 2


async def test_random_filters_find_what_brute_force_finds(
    loaded: Loaded, filter_generator: FilterGenerator
) -> None:
    compared, hits, found = await differences(loaded, filter_generator.filters(ROUNDS))
    assert found == [], told(found)
    assert hits > compared / 3
