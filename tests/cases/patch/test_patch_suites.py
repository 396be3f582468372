"""The public patch suites: JSON Patch (RFC 6902) and FHIRPath Patch.

https://github.com/FHIR/fhir-test-cases. The XML Patch cases of the same folder do not apply: R4
lets a server choose its patch formats, and this one offers JSON and FHIRPath.
"""

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from fhir_server.errors import FhirError
from fhir_server.fhir import json_patch
from fhir_server.fhirpath import patch
from tests.support.data import data_folder
from tests.support.fhir_xml import FHIR, resource
from tests.support.fhirpath import elements

JSON_CASES = 8
FHIRPATH_CASES = 17


def test_json_patch_does_what_the_suite_says() -> None:
    cases = json.loads((data_folder("fhir-test-cases/patch") / "json-patch-tests.json").read_text())
    assert len(cases) == JSON_CASES
    for case in cases:
        if "error" in case:
            with pytest.raises(FhirError):
                json_patch.apply_patch(case["doc"], case["patch"])
        else:
            assert json_patch.apply_patch(case["doc"], case["patch"]) == case["expected"]


@pytest.mark.parametrize("number", range(FHIRPATH_CASES))
def test_fhirpath_patch_does_what_the_suite_says(number: int) -> None:
    path = data_folder("fhir-test-cases/patch") / "fhir-patch-tests.xml"
    cases = list(ET.parse(path).getroot().iter("case"))
    assert len(cases) == FHIRPATH_CASES
    case = cases[number]
    given, parameters = _resource(case, "input"), _resource(case, "diff")
    if case.find("error") is not None:
        with pytest.raises(FhirError):
            patch.apply_patch(given, parameters, elements())
    else:
        assert patch.apply_patch(given, parameters, elements()) == _resource(case, "output")
    assert given == _resource(case, "input")


def _resource(case: ET.Element, name: str) -> dict[str, Any]:
    around = case.find(name)
    assert around is not None
    (inner,) = around
    assert inner.tag.startswith(FHIR)
    return resource(inner, elements())
