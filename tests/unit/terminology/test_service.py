"""The terminology service against what is published, and against definitions made to break it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.errors import BadRequest, NotLoaded, TooCostly
from fhir_server.terminology.expansion import Written, codes_of
from fhir_server.terminology.inquiry import Wishes
from fhir_server.terminology.library import Held
from fhir_server.terminology.service import MOST_NESTED, Terminology

pytestmark = pytest.mark.anyio

DEFINITIONS = load_definitions()
SYSTEM, OTHER = "http://example.org/cs", "http://example.org/other"
SET = "http://example.org/vs"


class Shelf:
    """A library of these definitions."""

    def __init__(self, *resources: Mapping[str, Any]) -> None:
        self._held = [
            (each, Held(each["resourceType"], str(at), 1, msgspec.json.encode(each)))
            for at, each in enumerate(resources)
        ]

    async def by_canonical(self, type_: str, url: str, version: str) -> Held | None:
        for resource, held in self._held:
            named = held.type == type_ and resource.get("url") == url
            if named and version in ("", resource.get("version")):
                return held
        return None

    async def versions(self, type_: str, url: str) -> list[str]:
        return [each["version"] for each, _ in self._held if each.get("url") == url]

    async def by_id(self, type_: str, id_: str) -> Held | None:
        found = (held for _, held in self._held if (held.type, held.id) == (type_, id_))
        return next(found, None)


class WithoutExpansions(Terminology):
    """Follows rules even where R4 publishes their outcome."""

    def published_expansion(self, canonical: str) -> Written | None:
        return None


def value_set(name: str = "", **members: Any) -> dict[str, Any]:
    return {"resourceType": "ValueSet", "url": SET + name, **members}


def code_system(*concepts: Any, url: str = SYSTEM, **members: Any) -> dict[str, Any]:
    found = {"resourceType": "CodeSystem", "url": url, "content": "complete"}
    return {**found, "concept": concepts, **members}


def taking(*include: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    return {"compose": {"include": list(include), **members}}


OUTDATED = {
    "detectedissue-category": 49,  # a property `child` puts more below than the nesting does
    "diagnostic-service-sections": 4,
    "observation-interpretation": 10,
    "patient-contactrelationship": 4,
    "relatedperson-relationshiptype": 4,
    "security-labels": 7,
    "v2-0487": 2,
    "v2-0916": 1,
    "v3-ActCode": 1,
    "v3-ActPharmacySupplyType": 4,
}
"""Codes that the rules have and the published expansion lacks: it leaves out deprecated ones."""


async def test_the_rules_of_published_value_sets_give_what_is_published() -> None:
    terminology, more, same = WithoutExpansions(DEFINITIONS), dict[str, int](), 0
    for url in DEFINITIONS.canonicals("ValueSet"):
        expansion = DEFINITIONS.expansion(url)
        published = codes_of(expansion) if expansion is not None else None
        if published is None:
            continue
        try:
            found = await terminology.members(url, Shelf())
        except NotLoaded:
            continue
        assert found >= published, url
        if found == published:
            same += 1
        else:
            more[url.rpartition("/")[2]] = len(found - published)
    assert more == OUTDATED
    assert same == 482


async def test_most_published_value_sets_are_known_and_the_others_say_why() -> None:
    terminology, unknown = Terminology(DEFINITIONS), []
    urls = DEFINITIONS.canonicals("ValueSet")
    for url in urls:
        try:
            await terminology.members(url, Shelf())
        except NotLoaded as error:
            unknown.append(error.message)
    assert len(urls) - len(unknown) == 1255
    reasons = (
        "No codes of ",
        "There is no value set ",
        "cannot be asked: ",
        "are chosen by ",
        "all at once",
    )
    assert [each for each in unknown if not any(reason in each for reason in reasons)] == []


async def test_an_implied_value_set_is_known_once_its_codes_are() -> None:
    snomed = "http://snomed.info/sct"
    shelf = Shelf(code_system({"code": "1", "concept": [{"code": "2"}, {"code": "3"}]}, url=snomed))
    terminology = Terminology(DEFINITIONS)
    assert {each.code for each in await terminology.members(f"{snomed}?fhir_vs", shelf)} == set(
        "123"
    )
    under = await terminology.members(f"{snomed}?fhir_vs=isa/2", shelf)
    assert under == {(snomed, "2")}
    for other in ("refset/2", "ecl/<2", "isa/", "isa/9"):
        with pytest.raises(NotLoaded):
            await terminology.members(f"{snomed}?fhir_vs={other}", shelf)


async def test_codes_out_of_use_are_left_out_when_the_rules_say_so() -> None:
    retired = [{"code": "status", "valueCode": "retired"}]
    gone = [{"code": "gone", "valueBoolean": True}]
    shelf = Shelf(
        code_system(
            {"code": "a"},
            {"code": "b", "property": retired},
            {"code": "c", "property": gone},
            property=[{"code": "gone", "uri": "http://hl7.org/fhir/concept-properties#inactive"}],
        ),
        value_set("active", **taking({"system": SYSTEM}, inactive=False)),
        value_set("all", **taking({"system": SYSTEM})),
        value_set("other", **taking({"system": OTHER, "concept": [{"code": "x"}]}, inactive=False)),
    )
    terminology = Terminology(DEFINITIONS)
    assert await terminology.members(f"{SET}active", shelf) == {(SYSTEM, "a")}
    assert len(await terminology.members(f"{SET}all", shelf)) == 3
    assert await terminology.members(f"{SET}other", shelf) == {(OTHER, "x")}


async def test_a_version_that_is_not_here_is_not_taken_for_another() -> None:
    shelf = Shelf(
        code_system({"code": "a"}, version="2"),
        value_set("two", **taking({"system": SYSTEM, "version": "2"})),
        value_set("one", **taking({"system": SYSTEM, "version": "1"})),
    )
    terminology = Terminology(DEFINITIONS)
    assert await terminology.members(f"{SET}two", shelf) == {(SYSTEM, "a")}
    with pytest.raises(NotLoaded, match=r"No codes of version 1 of the code system http://exam"):
        await terminology.members(f"{SET}one", shelf)


async def test_value_sets_within_one_another_come_to_an_end() -> None:
    deep = [
        value_set(str(at), **taking({"valueSet": [f"{SET}{at + 1}"]}))
        for at in range(MOST_NESTED + 1)
    ]
    last = value_set(str(MOST_NESTED), **taking({"system": OTHER, "concept": [{"code": "x"}]}))
    terminology = Terminology(DEFINITIONS)
    with pytest.raises(TooCostly, match="20 within one another"):
        await terminology.members(f"{SET}0", Shelf(*deep))
    assert len(await terminology.members(f"{SET}1", Shelf(*deep[:MOST_NESTED], last))) == 1


async def test_value_sets_that_meet_again_and_again_are_asked_once() -> None:
    twice = [
        value_set(
            str(at), **taking({"valueSet": [f"{SET}{at + 1}"]}, {"valueSet": [f"{SET}{at + 1}"]})
        )
        for at in range(15)
    ]
    last = value_set("15", **taking({"system": OTHER, "concept": [{"code": "x"}]}))
    found = await Terminology(DEFINITIONS).members(f"{SET}0", Shelf(*twice, last))
    assert found == {(OTHER, "x")}


async def test_too_many_codes_are_refused_with_their_number() -> None:
    shelf = Shelf(
        code_system({"code": "root", "concept": [{"code": str(at)} for at in range(5)]}),
        value_set(**taking({"system": SYSTEM})),
    )
    terminology = Terminology(DEFINITIONS, most_codes=5)
    with pytest.raises(TooCostly, match="There are 6 codes in the value set"):
        await terminology.members(SET, shelf)
    with pytest.raises(TooCostly, match="There are 6 codes in root of"):
        await terminology.below(SYSTEM, "root", shelf)
    assert len(await terminology.above(SYSTEM, "4", shelf)) == 2


NONSENSE: list[Any] = [None, 0, "x", [], {}, [None], ["x"], [[]], [{}], {"code": "x"}]
LISTED = {"system": OTHER, "concept": [{"code": "x"}]}


def systems_with(nonsense: Any) -> list[dict[str, Any]]:
    known = {"code": "a"}
    found = [code_system(known, **{name: nonsense}) for name in ("concept", "property", "version")]
    parts: list[dict[str, Any]] = [
        {"concept": nonsense},
        {"property": nonsense},
        {"property": [{"code": nonsense}]},
        {"property": [{"code": "parent", "valueCode": nonsense}]},
        {"property": [{"code": "parent", "valueCoding": nonsense}]},
    ]
    return found + [code_system({**known, **part}, {"code": nonsense}) for part in parts]


def value_sets_with(nonsense: Any) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [
        {"compose": nonsense},
        {"compose": {"include": nonsense}},
        {"expansion": nonsense},
        {"expansion": {"contains": nonsense}},
        taking(LISTED, exclude=nonsense),
        taking({**LISTED, "concept": nonsense}),
        taking({**LISTED, "system": nonsense}),
        taking({**LISTED, "valueSet": nonsense}),
        taking({"system": SYSTEM, "filter": nonsense}),
        taking({"system": SYSTEM, "filter": [{"op": nonsense}]}),
    ]
    return [value_set(**part) for part in parts]


@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
async def test_nonsense_in_a_code_system_is_refused_or_changes_nothing(nonsense: Any) -> None:
    terminology = Terminology(DEFINITIONS)
    for resource in systems_with(nonsense):
        try:
            found = await terminology.below(SYSTEM, "a", Shelf(resource))
        except BadRequest as error:
            told = error.message
        else:
            told = "."
            assert found <= {(SYSTEM, "a"), (SYSTEM, "x")}
        assert told.endswith(".")
        terminology = Terminology(DEFINITIONS)


@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
async def test_nonsense_in_a_value_set_is_refused_or_changes_nothing(nonsense: Any) -> None:
    terminology = Terminology(DEFINITIONS)
    for resource in value_sets_with(nonsense):
        shelf = Shelf(resource, code_system({"code": "a"}))
        try:
            found = await terminology.members(SET, shelf)
        except BadRequest as error:
            told = error.message
        else:
            told = "."
            assert found <= {(OTHER, "x"), ("x", "x"), (SYSTEM, "a")}
        assert told.endswith(".")


async def test_a_filter_that_cannot_be_read_is_never_passed_over() -> None:
    wrongs: list[Any] = ["x", {}, [None], [{}]]
    for wrong in wrongs:
        shelf = Shelf(
            value_set(**taking({"system": SYSTEM, "filter": wrong})), code_system({"code": "a"})
        )
        with pytest.raises(NotLoaded):
            await Terminology(DEFINITIONS).members(SET, shelf)


@pytest.mark.parametrize("trusting", [True, False])
async def test_a_value_set_says_the_same_however_it_is_asked(*, trusting: bool) -> None:
    terminology, asked = WithoutExpansions(DEFINITIONS), 0
    for url in DEFINITIONS.canonicals("ValueSet"):
        inquiry = terminology.inquiry(Shelf(), Wishes(trusts_lists=trusting))
        try:
            found = await inquiry.value_set(url)
            members = list(found)
        except NotLoaded:
            continue
        asked += 1
        assert found.coded(headings=True) == {each.coded for each in members}, url
        assert found.coded(headings=False) == {each.coded for each in members if each.selectable}
        assert found.size in (None, len(members))
        for each in members[:50]:
            assert found.find(*each.coded) == each
            assert found.find(each.system, f"{each.code}~") is None
            assert found.find(f"{each.system}~", each.code) is None
    assert asked > 1200
