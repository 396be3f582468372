"""The search parameters of each type, from their definitions."""

import pytest

from fhir_server.definitions.registry import Definitions
from fhir_server.definitions.search_parameters import SearchParameter
from fhir_server.fhirpath.parser import parse
from tests.unit.definitions.conftest import Published

_BASES = {"Resource", "DomainResource"}
_NOT_FOR_DOMAIN = {"Binary", "Bundle", "Parameters"}
_COMMON = {"_id", "_lastUpdated", "_profile", "_security", "_source", "_tag"}


def test_each_type_has_the_published_parameters_and_no_other(
    definitions: Definitions, published: Published
) -> None:
    expected: dict[str, dict[str, str]] = {name: {} for name in definitions.resource_types}
    for original in published("searchparameters"):
        is_example = original["id"].startswith("example")
        is_usable = "expression" in original or original["code"].startswith("_")
        for base in original.get("base", []) if is_usable and not is_example else []:
            for name in _concrete(base, definitions):
                expected[name][original["code"]] = original["url"]
    ours = {
        name: {code: each.url for code, each in definitions.search_parameters(name).items()}
        for name in definitions.resource_types
    }
    assert ours == expected


def test_a_parameter_says_what_its_definition_says(
    definitions: Definitions, published: Published
) -> None:
    by_url = _by_url(definitions)
    for original in published("searchparameters"):
        ours = by_url.get(original["url"])
        if ours is not None:
            assert ours.code == original["code"]
            assert ours.type == original["type"]
            assert list(ours.base) == original["base"]
            assert ours.expression == original.get("expression")
            assert list(ours.targets) == original.get("target", [])
            assert list(ours.comparators) == original.get("comparator", [])
            assert ours.multiple_or is original.get("multipleOr", True)
            assert [(each.parameter.url, each.expression) for each in ours.components] == [
                (each["definition"], each["expression"]) for each in original.get("component", [])
            ]


def test_every_type_has_the_parameters_of_all_resources(definitions: Definitions) -> None:
    for name in definitions.resource_types:
        assert definitions.search_parameters(name).keys() >= _COMMON
        is_domain = "_text" in definitions.search_parameters(name)
        assert is_domain is (name not in _NOT_FOR_DOMAIN)


def test_every_expression_parses(definitions: Definitions) -> None:
    for parameter in _by_url(definitions).values():
        if parameter.expression is not None:
            parse(parameter.expression)
        for component in parameter.components:
            parse(component.expression)


def test_only_what_looks_at_no_element_has_no_expression(definitions: Definitions) -> None:
    without = {each.code for each in _by_url(definitions).values() if each.expression is None}
    assert without == {"_text", "_content", "_query", "_filter"}


def test_components_are_never_composites_themselves(definitions: Definitions) -> None:
    composites = [each for each in _by_url(definitions).values() if each.components]
    assert len(composites) == 46
    for composite in composites:
        assert composite.type == "composite"
        assert len(composite.components) in {2, 3}
        assert all(not each.parameter.components for each in composite.components)
        assert all(each.parameter.expression for each in composite.components)


@pytest.mark.parametrize(
    ("resource_type", "code", "url"),
    [
        ("Patient", "_id", "Resource-id"),
        ("Condition", "subject", "Condition-subject"),
        ("Patient", "birthdate", "individual-birthdate"),
        ("Bundle", "composition", "Bundle-composition"),
    ],
)
def test_a_code_is_the_real_parameter_where_an_example_has_the_same(
    definitions: Definitions, resource_type: str, code: str, url: str
) -> None:
    parameter = definitions.search_parameter(resource_type, code)
    assert parameter is not None
    assert parameter.url == f"http://hl7.org/fhir/SearchParameter/{url}"


@pytest.mark.parametrize(
    ("resource_type", "code"),
    [
        ("Patient", "age"),
        ("Patient", "birthOrderBoolean"),
        ("Patient", "part-agree"),
        ("CodeSystem", "author"),
        ("ValueSet", "effective"),
        ("Patient", "code"),
    ],
)
def test_what_nothing_can_search_is_no_parameter(
    definitions: Definitions, resource_type: str, code: str
) -> None:
    assert definitions.search_parameter(resource_type, code) is None


def test_the_parameters_of_an_abstract_type_are_a_key_error(definitions: Definitions) -> None:
    with pytest.raises(KeyError):
        definitions.search_parameters("Resource")


def _by_url(definitions: Definitions) -> dict[str, SearchParameter]:
    return {
        each.url: each
        for name in definitions.resource_types
        for each in definitions.search_parameters(name).values()
    }


def _concrete(base: str, definitions: Definitions) -> set[str]:
    if base not in _BASES:
        return {base}
    types = set(definitions.resource_types)
    return types if base == "Resource" else types - _NOT_FOR_DOMAIN
