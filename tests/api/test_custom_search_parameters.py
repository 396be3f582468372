"""Custom search parameters: written, built, searched, changed and deleted.

https://hl7.org/fhir/R4/searchparameter.html
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.builders import a_basic, a_batch, a_transaction, an_update
from tests.support.custom_parameters import a_parameter, built, is_being_built, listed
from tests.support.server import Server, Start

pytestmark = pytest.mark.anyio

EYES = "http://example.org/eyes"
JSON_PATCH = "application/json-patch+json"
BY_EYES = f"Patient.extension('{EYES}').value.ofType(code)"


@pytest.fixture
async def server(start: Start, anyio_backend: str) -> AsyncIterator[Server]:
    """A server of its own for each test: parameters are of the whole server."""
    async with start() as server:
        yield server


def with_eyes(id_: str, colour: str, **elements: Any) -> dict[str, Any]:
    extension = [{"url": EYES, "valueCode": colour}]
    return {"resourceType": "Patient", "id": id_, "extension": extension} | elements


async def ids(server: Server, query: str) -> list[str]:
    return sorted(each["id"] for each in await server.found(query))


async def test_what_is_there_and_what_comes_is_found(server: Server) -> None:
    await server.update(with_eyes("before", "blue"))
    await server.update(a_parameter("eyes", BY_EYES))
    await server.update(with_eyes("after", "blue"))
    await server.update(with_eyes("other", "brown"))
    await built(server, "Patient", "eyes")

    assert await ids(server, "Patient?eyes=blue") == ["after", "before"]
    assert await ids(server, "Patient?eyes:not=blue") == ["other"]
    assert await listed(server, "Patient", "eyes") == {
        "name": "eyes",
        "definition": "http://example.org/SearchParameter/eyes",
        "type": "token",
        "documentation": "Modifiers: :missing, :not, :in, :not-in, :below, :above",
    }


async def test_what_others_contain_is_found_as_well(server: Server) -> None:
    contained = [with_eyes("inner", "blue"), with_eyes("other", "brown")]
    group = a_basic(id="before", contained=contained)
    await server.update(group)
    await server.update(a_basic(id="empty"))
    await server.update(a_parameter("eyes", BY_EYES))
    await built(server, "Patient", "eyes")
    await server.update({**group, "id": "after"})

    url = "Patient?eyes=blue&_contained=true"
    assert await ids(server, url) == ["after", "before"]
    assert await ids(server, f"{url}&_containedType=contained") == ["inner", "inner"]


async def test_it_counts_from_the_answer_on_for_what_is_written_next(server: Server) -> None:
    await server.create(a_parameter("eyes", BY_EYES, id=None))
    await server.update(with_eyes("after", "blue"))

    answer = (await server.get("Patient?eyes=blue")).json()
    found = [each["resource"] for each in answer["entry"] if each["search"]["mode"] == "match"]
    assert [each["id"] for each in found] == ["after"]


async def test_a_changed_expression_is_built_anew(server: Server) -> None:
    await server.update(with_eyes("p", "blue", gender="female"))
    await server.update(a_parameter("own", BY_EYES))
    await built(server, "Patient", "own")
    assert await ids(server, "Patient?own=blue") == ["p"]

    await server.update(a_parameter("own", "Patient.gender.where($this = 'female')"))
    await built(server, "Patient", "own")

    assert await ids(server, "Patient?own=blue") == []
    assert await ids(server, "Patient?own=female") == ["p"]


async def test_what_changes_no_meaning_builds_nothing(server: Server) -> None:
    await server.update(with_eyes("p", "blue"))
    await server.update(a_parameter("eyes", BY_EYES))
    await built(server, "Patient", "eyes")

    await server.update(a_parameter("eyes", BY_EYES, description="Better said."))

    assert not is_being_built(await listed(server, "Patient", "eyes"))
    assert await ids(server, "Patient?eyes=blue") == ["p"]


async def test_deleted_it_is_unknown_and_made_again_it_starts_afresh(server: Server) -> None:
    await server.update(a_parameter("eyes", BY_EYES))
    await server.update(with_eyes("stays", "blue"))
    await built(server, "Patient", "eyes")

    await server.delete("SearchParameter/eyes")

    refused = await server.get("Patient?eyes=blue")
    assert refused.status_code == 400
    assert "no search parameter 'eyes'" in refused.json()["issue"][0]["diagnostics"]
    assert await listed(server, "Patient", "eyes") is None
    await server.update(with_eyes("between", "blue"))
    await server.update(a_parameter("eyes", BY_EYES))
    await built(server, "Patient", "eyes")
    assert await ids(server, "Patient?eyes=blue") == ["between", "stays"]


@pytest.mark.parametrize("status", ["draft", "retired", "unknown"])
async def test_only_active_ones_count(server: Server, status: str) -> None:
    await server.update(a_parameter("eyes", BY_EYES, status=status))
    assert (await server.get("Patient?eyes=blue")).status_code == 400

    await server.update(with_eyes("p", "blue"))
    await server.update(a_parameter("eyes", BY_EYES))
    await built(server, "Patient", "eyes")
    assert await ids(server, "Patient?eyes=blue") == ["p"]

    await server.update(a_parameter("eyes", BY_EYES, status=status))
    assert (await server.get("Patient?eyes=blue")).status_code == 400


async def test_one_that_looks_where_another_does_needs_no_building(server: Server) -> None:
    await server.update({"resourceType": "Patient", "id": "p", "gender": "male"})

    await server.update(a_parameter("sex", "Patient.gender"))

    assert not is_being_built(await listed(server, "Patient", "sex"))
    assert await ids(server, "Patient?sex=male") == ["p"]
    await server.delete("SearchParameter/sex")
    assert await ids(server, "Patient?gender=male") == ["p"]


async def test_chains_sort_has_and_includes_use_them(server: Server) -> None:
    await server.update(with_eyes("p", "blue"))
    observation = {"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/p"}}
    await server.update(observation | {"status": "final", "code": {"text": "x"}})
    await server.update(a_parameter("eyes", BY_EYES))
    about = a_parameter("about", "Observation.subject | Observation.focus", type="reference")
    await server.update(about | {"base": ["Observation"], "target": ["Patient"]})
    await built(server, "Patient", "eyes")
    await built(server, "Observation", "about")

    assert await ids(server, "Observation?about.eyes=blue") == ["o"]
    assert await ids(server, "Observation?subject:Patient.eyes=blue") == ["o"]
    assert await ids(server, "Patient?_has:Observation:about:status=final") == ["p"]
    assert await ids(server, "Patient?_sort=-eyes") == ["p"]
    assert await ids(server, "Observation?_include=Observation:about") == ["o", "p"]
    assert await ids(server, "Patient?_revinclude=Observation:about") == ["o", "p"]


async def test_a_composite_of_published_and_custom_parts(server: Server) -> None:
    eyes = {"definition": "http://example.org/SearchParameter/eyes", "expression": "value"}
    which = {"definition": "http://hl7.org/fhir/SearchParameter/Extension-url", "expression": "url"}
    use = {
        "definition": "http://hl7.org/fhir/SearchParameter/individual-address-use",
        "expression": "use",
    }
    city = {
        "definition": "http://hl7.org/fhir/SearchParameter/individual-address-city",
        "expression": "city",
    }
    both = a_parameter("use-city", "Patient.address", type="composite", component=[use, city])
    address = [{"use": "home", "city": "Bonn"}, {"use": "work", "city": "Köln"}]
    await server.update({"resourceType": "Patient", "id": "p", "address": address})
    await server.update(both)
    await built(server, "Patient", "use-city")

    assert await ids(server, "Patient?use-city=home$bonn") == ["p"]
    assert await ids(server, "Patient?use-city=home$koln") == []
    refused = await server.put(
        "SearchParameter/unknown-part",
        a_parameter("unknown-part", "Patient", type="composite", component=[eyes, which]),
    )
    assert refused.status_code == 422
    assert refused.json()["issue"][0]["expression"] == ["SearchParameter.component[0].definition"]


async def test_a_parameter_of_all_types(server: Server) -> None:
    await server.update(a_basic(id="b", language="de"))
    await server.update({"resourceType": "Patient", "id": "p", "language": "de"})
    await server.update(a_parameter("in-language", "Resource.language", base=["Resource"]))
    await built(server, "Patient", "in-language")

    assert await ids(server, "Basic?in-language=de") == ["b"]
    assert await ids(server, "Patient?in-language=de") == ["p"]
    assert await ids(server, "?in-language=de") == ["b", "p"]


async def test_a_transaction_brings_parameters_that_name_each_other(server: Server) -> None:
    part = {"definition": "http://example.org/SearchParameter/use", "expression": "use"}
    city = {
        "definition": "http://hl7.org/fhir/SearchParameter/individual-address-city",
        "expression": "city",
    }
    both = a_parameter("use-city", "Patient.address", type="composite", component=[part, city])
    address = [{"use": "home", "city": "Bonn"}]
    patient = {"resourceType": "Patient", "id": "p", "address": address}
    answer = await server.post(
        "",
        a_transaction(*map(an_update, (both, a_parameter("use", "Patient.address.use"), patient))),
    )
    assert answer.status_code == 200, answer.text
    await built(server, "Patient", "use-city")

    assert await ids(server, "Patient?use-city=home$bonn") == ["p"]


async def test_a_composite_whose_part_is_gone_is_left_out(server: Server) -> None:
    part = {"definition": "http://example.org/SearchParameter/use", "expression": "use"}
    city = {
        "definition": "http://hl7.org/fhir/SearchParameter/individual-address-city",
        "expression": "city",
    }
    await server.update(a_parameter("use", "Patient.address.use"))
    both = a_parameter("use-city", "Patient.address", type="composite", component=[part, city])
    await server.update(both)
    await built(server, "Patient", "use-city")

    await server.delete("SearchParameter/use")
    assert (await server.get("Patient?use-city=home$bonn")).status_code == 400
    assert await listed(server, "Patient", "use-city") is None
    assert (await server.put("SearchParameter/use-city", both)).status_code == 422
    retired = await server.put("SearchParameter/use-city", both | {"status": "retired"})
    assert retired.status_code == 200


async def test_what_is_wrong_in_a_transaction_names_the_entry(server: Server) -> None:
    wrong = a_parameter("wrong", "Patient.nothing")
    answer = await server.post(
        "", a_transaction(*map(an_update, (a_parameter("right", "Patient.photo.title"), wrong)))
    )
    (issue,) = answer.json()["issue"]
    assert answer.status_code == 422
    assert issue["expression"] == ["Bundle.entry[1].resource.expression"]
    assert (await server.get("SearchParameter/right")).status_code == 404

    answer = await server.post("", a_batch(*map(an_update, (a_parameter("right", BY_EYES), wrong))))
    statuses = [each["response"]["status"][:3] for each in answer.json()["entry"]]
    assert statuses == ["201", "422"]


async def test_two_of_one_transaction_with_one_code_are_refused(server: Server) -> None:
    first = a_parameter("eyes", BY_EYES, id="one")
    answer = await server.post("", a_transaction(*map(an_update, (first, first | {"id": "two"}))))

    assert answer.status_code == 422
    assert "'eyes' is taken" in answer.json()["issue"][0]["diagnostics"]


async def test_a_code_that_another_has_is_refused(server: Server) -> None:
    await server.update(a_parameter("eyes", BY_EYES))
    answer = await server.put("SearchParameter/more", a_parameter("eyes", BY_EYES, id="more"))

    (issue,) = answer.json()["issue"]
    assert answer.status_code == 422
    assert issue["expression"] == ["SearchParameter.code"]
    assert "by SearchParameter/eyes" in issue["diagnostics"]


async def test_patched_it_is_checked_and_built(server: Server) -> None:
    await server.update(with_eyes("p", "blue"))
    await server.update(a_parameter("eyes", BY_EYES, status="draft"))
    patch = [{"op": "replace", "path": "/expression", "value": "Patient.nothing"}]
    wrong = await server.send("PATCH", "SearchParameter/eyes", patch, content_type=JSON_PATCH)
    assert wrong.status_code == 422

    patch = [{"op": "replace", "path": "/status", "value": "active"}]
    right = await server.send("PATCH", "SearchParameter/eyes", patch, content_type=JSON_PATCH)
    assert right.status_code == 200, right.text
    await built(server, "Patient", "eyes")
    assert await ids(server, "Patient?eyes=blue") == ["p"]


async def test_what_the_specification_defines_may_be_stored_and_changes_nothing(
    server: Server,
) -> None:
    copy = a_parameter(
        "name", "Patient.name", type="string", url="http://example.org/SearchParameter/a-name"
    )
    await server.update({"resourceType": "Patient", "id": "p", "name": [{"family": "Ash"}]})
    await server.update(copy)

    stated = await listed(server, "Patient", "name")
    assert stated is not None
    assert stated["definition"] == "http://hl7.org/fhir/SearchParameter/Patient-name"
    assert await ids(server, "Patient?name=ash") == ["p"]


async def test_many_writes_meanwhile_are_all_found(server: Server) -> None:
    await asyncio.gather(*(server.update(with_eyes(f"a{n}", "blue")) for n in range(150)))

    async def write(number: int) -> None:
        for turn in range(6):
            await server.update(with_eyes(f"w{number}-{turn}", "blue"))

    async def define() -> None:
        await asyncio.sleep(0.02)
        await server.update(a_parameter("eyes", BY_EYES))

    await asyncio.gather(*(write(number) for number in range(8)), define())
    await built(server, "Patient", "eyes")

    assert await server.count("Patient?eyes=blue") == 150 + 48


async def test_history_keeps_what_a_parameter_was(server: Server) -> None:
    await server.update(a_parameter("eyes", BY_EYES))
    await server.update(a_parameter("eyes", "Patient.photo.title"))
    await server.delete("SearchParameter/eyes")

    response = await server.get("SearchParameter/eyes/_history")
    methods = [each["request"]["method"] for each in response.json()["entry"]]
    assert methods == ["DELETE", "PUT", "PUT"]
