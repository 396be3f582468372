"""https://hl7.org/fhir/R4/http.html#patch"""

import asyncio
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.support.asserts import assert_issue, without_meta
from tests.support.builders import SYSTEM, a_patient, an_observation, unique
from tests.support.data import data_folder
from tests.support.fhir_xml import resource as from_xml
from tests.support.fhirpath import elements
from tests.support.patches import (
    FORMS,
    GENDER,
    JSON_PATCH,
    a_fhirpath_patch,
    in_binary,
    patched,
    replacing,
)
from tests.support.server import BASE, Server, Start

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("body", FORMS)
async def test_a_patch_makes_the_next_version(server: Server, body: Any) -> None:
    stored = await server.create(a_patient())

    response = await patched(server, f"Patient/{stored['id']}", body)

    assert response.status_code == 200
    assert response.headers["etag"] == 'W/"2"'
    assert response.headers["location"] == f"{BASE}/Patient/{stored['id']}/_history/2"
    assert without_meta(response.json()) == without_meta(stored) | {"gender": "other"}
    assert (await server.get(f"Patient/{stored['id']}")).content == response.content


async def test_the_history_says_it_was_a_patch(server: Server) -> None:
    stored = await server.create(a_patient())
    await patched(server, f"Patient/{stored['id']}", GENDER)

    history = (await server.get(f"Patient/{stored['id']}/_history")).json()

    asked = [entry["request"] for entry in history["entry"]]
    assert asked[0] == {"method": "PATCH", "url": f"Patient/{stored['id']}"}


async def test_what_was_patched_is_found_by_what_it_became(server: Server) -> None:
    mark = unique()
    stored = await server.create(a_patient(mark))
    await patched(server, f"Patient/{stored['id']}", GENDER)

    assert await server.found(f"Patient?identifier={mark}&gender=male") == []
    assert len(await server.found(f"Patient?identifier={mark}&gender=other")) == 1


async def test_digits_that_the_patch_does_not_touch_stay(server: Server) -> None:
    body = json.dumps(an_observation()).replace("72.5", "72.500").encode()
    stored = (await server.post("Observation", body)).json()

    response = await patched(
        server, f"Observation/{stored['id']}", [{"op": "add", "path": "/language", "value": "de"}]
    )

    assert b'"value":72.500' in response.content


@pytest.mark.parametrize(
    ("prefer", "shown"),
    [
        ("return=minimal", None),
        ("return=representation", "Patient"),
        ("return=OperationOutcome", "OperationOutcome"),
    ],
)
async def test_the_answer_has_the_form_that_is_preferred(
    server: Server, prefer: str, shown: str | None
) -> None:
    stored = await server.create(a_patient())

    response = await patched(server, f"Patient/{stored['id']}", GENDER, prefer=prefer)

    assert response.status_code == 200
    assert (response.json()["resourceType"] if response.content else None) == shown


async def test_there_must_be_something_to_patch(server: Server) -> None:
    id_ = unique("none")

    response = await patched(server, f"Patient/{id_}", GENDER)

    assert_issue(response, 404, "not-found", f"There is no Patient/{id_}.")


async def test_what_was_deleted_cannot_be_patched(server: Server) -> None:
    stored = await server.create(a_patient())
    await server.delete(f"Patient/{stored['id']}")

    response = await patched(server, f"Patient/{stored['id']}", GENDER)

    assert_issue(response, 410, "deleted", f"Patient/{stored['id']} was deleted in version 2.")


@pytest.mark.parametrize(
    ("sent", "was"),
    [
        ("application/xml", "not 'application/xml'"),
        ("application/merge-patch+json", "not 'application/merge-patch+json'"),
        ("", "and Content-Type says nothing"),
    ],
)
async def test_another_media_type_is_refused_with_those_there_are(
    server: Server, sent: str, was: str
) -> None:
    response = await patched(server, "Patient/1", GENDER, content_type=sent)

    words = f"The body must be application/json-patch+json or application/fhir+json, {was}."
    assert_issue(response, 415, "not-supported", words)
    assert response.headers["accept-patch"] == "application/json-patch+json, application/fhir+json"


MADE = "What the patch makes cannot be stored: "
NONE = "the path must lead to one element, not none."
REFUSED: list[tuple[Any, int, str, str, str]] = [
    (
        [{"op": "replace", "path": "/id", "value": "other"}],
        422,
        "processing",
        "A patch cannot change id of Patient/ID.",
        "Patient.id",
    ),
    (
        [{"op": "remove", "path": "/id"}],
        422,
        "processing",
        "A patch cannot change id of Patient/ID.",
        "Patient.id",
    ),
    (
        [{"op": "replace", "path": "/resourceType", "value": "Person"}],
        422,
        "processing",
        "A patch cannot change resourceType of Patient/ID.",
        "Patient.resourceType",
    ),
    (
        [{"op": "replace", "path": "/meta/versionId", "value": "7"}],
        422,
        "processing",
        "A patch cannot change meta.versionId of Patient/ID.",
        "Patient.meta.versionId",
    ),
    (
        [{"op": "remove", "path": "/meta/lastUpdated"}],
        422,
        "processing",
        "A patch cannot change meta.lastUpdated of Patient/ID.",
        "Patient.meta.lastUpdated",
    ),
    (
        a_fhirpath_patch(replacing("Patient.meta.versionId", valueId="7")),
        422,
        "processing",
        "A patch cannot change meta.versionId of Patient/ID.",
        "Patient.meta.versionId",
    ),
    (
        a_fhirpath_patch(replacing("Patient.id", valueId="other")),
        422,
        "processing",
        "A patch cannot change id of Patient/ID.",
        "Patient.id",
    ),
    (
        [{"op": "replace", "path": "/meta", "value": "new"}],
        422,
        "processing",
        MADE + "meta must be an object.",
        "Patient.meta",
    ),
    (
        [{"op": "replace", "path": "", "value": []}],
        422,
        "processing",
        MADE + "A resource is a JSON object; the body is something else.",
        "",
    ),
    (
        [{"op": "test", "path": "/gender", "value": "female"}],
        422,
        "processing",
        "JSON Patch, operation 0 (test '/gender'): the value is another one.",
        "",
    ),
    (
        [{"op": "remove", "path": "/photo"}],
        422,
        "processing",
        "JSON Patch, operation 0 (remove '/photo'): there is no member 'photo'.",
        "",
    ),
    (
        [{"op": "tset", "path": "/gender"}],
        400,
        "invalid",
        "JSON Patch, operation 0 has no op of add, remove, replace, move, copy, test.",
        "",
    ),
    (
        a_fhirpath_patch(replacing("Patient.photo", valueString="x")),
        422,
        "processing",
        f"FHIRPath Patch, operation 0 (replace 'Patient.photo'): {NONE}",
        "Patient.photo",
    ),
    (a_patient(), 400, "invalid", "A FHIRPath Patch is a Parameters resource.", ""),
    (
        in_binary([]) | {"contentType": "text/plain"},
        415,
        "not-supported",
        f"A patch in a bundle is Parameters, or a Binary with contentType {JSON_PATCH}.",
        "Binary.contentType",
    ),
    (in_binary([]) | {"data": "*"}, 400, "invalid", "The data is not base64.", "Binary.data"),
]


@pytest.mark.parametrize(("body", "status", "code", "words", "place"), REFUSED)
async def test_a_patch_that_cannot_be_is_refused_and_changes_nothing(
    server: Server, body: Any, status: int, code: str, words: str, place: str
) -> None:
    stored = await server.create(a_patient())

    response = await patched(server, f"Patient/{stored['id']}", body)

    places = [place] if place else []
    assert_issue(response, status, code, words.replace("ID", stored["id"]), *places)
    assert (await server.get(f"Patient/{stored['id']}")).json() == stored


async def test_an_array_is_not_taken_for_a_resource(server: Server) -> None:
    stored = await server.create(a_patient())

    response = await patched(
        server, f"Patient/{stored['id']}", GENDER, content_type="application/json"
    )

    words = "An array is a JSON Patch; its Content-Type is application/json-patch+json."
    assert_issue(response, 400, "invalid", words)


async def test_a_new_meta_need_not_repeat_what_the_server_sets(server: Server) -> None:
    stored = await server.create(a_patient())
    tag = {"tag": [{"system": SYSTEM, "code": "a"}]}

    response = await patched(
        server, f"Patient/{stored['id']}", [{"op": "replace", "path": "/meta", "value": tag}]
    )

    meta = response.json()["meta"]
    assert (meta["tag"], meta["versionId"]) == (tag["tag"], "2")


async def test_what_a_patch_makes_is_no_deeper_than_what_may_be_sent(start: Start) -> None:
    deep: Any = {"url": "http://example.org/a", "valueBoolean": True}
    for _ in range(3):
        deep = {"url": "http://example.org/a", "extension": [deep]}
    async with start(max_depth=12, max_body=2_000) as server:
        stored = await server.create(a_patient(extension=[deep]))
        copies = [{"op": "copy", "from": "/extension", "path": "/extension/0/extension"}]

        once = await patched(server, f"Patient/{stored['id']}", copies)
        twice = await patched(server, f"Patient/{stored['id']}", copies)

        assert once.status_code == 200
        words = "The content is nested more than 12 levels deep; at most 12 are allowed."
        assert_issue(twice, 422, "processing", MADE + words)


async def test_what_a_patch_makes_is_no_larger_than_what_may_be_sent(start: Start) -> None:
    async with start(max_body=2_000) as server:
        stored = await server.create(a_patient(language="x" * 1_500))

        response = await patched(
            server,
            f"Patient/{stored['id']}",
            [{"op": "copy", "from": "/language", "path": "/implicitRules"}],
        )

        words = "The content has more than 2000 bytes; at most that many are taken."
        assert_issue(response, 413, "too-long", words)


@pytest.mark.parametrize(
    ("moves", "status"),
    [
        pytest.param(400, 422, id="deeper than may be sent"),
        pytest.param(999, 422, id="deeper than Python goes"),
    ],
)
async def test_a_patch_cannot_nest_without_end(server: Server, moves: int, status: int) -> None:
    stored = await server.create(a_patient())
    below = "/x" * 60
    nest = {"op": "add", "path": "/x", "value": json.loads('{"x":' * 60 + "{}" + "}" * 60)}
    again = [
        {"op": "move", "from": "/x", "path": "/y"},
        nest,
        {"op": "move", "from": "/y", "path": below},
    ]

    response = await patched(
        server, f"Patient/{stored['id']}", [nest, *(again * (moves // 3))][:1000]
    )

    assert response.status_code == status, response.text


async def test_if_match_lets_the_current_version_be_patched(server: Server) -> None:
    stored = await server.create(a_patient())
    url = f"Patient/{stored['id']}"

    first = await patched(server, url, GENDER, if_match='W/"1"')
    second = await patched(server, url, GENDER, if_match='W/"1"')

    assert first.status_code == 200
    words = (
        'If-Match: W/"1" was asked for, but the current version is W/"2". Read it again and '
        "apply your change to it."
    )
    assert_issue(second, 412, "conflict", words)


async def test_racing_patches_all_come_in(server: Server) -> None:
    stored = await server.create(a_patient())
    url = f"Patient/{stored['id']}"

    responses = await asyncio.gather(
        *(
            patched(server, url, [{"op": "add", "path": "/name/0/given/-", "value": f"n{i}"}])
            for i in range(20)
        )
    )

    assert [r.status_code for r in responses] == [200] * 20
    given = (await server.get(url)).json()["name"][0]["given"]
    assert sorted(given[2:]) == sorted(f"n{i}" for i in range(20))


async def test_the_capabilities_tell_of_patches(server: Server) -> None:
    statement = (await server.get("metadata")).json()

    assert statement["patchFormat"] == [JSON_PATCH, "application/fhir+json"]
    (resource,) = (each for each in statement["rest"][0]["resource"] if each["type"] == "Patient")
    assert {"code": "patch"} in resource["interaction"]


async def test_the_public_fhirpath_patches_do_the_same_over_http(server: Server) -> None:
    path = data_folder("fhir-test-cases/patch") / "fhir-patch-tests.xml"
    cases = [case for case in ET.parse(path).getroot().iter("case") if case.find("error") is None]
    assert len(cases) > 10
    for case in cases:
        given, diff, wanted = (
            from_xml(inner, elements())
            for name in ("input", "diff", "output")
            for inner in case.iterfind(f"{name}/*")
        )
        stored = await server.update(given | {"id": unique("public")})

        response = await patched(server, f"{stored['resourceType']}/{stored['id']}", diff)

        assert response.status_code == 200, response.text
        assert without_meta(response.json()) == without_meta(wanted)
