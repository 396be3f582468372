"""What worked, and should be known all the same: warnings in the entries of an answer."""

import pytest

from tests.support.asserts import statuses
from tests.support.builders import a_batch, a_create, an_observation, urn
from tests.support.server import ON_ONE_STORE, Server

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]


async def test_many_references_that_cannot_be_followed_are_one_warning(server: Server) -> None:
    items = [{"item": {"reference": f"urn:uuid:{number}"}} for number in range(3000)]
    resource = {"resourceType": "List", "status": "current", "mode": "working", "entry": items}

    response = await server.post("", a_batch(a_create(resource)))

    assert statuses(response) == ["201 Created"]
    (issue,) = response.json()["entry"][0]["response"]["outcome"]["issue"]
    assert issue["diagnostics"] == (
        "List.entry[0].item.reference (and 2999 more): urn:uuid:0 names an entry of a bundle,"
        " which only a transaction resolves; it was stored as it is."
    )


async def test_a_warning_does_not_hide_the_resource_asked_for(server: Server) -> None:
    patient = urn()

    response = await server.post(
        "", a_batch(a_create(an_observation(patient))), prefer="return=representation"
    )

    (entry,) = response.json()["entry"]
    assert entry["resource"]["subject"] == {"reference": patient}
    assert entry["response"]["outcome"]["issue"][0]["severity"] == "warning"
