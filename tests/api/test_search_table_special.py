"""https://hl7.org/fhir/R4/location.html#positional"""

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
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    places = {
        label: {"position": {"latitude": latitude, "longitude": longitude}}
        for label, (latitude, longitude) in PLACES.items()
    }
    return await load(server, labelled("Location", {**places, "nowhere": {"name": "x"}}))


@pytest.mark.parametrize("row", NEAR, ids=lambda row: row[0])
async def test_a_position_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_a_position_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
