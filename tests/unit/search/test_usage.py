"""The usage table speaks of parameters that exist and of dates that occur at most once."""

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.search.catalog import Catalog
from fhir_server.search.paths import Member, Path
from fhir_server.search.usage import DEFAULT, USAGES, usage_of

DEFINITIONS = load_definitions()
CATALOG = Catalog(DEFINITIONS)
TYPES = sorted(DEFINITIONS.resource_types)


def test_every_line_is_about_a_resource_type() -> None:
    assert set(USAGES) <= DEFINITIONS.resource_types


@pytest.mark.parametrize("type_", sorted(USAGES))
def test_what_a_line_names_and_the_default_does_not_exists(type_: str) -> None:
    usage, known = USAGES[type_], CATALOG.of(type_).compiled
    named = {usage.date} - {DEFAULT.date} | set(usage.codes) - set(DEFAULT.codes)
    named |= set(usage.categories) - set(DEFAULT.categories)
    assert {code for code in named if code} <= set(known)


@pytest.mark.parametrize("type_", TYPES)
def test_the_main_date_is_a_date_that_occurs_once(type_: str) -> None:
    code = usage_of(type_).date
    compiled = CATALOG.of(type_).compiled.get(code or "")
    if compiled is None:
        return
    assert compiled.type == "date"
    assert code not in CATALOG.of(type_).derived
    elements = set()
    for path in compiled.found:
        assert isinstance(path, Path)
        elements.add(_element(type_, path))
    assert len(elements) == 1, "two elements could both have a date"


@pytest.mark.parametrize("type_", TYPES)
def test_what_drivers_are_combined_with_has_keys_of_its_own(type_: str) -> None:
    usage, catalog = usage_of(type_), CATALOG.of(type_)
    for code in {*usage.codes, *usage.categories} & set(catalog.compiled):
        assert catalog.compiled[code].type in {"token", "reference", "uri"}
        assert code not in catalog.derived


def _element(type_: str, path: Path) -> str:
    """The element at the end of the path, every one on the way occurring at most once."""
    parent, names = type_, []
    for step in path.steps:
        assert isinstance(step, Member)
        element = DEFINITIONS.elements.by_key(parent)[step.key]
        assert not element.many, (type_, element.name)
        names.append(element.name)
        parent = element.keys[step.key]
    return ".".join(names)
