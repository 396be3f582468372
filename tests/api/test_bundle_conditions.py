"""https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.request: conditions of entries"""

from typing import Any

import pytest

from tests.support.asserts import assert_issue, statuses
from tests.support.builders import a_patient, a_transaction, an_entry
from tests.support.server import ON_ONE_STORE, Server

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]


@pytest.mark.parametrize(
    ("element", "value", "words"),
    [
        ("ifNoneExist", None, "ifNoneExist is not text."),
        ("ifMatch", 1, "ifMatch is not text."),
        ("ifModifiedSince", "2024", "'2024' is not an instant."),
        ("ifModifiedSince", "never", "'never' is not an instant."),
    ],
)
async def test_a_condition_that_is_none_is_refused(
    server: Server, element: str, value: Any, words: str
) -> None:
    entry = an_entry("GET", "Patient/x", **{element: value})

    response = await server.post("", a_transaction(entry))

    assert_issue(
        response, 400, "invalid", f"Entry 0: {words}", f"Bundle.entry[0].request.{element}"
    )


async def test_a_read_may_ask_for_what_changed_since_an_instant(server: Server) -> None:
    url = f"Patient/{(await server.create(a_patient()))['id']}"

    response = await server.post(
        "",
        a_transaction(
            an_entry("GET", url, ifModifiedSince="2099-01-01T00:00:00.000+01:00"),
            an_entry("GET", url, ifModifiedSince="2001-01-01T00:00:00Z"),
        ),
    )

    assert statuses(response) == ["304 Not Modified", "200 OK"]
