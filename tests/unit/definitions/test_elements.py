"""The element table says what the snapshots say."""

from typing import Any

import pytest

from fhir_server.definitions.elements import Element, ElementTable
from fhir_server.definitions.registry import Definitions
from tests.unit.definitions.conftest import Published

_CORE = "http://hl7.org/fhir/StructureDefinition/"


@pytest.fixture
def table(definitions: Definitions) -> ElementTable:
    return definitions.elements


def test_every_published_element_is_in_the_table_and_no_other(
    table: ElementTable, published: Published
) -> None:
    """An own walk over the raw snapshots, by full path, knowing nothing of type paths."""
    expected = set()
    for structure in _structures(published):
        for element in structure["snapshot"]["element"]:
            is_value = structure["kind"] == "primitive-type" and element["path"].endswith(".value")
            if "." in element["path"] and element["max"] != "0" and not is_value:
                expected.add(element["path"].replace("[x]", ""))
    ours = {f"{name}.{child}" for name in table.types for child in table.children(name)}
    assert ours == expected


def test_cardinality_and_flags_are_the_published_ones(
    table: ElementTable, published: Published
) -> None:
    for path, element, row in _pairs(table, published):
        assert str(row.min) == str(element["min"]), path
        assert ("*" if row.max is None else str(row.max)) == element["max"], path
        assert row.many is (element["max"] == "*"), path
        assert row.choice is path.endswith("[x]"), path
        assert row.modifier is element["isModifier"], path
        assert row.summary is element.get("isSummary", False), path
        assert row.attribute is ("xmlAttr" in element.get("representation", [])), path


def test_json_members_and_their_types_are_the_published_ones(
    table: ElementTable, published: Published
) -> None:
    for path, element, row in _pairs(table, published):
        name = path.rsplit(".", 1)[1]
        if "contentReference" in element:
            assert row.keys == {name: element["contentReference"][1:]}, path
            assert table.children(element["contentReference"][1:]), path
            continue
        codes = [each["code"] for each in element["type"]]
        if name.endswith("[x]"):
            members = {name[:-3] + code[:1].upper() + code[1:]: code for code in codes}
            assert row.keys == members, path
        elif codes in (["BackboneElement"], ["Element"]) and path in table.types:
            assert row.keys == {name: path}, path
        elif not codes[0].startswith("http:"):
            assert row.keys == {name: codes[0]}, path
        else:
            assert name in {"id", "url"}, path
            assert set(row.keys.values()) <= {"id", "string", "uri"}, path


def test_every_type_an_element_has_is_itself_in_the_table(table: ElementTable) -> None:
    for name in table.types:
        for element in table.children(name).values():
            assert all(kind in table.types for kind in element.keys.values())


def test_bindings_and_targets_are_the_published_ones(
    table: ElementTable, published: Published
) -> None:
    for path, element, row in _pairs(table, published):
        binding = element.get("binding")
        ours = row.binding and (row.binding.strength, row.binding.value_set)
        assert ours == (binding and (binding["strength"], binding.get("valueSet"))), path
        for kind, targets in (
            ("Reference", row.reference_targets),
            ("canonical", row.canonical_targets),
        ):
            stated = [each for each in element.get("type", []) if each["code"] == kind]
            profiles = [each.get("targetProfile", [f"{_CORE}Resource"]) for each in stated]
            assert [[f"{_CORE}{each}" for each in targets]] * len(stated) == profiles, path


def test_elements_keep_their_published_order(table: ElementTable, published: Published) -> None:
    for structure in _structures(published):
        if structure["kind"] == "resource":
            name = structure["type"]
            paths = [each["path"] for each in structure["snapshot"]["element"]]
            direct = [path.split(".")[1] for path in paths if path.count(".") == 1]
            assert list(table.children(name)) == [each.replace("[x]", "") for each in direct]


@pytest.mark.parametrize(
    ("parent", "name", "keys"),
    [
        ("Patient", "gender", {"gender": "code"}),
        ("Patient", "id", {"id": "id"}),
        ("HumanName", "id", {"id": "string"}),
        ("Extension", "url", {"url": "uri"}),
        ("Narrative", "div", {"div": "xhtml"}),
        (
            "Patient",
            "deceased",
            {"deceasedBoolean": "boolean", "deceasedDateTime": "dateTime"},
        ),
        ("Patient", "contained", {"contained": "Resource"}),
        ("Patient", "contact", {"contact": "Patient.contact"}),
        ("Patient.contact", "name", {"name": "HumanName"}),
        (
            "Observation.component",
            "referenceRange",
            {"referenceRange": "Observation.referenceRange"},
        ),
        ("Questionnaire.item", "item", {"item": "Questionnaire.item"}),
        ("Timing", "repeat", {"repeat": "Timing.repeat"}),
        ("Bundle.entry", "resource", {"resource": "Resource"}),
        ("string", "extension", {"extension": "Extension"}),
    ],
)
def test_a_child_has_the_json_members_of_its_types(
    table: ElementTable, parent: str, name: str, keys: dict[str, str]
) -> None:
    child = table.child(parent, name)
    assert child is not None
    assert child.keys == keys


@pytest.mark.parametrize(
    ("parent", "name"),
    [
        ("Patient", "value"),
        ("Observation", "value[x]"),
        ("Observation", "valueQuantity"),
        ("string", "value"),
        ("xhtml", "extension"),
    ],
)
def test_a_name_the_specification_does_not_have_is_no_child(
    table: ElementTable, parent: str, name: str
) -> None:
    assert table.child(parent, name) is None


def test_a_type_nobody_defined_is_a_key_error(table: ElementTable) -> None:
    with pytest.raises(KeyError, match="Patiant"):
        table.child("Patiant", "name")


def test_json_members_lead_to_their_element(table: ElementTable) -> None:
    value = table.by_key("Observation")["valueQuantity"]
    assert value is table.child("Observation", "value")
    assert value.type_of("valueQuantity") == "Quantity"
    assert value.type_of("valueMoney") is None
    assert value.key_of("dateTime") == "valueDateTime"
    assert value.key_of("Money") is None


@pytest.mark.parametrize(
    ("parent", "name", "system"),
    [
        ("Patient", "gender", "http://hl7.org/fhir/administrative-gender"),
        ("Observation", "status", "http://hl7.org/fhir/observation-status"),
        ("Identifier", "use", "http://hl7.org/fhir/identifier-use"),
        ("Attachment", "contentType", "urn:ietf:bcp:13"),
        ("Money", "currency", "urn:iso:std:iso:4217"),
        # two systems, an excluded one, a binding that is not required, a type that is not code
        ("Task", "intent", None),
        ("ParameterDefinition", "type", None),
        ("Resource", "language", None),
        ("Condition", "clinicalStatus", None),
        ("Patient", "active", None),
    ],
)
def test_a_required_code_has_the_one_system_of_its_value_set(
    table: ElementTable, parent: str, name: str, system: str | None
) -> None:
    child = table.child(parent, name)
    assert child is not None
    assert child.system == system


def test_every_code_of_such_an_expansion_is_of_that_system(definitions: Definitions) -> None:
    """The expansions were made by other software from the same value sets."""
    checked = 0
    for name in definitions.elements.types:
        for element in definitions.elements.children(name).values():
            if element.system and element.binding and element.binding.value_set:
                expansion = definitions.expansion(element.binding.value_set) or {}
                systems = {each["system"] for each in expansion.get("contains", ())}
                assert systems <= {element.system}, (name, element.name)
                checked += bool(systems)
    assert checked > 300


@pytest.mark.parametrize(
    ("name", "ancestor", "is_one"),
    [
        ("Patient", "Patient", True),
        ("Patient", "DomainResource", True),
        ("Patient", "Resource", True),
        ("Bundle", "DomainResource", False),
        ("Age", "Quantity", True),
        ("Quantity", "Age", False),
        ("Patient.contact", "BackboneElement", True),
        ("Timing.repeat", "Element", True),
        ("Timing.repeat", "BackboneElement", False),
        ("positiveInt", "integer", True),
        ("code", "string", True),
        ("code", "Resource", False),
        ("Nothing", "Element", False),
    ],
)
def test_types_are_what_they_derive_from(
    table: ElementTable, name: str, ancestor: str, *, is_one: bool
) -> None:
    assert table.is_a(name, ancestor) is is_one


def test_primitives_state_what_their_values_look_like(table: ElementTable) -> None:
    assert len(table.primitives) == 20
    assert table.primitives["id"].regex == r"[A-Za-z0-9\-\.]{1,64}"
    assert table.primitives["positiveInt"].regex == "[1-9][0-9]*"
    assert table.primitives["positiveInt"].maximum == 2**31 - 1
    assert table.primitives["integer"].minimum == -(2**31)
    assert table.primitives["markdown"].max_length == 1024 * 1024
    assert [name for name, each in table.primitives.items() if each.regex is None] == ["xhtml"]


def test_quantities_without_comparator_name_their_profile(table: ElementTable) -> None:
    low = table.child("Observation.referenceRange", "low")
    assert low is not None
    assert low.profiles == (f"{_CORE}SimpleQuantity",)


def _structures(published: Published) -> list[dict[str, Any]]:
    return published("structuredefinitions-resources") + published("structuredefinitions-datatypes")


def _pairs(table: ElementTable, published: Published) -> list[tuple[str, dict[str, Any], Element]]:
    """Published path and element, with our row for it."""
    pairs = []
    for structure in _structures(published):
        for element in structure["snapshot"]["element"]:
            parent, _, name = element["path"].rpartition(".")
            row = table.child(parent, name.replace("[x]", "")) if parent else None
            if row is not None:
                pairs.append((element["path"], element, row))
    assert len(pairs) > 7000
    return pairs
