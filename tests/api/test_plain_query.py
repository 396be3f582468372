"""https://hl7.org/fhir/R4/http.html#parameters: what read, vread and capabilities may be asked"""

import pytest

from tests.support.asserts import assert_issue
from tests.support.builders import a_patient
from tests.support.server import ON_ONE_STORE, Server

pytestmark = [pytest.mark.anyio, ON_ONE_STORE]

PLACES = [
    ("read", "Patient/{}", "_elements, _format, _pretty, _summary"),
    ("vread", "Patient/{}/_history/1", "_elements, _format, _pretty, _summary"),
    ("capabilities", "metadata", "_elements, _format, _pretty, _summary, mode"),
]
each_place = pytest.mark.parametrize(("name", "path", "known"), PLACES)


@pytest.fixture(scope="module")
async def id_(server: Server) -> str:
    return str((await server.create(a_patient()))["id"])


@each_place
async def test_a_parameter_nobody_knows_is_refused(
    server: Server, id_: str, name: str, path: str, known: str
) -> None:
    response = await server.get(f"{path.format(id_)}?_pretty=false&nonsense=1")

    words = f"'nonsense' is not a parameter of {name}; {known} are."
    assert_issue(response, 400, "not-supported", words)


@each_place
@pytest.mark.parametrize("asked", ["_summary=true", "_summary=text", "_elements=id"])
async def test_a_shorter_form_is_marked_as_such(
    server: Server, id_: str, name: str, path: str, known: str, asked: str
) -> None:
    whole = (await server.get(path.format(id_))).json()
    short = (await server.get(f"{path.format(id_)}?{asked}")).json()

    assert short["meta"]["tag"][-1]["code"] == "SUBSETTED"
    assert short["resourceType"] == whole["resourceType"]
    assert len(str(short)) < len(str(whole)) or asked == "_summary=true"


@each_place
async def test_there_is_nothing_to_count(
    server: Server, id_: str, name: str, path: str, known: str
) -> None:
    response = await server.get(f"{path.format(id_)}?_summary=count")

    words = "_summary=count is for searches; here it is true, text, data or false."
    assert_issue(response, 400, "invalid", words)


@each_place
async def test_lenient_handling_passes_over_them(
    server: Server, id_: str, name: str, path: str, known: str
) -> None:
    url = f"{path.format(id_)}?nonsense=1&_elements=id"

    assert (await server.get(url, prefer="handling=lenient")).status_code == 200


@each_place
async def test_the_format_and_the_whole_resource_may_be_asked_for(
    server: Server, id_: str, name: str, path: str, known: str
) -> None:
    url = f"{path.format(id_)}?_format=json&_pretty=true&_summary=false"

    assert (await server.get(url)).status_code == 200
