"""https://hl7.org/fhir/R4/location.html#positional"""

from typing import Any

import pytest

from tests.support.search_tables import Loaded, Row, labelled, load
from tests.support.server import Server

pytestmark = pytest.mark.anyio

PLACES = {
    "berlin": (52.52, 13.405),
    # 26 km away
    "potsdam": (52.39, 13.064),
    # 255 km away
    "hamburg": (53.5511, 9.9937),
    # on both sides of the line where longitudes end, 222 km apart
    "fiji": (-17.0, 179.0),
    "samoa": (-17.0, -179.0),
    "pole": (89.9, 0.0),
    "beyond-pole": (89.9, 180.0),
}
NEAR: list[Row] = [
    ("Location?near=52.52|13.405|1|km", "berlin"),
    ("Location?near=52.52|13.405|24|km", "berlin"),
    ("Location?near=52.52|13.405|28|km", "berlin potsdam"),
    ("Location?near=52.52|13.405|28", "berlin potsdam"),
    ("Location?near=52.52|13.405|28000|m", "berlin potsdam"),
    ("Location?near=52.52|13.405|300|km", "berlin potsdam hamburg"),
    ("Location?near=52.52|13.405|200|[mi_i]", "berlin potsdam hamburg"),
    ("Location?near=-17|179.5|60|km", "fiji"),
    ("Location?near=-17|180|120|km", "fiji samoa"),
    ("Location?near=90|0|12|km", "pole beyond-pole"),
    ("Location?near=0|0|1|km", ""),
    ("Location?near=52.52|13.405|1|km,53.5511|9.9937|1|km", "berlin hamburg"),
    # without a distance, 50 km; units then do not matter
    ("Location?near=52.52|13.405", "berlin potsdam"),
    ("Location?near=52.52|13.405||m", "berlin potsdam"),
    ("Location?near=52.52|13.405|0|km", "berlin"),
    ("Location?near=52.52|13.405|0.0001|m", "berlin"),
    ("Location?near=52.52|13.405|1e-300|m", "berlin"),
    ("Location?near=-17|-180|120|km", "fiji samoa"),
    ("Location?near=-17|-180|90|km", ""),
    ("Location?near=89.95|90|20|km", "pole beyond-pole"),
    ("Location?near=-90|0|19000|km", "berlin potsdam hamburg fiji samoa"),
    ("Location?near=0|0|20016|km", "berlin potsdam hamburg fiji samoa pole beyond-pole"),
    ("Location?near=0|0|30000|km", "berlin potsdam hamburg fiji samoa pole beyond-pole"),
    ("Location?near=5.252e1|%2B13.405|1e0|km", "berlin"),
    ("Location?near=52.52|13.405|300|km&near=53.5511|9.9937|10|km", "hamburg"),
    ("Location?near=52.52|13.405|300|km&_id=potsdam,pole", "potsdam"),
    ("Location?near:missing=true", "nowhere inside beyond-earth"),
    ("Location?near:missing=false", "berlin potsdam hamburg fiji samoa pole beyond-pole"),
    ("Location?partof.near=52.52|13.405|1|km", "inside"),
    ("Location?_has:Location:partof:_id=inside", "berlin"),
]
REFUSED = [
    "Location?near=52.52",
    "Location?near=a|b",
    "Location?near=91|0|1|km",
    "Location?near=0|181|1|km",
    "Location?near=0|0|-1|km",
    "Location?near=0|0|1|parsec",
    "Location?near=0|0|1|km|x",
    "Location?near:exact=0|0",
    "Location?near=0|-180.5|1|km",
    "Location?near=NaN|0|1|km",
    "Location?near=0|Infinity|1|km",
    "Location?near=0||1|km",
    "Location?near=0|0|ge1|km",
    "Location?near=0|0|1|kg",
    "Location?near=0|0|1|mi",
    "Location?near=" + ",".join(f"{north}|0|1|km" for north in range(6)),
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    places = {
        label: {"position": {"latitude": latitude, "longitude": longitude}}
        for label, (latitude, longitude) in PLACES.items()
    }
    others: dict[str, dict[str, Any]] = {
        "nowhere": {"name": "x"},
        "inside": {"partOf": {"reference": "Location/berlin"}},
        "beyond-earth": {"position": {"latitude": 90.5, "longitude": 13.405}},
    }
    return await load(server, labelled("Location", {**places, **others}))


@pytest.mark.parametrize("row", NEAR, ids=lambda row: row[0])
async def test_a_position_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


async def test_what_a_position_should_be_is_told(server: Server) -> None:
    response = await server.get("Location?near=52.52|13.405|5|miles")
    assert response.json()["issue"][0]["diagnostics"] == (
        "'52.52|13.405|5|miles' is no value for the search parameter near: write"
        " latitude|longitude|distance|units, such as 52.52|13.405|5|km, with degrees from -90 to 90"
        " and from -180 to 180; the distance is not negative, the units are UCUM lengths such as"
        " km, m or [mi_i]."
    )


@pytest.mark.parametrize("url", REFUSED)
async def test_a_position_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
