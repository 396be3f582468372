"""Every expression of R4 and of the public test suite parses, and writes itself faithfully."""

import gzip
import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from fhir_server.definitions.registry import load_definitions
from fhir_server.fhirpath.errors import FhirPathSyntaxError
from fhir_server.fhirpath.parser import parse
from tests.support.data import data_folder

_REFUSED_WITH_SAME_RIGHT = {"@T14:34:28Z.is(Time)", "@T14:34:28+10:00.is(Time)"}
"""The suite wants an error of any kind; the grammar of N1 gives a time no zone."""

_HAS_FHIRPATH = re.compile(rb'^{"resourceType":\s*"(SearchParameter|StructureDefinition)"')
_EXPRESSION = re.compile(rb'"expression":\s*("(?:[^"\\]|\\.)*")')


def test_every_search_parameter_and_invariant_of_r4_parses() -> None:
    definitions = load_definitions()
    expressions = set()
    for kind in ("SearchParameter", "StructureDefinition"):
        for url in definitions.canonicals(kind):
            expressions |= set(_expressions(definitions.by_canonical(url)))
    assert len(expressions) > 1300
    for expression in expressions:
        assert parse(str(parse(expression))) == parse(expression)


def test_every_invariant_of_the_implementation_guides_parses() -> None:
    expressions = set()
    for path in sorted(data_folder("ig").glob("*/definitions.ndjson.gz")):
        for line in gzip.decompress(path.read_bytes()).split(b"\n"):
            if _HAS_FHIRPATH.search(line):
                expressions |= {json.loads(each) for each in _EXPRESSION.findall(line)}
    assert len(expressions) > 300
    for expression in expressions:
        assert parse(str(parse(expression))) == parse(expression)


def test_the_public_suite_parses_but_for_what_it_marks_as_wrong() -> None:
    suite = ET.parse(data_folder("fhir-test-cases/fhirpath/tests-fhir-r4.xml"))
    refused = set()
    seen = 0
    for each in suite.iter("expression"):
        text = each.text or ""
        seen += 1
        try:
            tree = parse(text)
        except FhirPathSyntaxError:
            refused.add(text)
        else:
            assert parse(str(tree)) == tree
    marked = {each.text for each in suite.iter("expression") if each.get("invalid") == "syntax"}
    assert seen >= 935
    assert len(marked) == 2
    assert refused == marked | _REFUSED_WITH_SAME_RIGHT


def _expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "expression" and isinstance(member, str):
                yield member
            else:
                yield from _expressions(member)
    elif isinstance(value, list):
        for member in value:
            yield from _expressions(member)
