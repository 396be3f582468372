"""What would silently go wrong with search parameters is refused when packing."""

from typing import Any

import pytest

from fhir_server.definitions.packing.search_parameters import compile_search_parameters

_NAME: dict[str, Any] = {
    "id": "name",
    "url": "http://x/name",
    "code": "name",
    "type": "string",
    "base": ["Patient"],
    "expression": "Patient.name",
}


def test_two_parameters_with_one_code_on_one_type_are_refused() -> None:
    other = {**_NAME, "id": "other", "url": "http://x/other", "base": ["Person", "Patient"]}
    with pytest.raises(ValueError, match=r"Patient\.name is both http://x/name and http://x/other"):
        compile_search_parameters([_NAME, other])


@pytest.mark.parametrize("missing", ["base", "expression"])
def test_a_parameter_that_nothing_can_search_must_be_named(missing: str) -> None:
    without = {name: value for name, value in _NAME.items() if name != missing}
    with pytest.raises(ValueError, match="http://x/name has no base or no expression"):
        compile_search_parameters([without])


def test_a_composite_holds_the_parameters_of_its_components() -> None:
    composite = {
        **_NAME,
        "id": "both",
        "url": "http://x/both",
        "code": "both",
        "type": "composite",
        "multipleOr": False,
        "component": [{"definition": "http://x/name", "expression": "family"}],
    }
    both, name = compile_search_parameters([_NAME, composite])
    assert both.components[0].parameter == name
    assert both.components[0].expression == "family"
    assert (both.multiple_or, name.multiple_or) == (False, True)
