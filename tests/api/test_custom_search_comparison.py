"""Custom search parameters added while writes go on: they find what brute force finds."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from fhir_server.definitions.search_parameters import Component, SearchParameter
from tests.support.brute_force.elements import Elements
from tests.support.brute_force.evaluator import BruteForce
from tests.support.custom_parameters import a_parameter, built
from tests.support.search_comparison import differences, told
from tests.support.search_data import Resource, synthea
from tests.support.search_generator import SearchGenerator
from tests.support.search_tables import Loaded, definitions, load
from tests.support.server import BASE, Start

pytestmark = pytest.mark.anyio


def _defined(resource: Resource) -> SearchParameter:
    """The same for brute force, which reads no resources."""
    known = definitions().parameters_by_url
    return SearchParameter(
        resource["url"],
        resource["code"],
        resource["type"],
        tuple(resource["base"]),
        resource["expression"],
        targets=tuple(resource.get("target", ())),
        components=tuple(
            Component(known[each["definition"]], each["expression"])
            for each in resource.get("component", ())
        ),
    )


RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
COMPONENTS = [
    {"definition": "http://hl7.org/fhir/SearchParameter/clinical-code", "expression": "code"},
    {"definition": "http://hl7.org/fhir/SearchParameter/clinical-date", "expression": "issued"},
]
CUSTOM = [
    a_parameter("official", "Patient.name.where(use = 'official').given", type="string"),
    a_parameter("race", f"Patient.extension.where(url = '{RACE}').extension.value as Coding"),
    a_parameter("stay", "Encounter.period", base=["Encounter"], type="date"),
    a_parameter(
        "places",
        "Encounter.location.location | Encounter.serviceProvider",
        base=["Encounter"],
        type="reference",
        target=["Location", "Organization"],
    ),
    a_parameter(
        "amount",
        "(Observation.value as Quantity) | (Observation.component.value as Quantity)",
        base=["Observation"],
        type="quantity",
    ),
    a_parameter("ended", "Condition.abatement as dateTime", base=["Condition"], type="date"),
    a_parameter(
        "code-issued", "Observation", base=["Observation"], type="composite", component=COMPONENTS
    ),
]


async def test_added_while_writes_go_on_they_find_what_brute_force_finds(start: Start) -> None:
    chance = random.Random(7)
    types = {"Patient", "Encounter", "Observation", "Condition"}
    resources = [each for each in synthea() if each["resourceType"] in types]
    resources = chance.sample(resources, min(600, len(resources)))
    before, after = resources[:300], resources[300:]
    elements = Elements(definitions(), map(_defined, CUSTOM))
    async with start() as server:
        await load(server, before, elements=elements)
        parts = [after[at : at + 20] for at in range(0, len(after), 20)]

        async def write(some: list[list[Resource]]) -> None:
            for part in some:
                await load(server, part, elements=elements)
                rewritten = chance.sample(before, 5)
                await load(server, rewritten, elements=elements)

        async def define() -> None:
            for parameter in CUSTOM:
                await server.update(parameter)
                await asyncio.sleep(0.05)

        await asyncio.gather(write(parts[::3]), write(parts[1::3]), write(parts[2::3]), define())
        for parameter in CUSTOM:
            await built(server, parameter["base"][0], parameter["code"])
        loaded = Loaded(
            server, BruteForce(resources, definitions(), base_url=BASE, elements=elements)
        )
        urls = list(_searches(SearchGenerator(loaded.brute_force, 7, BASE)))
        compared, hits, found = await differences(loaded, urls)
        assert found == [], told(found)
        assert hits > compared / 3
        assert len({url.partition("?")[2].partition("=")[0].partition(":")[0] for url in urls}) >= 5


def _searches(generator: SearchGenerator) -> Sequence[str]:
    """By each custom parameter that has values, with modifiers, and `:missing`."""
    codes = {each["code"] for each in CUSTOM}
    urls = [
        url
        for _ in range(4)
        for url in generator.one_for_each_parameter()
        if url.partition("?")[2].partition("=")[0].partition(":")[0] in codes
    ]
    later = (":in=", ":not-in=", ":below=", ":above=")
    return [url for url in urls if not any(each in url for each in later)]
