"""The public FHIRPath suite for R4: each test of the file is a case here.

https://github.com/FHIR/fhir-test-cases, group by group. What it gets wrong, or what R4 itself
contradicts, is listed with the reason in `skipped.json`, and must go on failing while it is.
"""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from fhir_server.fhir.json_format import parse
from fhir_server.fhirpath import Element, Environment, compile, system  # noqa: A004 - its name
from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.fhirpath.functions.conversion import to_string
from fhir_server.fhirpath.items import SYSTEM_TYPES
from fhir_server.fhirpath.temporal import Date, DateTime, Time
from tests.support.data import data_folder
from tests.support.fhir_xml import resource
from tests.support.fhirpath import elements

SKIPPED = json.loads(Path(__file__).with_name("skipped.json").read_text())
"""Names of tests, each with the reason why it is not met."""
PROFILE = "http://hl7.org/fhir/StructureDefinition/"


def _tests() -> list[Any]:
    found = []
    for group in ET.parse(_suite()).getroot().iter("group"):
        for test in group.iter("test"):
            name = test.get("name")
            wrong = SKIPPED.get(name)
            marks = [pytest.mark.xfail(reason=wrong)] if wrong else []
            found.append(pytest.param(test, id=f"{group.get('name')}-{name}", marks=marks))
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "test" in metafunc.fixturenames:
        try:
            tests = _tests()
        except (pytest.skip.Exception, pytest.fail.Exception):
            tests = [None]  # which is told when it runs
        metafunc.parametrize("test", tests)


def test_the_engine_does_what_the_suite_says(test: ET.Element | None) -> None:
    if test is None:
        test = ET.parse(_suite()).getroot()
    (expression,) = test.iter("expression")
    invalid = expression.get("invalid")
    context = _input(test.get("inputfile"))
    if invalid is not None:
        with pytest.raises(FhirPathError):
            _evaluate(test, expression.text or "", context, strict=invalid == "semantic")
        return
    found = _evaluate(test, expression.text or "", context, strict=False)
    expected = [(output.get("type"), output.text or "") for output in test.iter("output")]
    if test.get("predicate") == "true":
        found = [("boolean", "true" if found else "false")]
    if test.get("ordered") == "false":
        found, expected = sorted(found), sorted(expected)
    assert [text for _, text in found] == [text for _, text in expected]
    for (kind, _), (wanted, _) in zip(found, expected, strict=True):
        assert wanted in {None, kind}


def test_at_least_98_of_100_tests_are_met() -> None:
    names = [test.values[0].get("name") for test in _tests()]
    assert len(names) >= 935
    assert sorted(set(SKIPPED) - set(names)) == []
    assert sum(name in SKIPPED for name in names) <= len(names) * 0.02


def _suite() -> Path:
    return data_folder("fhir-test-cases/fhirpath/tests-fhir-r4.xml")


def _evaluate(test: ET.Element, text: str, context: Any, *, strict: bool) -> list[tuple[str, str]]:
    type_ = context["resourceType"] if strict and context else None
    order = test.get("checkOrderedFunctions") == "true"
    expression = compile(text, elements(), type_, order=order)
    return [_shown(item) for item in expression.evaluate(context, Environment(conforms=_conforms))]


def _input(name: str | None) -> Any:
    if not name:
        return None
    path = data_folder("fhir-test-cases/fhirpath/input") / name
    if path.suffix == ".json":
        return parse(path.read_bytes())
    return resource(ET.parse(path).getroot(), elements())


def _conforms(element: Element, profile: str) -> bool | None:
    """The suite only asks for the base profiles."""
    name = profile.removeprefix(PROFILE)
    return name == element.type if name in elements().types else None


def _shown(item: Any) -> tuple[str, str]:
    """Type and text, as the suite writes them."""
    value = system(item)
    name = item.type if isinstance(item, Element) else SYSTEM_TYPES[type(value)]
    sign = "@T" if isinstance(value, Time) else "@" if isinstance(value, Date | DateTime) else ""
    lowered = name if name == "Quantity" else name[0].lower() + name[1:]
    return lowered, f"{sign}{to_string(value)}"
