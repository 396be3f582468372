"""What terminology refuses, and what it does with definitions made to break it."""

from typing import Any

import pytest

from tests.support.asserts import assert_issue
from tests.support.search_tables import labelled, load
from tests.support.server import Server
from tests.support.terminologies import SETS, chosen, code_system, concept, of, value_set

pytestmark = pytest.mark.anyio

SYSTEM = "http://example.org/cs/limits"


def expanded(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [each["code"] for each in response.json()["expansion"].get("contains", [])]


async def post(server: Server, operation: str, **given: Any) -> Any:
    """An operation with resources and texts as they are."""
    parameters = [
        {"name": name, "resource" if isinstance(value, dict) else "valueString": value}
        for name, values in given.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    body = {"resourceType": "Parameters", "parameter": parameters}
    return await server.post(operation.replace("_", "-"), body)


async def test_too_many_codes_are_refused_with_their_number_and_paged(server: Server) -> None:
    codes = [concept(f"c{at:05}") for at in range(10_001)]
    await load(server, labelled("CodeSystem", {"many": code_system(SYSTEM, *codes)}))
    url = f"ValueSet/$expand?url={SYSTEM}?fhir_vs".replace("?fhir", "%3Ffhir")

    refused = await server.get(url)
    page = await server.get(f"{url}&count=3&offset=9999")
    none = await server.get(f"{url}&count=0")
    narrowed = await server.get(f"{url}&filter=c0123")

    assert_issue(
        refused,
        400,
        "too-costly",
        f"The value set {SYSTEM}?fhir_vs has 10001 codes; 10000 are allowed at once. "
        "Ask for a page, by count and offset, or for fewer by filter.",
    )
    assert expanded(page) == ["c09999", "c10000"]
    assert page.json()["expansion"]["total"] == none.json()["expansion"]["total"] == 10_001
    assert page.json()["expansion"]["offset"] == 9999
    assert expanded(none) == []
    assert expanded(narrowed) == [f"c0123{at}" for at in range(10)]


async def test_pages_put_together_are_the_whole(server: Server) -> None:
    url = "ValueSet/$expand?url=http://terminology.hl7.org/ValueSet/v3-ActCode&excludeNested=true"
    whole = expanded(await server.get(url))
    pages: list[str] = []
    while len(pages) < len(whole):
        pages += expanded(await server.get(f"{url}&count=400&offset={len(pages)}"))

    assert len(whole) > 800
    assert pages == whole


async def test_a_pattern_that_explodes_elsewhere_is_matched_in_no_time(server: Server) -> None:
    system = {"resourceType": "CodeSystem", **code_system(SYSTEM, concept("a" * 60 + "!"))}
    patterns = {"(a+)+$": [], "(a|aa)*!": ["a" * 60 + "!"], "(a*)*b": []}
    for pattern, found in patterns.items():
        rule = {
            "resourceType": "ValueSet",
            **value_set("p", chosen(SYSTEM, "regex", pattern, "code")),
        }
        response = await post(
            server, "ValueSet/$expand", valueSet=rule, **{"tx-resource": [system]}
        )
        assert expanded(response) == found


@pytest.mark.parametrize("pattern", ["(a", r"(a)\1", "(?=a)", "a" * 3000])
async def test_a_pattern_that_cannot_be_matched_is_refused(server: Server, pattern: str) -> None:
    system = {"resourceType": "CodeSystem", **code_system(SYSTEM, concept("a"))}
    rule = {"resourceType": "ValueSet", **value_set("p", chosen(SYSTEM, "regex", pattern, "code"))}
    response = await post(server, "ValueSet/$expand", valueSet=rule, **{"tx-resource": [system]})

    assert response.status_code == 400
    (issue,) = response.json()["issue"]
    assert issue["code"] == "invalid"
    assert "Codes are chosen by the pattern" in issue["diagnostics"]


def braided(depth: int) -> list[dict[str, Any]]:
    """Pairs of value sets, each of which includes both of the next pair."""
    sets = [
        value_set(
            f"{side}{at}",
            *({"valueSet": [f"{SETS}/{other}{at + 1}"]} for other in ("left", "right")),
        )
        for at in range(depth)
        for side in ("left", "right")
    ]
    ends = [value_set(f"{side}{depth}", of(f"{SYSTEM}-ends", "x")) for side in ("left", "right")]
    return [{"resourceType": "ValueSet", **each} for each in (*sets, *ends)]


async def test_value_sets_that_include_one_another_in_ever_more_ways_are_refused(
    server: Server,
) -> None:
    asked = {"url": f"{SETS}/left0", "tx-resource": braided(19)}
    refused = await post(server, "ValueSet/$expand", **asked)
    few = await post(server, "ValueSet/$expand", **{**asked, "tx-resource": braided(6)})

    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (400, "too-costly")
    assert "in too many ways" in refused.json()["issue"][0]["diagnostics"]
    assert expanded(few) == ["x"]


NONSENSE: list[Any] = [None, 0, "x", [], {}, [None], ["x"], [[]], [{}], {"code": "x"}, True]
OPERATIONS = [
    ("CodeSystem/$lookup", {"system": SYSTEM, "code": "a", "property": "*"}),
    ("CodeSystem/$subsumes", {"system": SYSTEM, "codeA": "a", "codeB": "b"}),
    ("CodeSystem/$validate-code", {"url": SYSTEM, "code": "a", "display": "A"}),
    ("ValueSet/$expand", {"url": f"{SETS}/n", "includeDesignations": "true", "property": "p"}),
    ("ValueSet/$validate-code", {"url": f"{SETS}/n", "system": SYSTEM, "code": "a"}),
    ("ConceptMap/$translate", {"url": f"{SETS}/m", "system": SYSTEM, "code": "a"}),
]


def broken(nonsense: Any) -> list[list[dict[str, Any]]]:
    """Definitions with nonsense in one place each."""
    part = {"code": "a", "display": "A"}
    places: list[dict[str, Any]] = [
        *({**part, name: nonsense} for name in ("display", "designation", "property", "extension")),
        {**part, "designation": [{"language": nonsense, "value": nonsense, "use": nonsense}]},
        {**part, "property": [{"code": nonsense, "valueCode": nonsense}]},
        {**part, "property": [{"code": "p", "valueCoding": nonsense}]},
    ]
    systems = [code_system(SYSTEM, place, concept("b")) for place in places]
    further = ("language", "name", "caseSensitive", "extension", "experimental", "version")
    systems += [code_system(SYSTEM, part, concept("b"), **{name: nonsense}) for name in further]
    plain = value_set("n", of(SYSTEM))
    sets = [{**plain, name: nonsense} for name in ("extension", "contained", "version", "url")]
    sets += [value_set("n", {**of(SYSTEM), "concept": [place]}) for place in places]
    sets += [value_set("n", of(SYSTEM), extension=nonsense)]
    groups: list[Any] = [nonsense, [nonsense], [{"source": SYSTEM, "element": nonsense}]]
    element = {"source": SYSTEM, "element": [{"code": "a", "target": nonsense}]}
    groups += [[element], [{"source": SYSTEM, "unmapped": nonsense}]]
    maps = [{"url": f"{SETS}/m", "group": group} for group in groups]
    kinds = (("CodeSystem", systems), ("ValueSet", sets), ("ConceptMap", maps))
    whole = {"CodeSystem": systems[-1] | code_system(SYSTEM, part, concept("b")), "ValueSet": plain}
    return [
        [
            {"resourceType": type_, **each},
            *({"resourceType": name, **good} for name, good in whole.items() if name != type_),
        ]
        for type_, resources in kinds
        for each in resources
    ]


@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
async def test_nonsense_in_definitions_is_refused_or_changes_nothing(
    server: Server, nonsense: Any
) -> None:
    for definitions in broken(nonsense):
        for operation, given in OPERATIONS:
            response = await post(server, operation, **given, **{"tx-resource": definitions})
            assert response.status_code in {200, 400, 404}, (definitions[0], response.text)


async def test_a_concept_of_very_many_codings_is_too_costly(server: Server) -> None:
    concept_ = {"coding": [{"system": SYSTEM, "code": "a"}] * 101}
    given = [
        {"name": "codeableConcept", "valueCodeableConcept": concept_},
        {"name": "url", "valueUri": "http://hl7.org/fhir/ValueSet/administrative-gender"},
    ]
    body = {"resourceType": "Parameters", "parameter": given}
    response = await server.post("ValueSet/$validate-code", body)

    words = "The codeableConcept has 101 codings; 100 are looked at at once."
    assert_issue(response, 400, "too-costly", words)
