"""https://hl7.org/fhir/R4/http.html#paging: a next link is one that can be followed"""

import pytest

from tests.support.asserts import link, outcome
from tests.support.builders import a_patient, unique
from tests.support.server import Start

pytestmark = pytest.mark.anyio


async def test_of_a_next_page_that_no_url_can_ask_for_is_told(start: Start) -> None:
    async with start(max_url=300) as server:
        mark = unique()
        for _ in range(3):
            await server.create(a_patient(mark))
        criteria = f"identifier={mark},{'x' * 200}"

        short = await server.client.post("Patient/_search", data={"identifier": mark, "_count": 2})
        long = await server.client.post(
            "Patient/_search", data={"identifier": f"{mark},{'x' * 300}", "_count": 2}
        )
        edge = await server.get(f"Patient?{criteria}&_count=2")

        assert link(short, "next") is not None
        for response in (long, edge):
            if (following := link(response, "next")) is not None:
                assert (await server.get(following)).status_code == 200
        assert link(long, "next") is None
        assert long.json()["entry"][-1] == {
            "resource": outcome(
                "too-long",
                "There is a next page, but a link to it would be longer than the 300 bytes that a "
                "URL may have; make the search shorter or ask for more at once with _count.",
                severity="warning",
            ),
            "search": {"mode": "outcome"},
        }
