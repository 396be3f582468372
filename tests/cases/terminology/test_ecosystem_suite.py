"""The public cases for terminology servers: each test of the suite is a case here.

https://github.com/HL7/fhir-tx-ecosystem-ig, folder tests. The definitions a case needs come with
its request. Compared are: what is refused, and by which issue code; of $validate-code all that is
told of the code, and of each issue severity, code, kind and place; of $expand the tree of codes
with displays, flags and designations, and the total. Sentences are our own, and the order within
a list is free. What is not met is listed with the reason in `skipped.json`, and must go on failing
while it is.
"""

import json
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.data import data_folder
from tests.support.server import Server

pytestmark = pytest.mark.anyio

SKIPPED = json.loads(Path(__file__).with_name("skipped.json").read_text())
"""Names of cases, each with the reason why it is not met."""
PATHS = {
    "expand": "ValueSet/$expand",
    "validate-code": "ValueSet/$validate-code",
    "cs-validate-code": "CodeSystem/$validate-code",
    "lookup": "CodeSystem/$lookup",
    "translate": "ConceptMap/$translate",
    "batch-validate": "ValueSet/$batch-validate-code",
}
TOLD = (
    "result",
    "code",
    "system",
    "version",
    "display",
    "inactive",
    "status",
    "normalized-code",
    "x-unknown-system",
    "x-caused-by-unknown-system",
    "definition",
    "name",
    "abstract",
)
Json = dict[str, Any]
Tree = list[tuple[str, Any]]


@cache
def files() -> Mapping[str, Any]:
    """All files of the suite by their paths below `tests`."""
    with tarfile.open(data_folder("fhir-test-cases/tx-ecosystem.tar.gz")) as archive:
        members = [each for each in archive.getmembers() if each.name.endswith(".json")]
        read = {each.name.partition("tests/")[2]: archive.extractfile(each) for each in members}
        return {
            name: json.loads(file.read().decode("utf-8-sig"))
            for name, file in read.items()
            if file is not None
        }


def _cases() -> Iterator[Any]:
    for suite in files()["test-cases.json"]["suites"]:
        for test in suite["tests"]:
            name = f"{suite['name']}: {test['name']}"
            wrong = SKIPPED.get(name)
            marks = [pytest.mark.xfail(reason=wrong, strict=True)] if wrong else []
            yield pytest.param(suite, test, id=name, marks=marks)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "suite" in metafunc.fixturenames:
        try:
            cases = list(_cases())
        except (pytest.skip.Exception, pytest.fail.Exception):
            cases = [(None, None)]  # which is told when it runs
        metafunc.parametrize(("suite", "test"), cases)


async def test_the_server_answers_as_the_suite_says(
    server: Server, suite: Json | None, test: Json | None
) -> None:
    if suite is None or test is None:
        files()
        raise AssertionError("the suite has no cases")
    headers = {"accept_language": test["Accept-Language"]} if "Accept-Language" in test else {}
    response = await server.post(PATHS[test["operation"]], request_of(suite, test), **headers)
    expected = [files()[test[name]] for name in ("response", "response:flat") if name in test]
    told = [differences(each, response.status_code, response.json(), test) for each in expected]
    assert [] in told, told[0]


def test_at_least_95_of_100_cases_are_met() -> None:
    names = [each.id for each in _cases()]
    assert len(names) == 304
    assert sorted(set(SKIPPED) - set(names)) == []
    assert len(SKIPPED) <= len(names) * 0.05


def request_of(suite: Json, test: Json) -> Json:
    """The parameters of a case, with those of its profile, and the definitions it needs."""
    profile = files()[test["profile"]]["parameter"] if "profile" in test else []
    needed = [{"name": "tx-resource", "resource": files()[name]} for name in suite["setup"]]
    kept = [each for each in profile if each["name"] != "uuid"]
    given = files()[test["request"]].get("parameter", [])
    return {"resourceType": "Parameters", "parameter": [*given, *kept, *needed]}


def differences(expected: Json, status: int, found: Json, test: Json) -> list[str]:
    if expected["resourceType"] == "OperationOutcome":
        return refusal(expected, status, found)
    if status != 200:
        return [f"{status}: {found['issue'][0]['diagnostics']}"]
    if expected["resourceType"] == "ValueSet":
        return expansion(expected["expansion"], found["expansion"])
    validating = test["operation"].endswith("validate-code")
    return answers(expected.get("parameter", []), found["parameter"], strict=validating)


def refusal(expected: Json, status: int, found: Json) -> list[str]:
    if not 400 <= status < 500:
        return [f"answered with {status}"]
    wanted: str = expected["issue"][0]["code"]
    codes = wanted.removeprefix("$choice:").removesuffix("$").split("|")
    code = found["issue"][0]["code"]
    return [] if code in codes else [f"{code} in place of {wanted}"]


def expansion(expected: Json, found: Json) -> list[str]:
    wanted, ours = tree(expected.get("contains", [])), tree(found.get("contains", []))
    told = [f"missing: {[each for each in wanted if each not in ours]}"] if wanted != ours else []
    if expected.get("total", found["total"]) != found["total"]:
        told.append(f"total {found['total']} in place of {expected['total']}")
    return told


def tree(contains: list[Json]) -> Tree:
    return sorted((entry(each), tree(each.get("contains", []))) for each in contains)


def entry(contained: Json) -> str:
    named = [contained.get(name) for name in ("system", "code", "display")]
    flags = [contained.get(name, False) for name in ("abstract", "inactive")]
    designations = [
        f"{each.get('language')} {each['value']}" for each in contained.get("designation", [])
    ]
    return json.dumps([named, flags, sorted(designations)])


def answers(expected: list[Json], found: list[Json], *, strict: bool) -> list[str]:
    """`strict`: nothing may be told beyond what is expected."""
    wanted, ours = ({each["name"]: each for each in side} for side in (expected, found))
    told = []
    for name in TOLD:
        value = content(ours[name]) if name in ours else None
        if name not in wanted:
            told += [f"told: {name} {value}"] if strict and value is not None else []
        elif (name in ours or "$optional$" not in wanted[name]) and value != content(wanted[name]):
            told.append(f"{name}: {value} in place of {content(wanted[name])}")
    return told + issues(wanted.get("issues"), ours.get("issues"))


def content(parameter: Json) -> Any:
    return next(value for name, value in parameter.items() if name not in {"name", "$optional$"})


def issues(expected: Json | None, found: Json | None) -> list[str]:
    wanted = list(expected["resource"]["issue"]) if expected else []
    must = Counter(kind(each) for each in wanted if "$optional$" not in each)
    may = Counter(kind(each) for each in wanted if "$optional$" in each)
    ours = Counter(kind(each) for each in found["resource"]["issue"]) if found else Counter()
    told = [f"issue missing: {each}" for each in must - ours]
    return told + [f"issue too much: {each}" for each in ours - must - may]


def kind(issue: Json) -> tuple[str, str, str, str]:
    (coding,) = issue["details"]["coding"]
    return issue["severity"], issue["code"], coding["code"], str(issue.get("expression"))
