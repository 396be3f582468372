"""FHIRPath Patch: https://hl7.org/fhir/R4/fhirpatch.html."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.errors import BadRequest, TooCostly
from fhir_server.fhir.json_patch import PatchFailed
from fhir_server.fhirpath.patch import apply_patch
from tests.support.fhirpath import elements

Json = dict[str, Any]

PATIENT: Json = {
    "resourceType": "Patient",
    "id": "1",
    "birthDate": "1920-01-01",
    "_birthDate": {"extension": [{"url": "x", "valueString": "y"}]},
    "name": [{"given": ["A", None, "C"], "_given": [None, {"id": "b"}, None]}, {"text": "T"}],
    "multipleBirthBoolean": True,
    "maritalStatus": {"text": "single"},
    "contained": [{"resourceType": "Organization", "id": "o", "name": "Acme"}],
}


def _patch(*operations: Json) -> Json:
    return {"resourceType": "Parameters", "parameter": list(operations)}


def _operation(type_: str, path: str, **parts: Any) -> Json:
    """Texts and numbers become parts with such values; what is a dict is the part itself."""
    made = [{"name": "type", "valueCode": type_}, {"name": "path", "valueString": path}]
    for name, value in parts.items():
        key = "valueInteger" if isinstance(value, int) else "valueString"
        made.append({"name": name, **(value if isinstance(value, dict) else {key: value})})
    return {"name": "operation", "part": made}


def _patched(*operations: Json) -> Json:
    return apply_patch(PATIENT, _patch(*operations), elements())


def _string(text: str) -> Json:
    return {"valueString": text}


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        (
            _operation("add", "Patient", name="gender", value={"valueCode": "male"}),
            {"gender": "male"},
        ),
        (
            _operation("add", "Patient", name="name", value={"valueHumanName": {"text": "N"}}),
            {"name": [*PATIENT["name"], {"text": "N"}]},
        ),
        (
            _operation(
                "add",
                "Patient",
                name="link",
                value={
                    "part": [
                        {"name": "other", "valueReference": {"reference": "Patient/2"}},
                        {"name": "type", "valueCode": "seealso"},
                    ]
                },
            ),
            {"link": [{"other": {"reference": "Patient/2"}, "type": "seealso"}]},
        ),
        (
            _operation("add", "Patient", name="deceased", value={"valueDateTime": "2020"}),
            {"deceasedDateTime": "2020"},
        ),
        (
            _operation(
                "add",
                "Patient",
                name="contained",
                value={"resource": {"resourceType": "Basic", "id": "b"}},
            ),
            {"contained": [*PATIENT["contained"], {"resourceType": "Basic", "id": "b"}]},
        ),
        (
            _operation("add", "Patient.contained[0]", name="alias", value=_string("A")),
            {"contained": [{**PATIENT["contained"][0], "alias": ["A"]}]},
        ),
        (
            _operation(
                "add",
                "Patient.birthDate",
                name="extension",
                value={
                    "part": [
                        {"name": "url", "valueUri": "z"},
                        {"name": "valueString", "valueString": "w"},
                    ]
                },
            ),
            {
                "_birthDate": {
                    "extension": [
                        {"url": "x", "valueString": "y"},
                        {"url": "z", "valueString": "w"},
                    ]
                }
            },
        ),
        (
            _operation("add", "Patient.name[0].given[0]", name="id", value=_string("a")),
            {
                "name": [
                    {"given": ["A", None, "C"], "_given": [{"id": "a"}, {"id": "b"}, None]},
                    {"text": "T"},
                ]
            },
        ),
        (
            _operation(
                "add",
                "Patient.name[1].text",
                name="extension",
                value={
                    "part": [
                        {"name": "url", "valueUri": "u"},
                        {"name": "value", "valueDecimal": Decimal("1.0")},
                    ]
                },
            ),
            {
                "name": [
                    PATIENT["name"][0],
                    {
                        "text": "T",
                        "_text": {"extension": [{"url": "u", "valueDecimal": Decimal("1.0")}]},
                    },
                ]
            },
        ),
        (
            _operation(
                "add",
                "Patient.name[1]",
                name="given",
                value={"valueString": "G", "_valueString": {"id": "g"}},
            ),
            {"name": [PATIENT["name"][0], {"text": "T", "given": ["G"], "_given": [{"id": "g"}]}]},
        ),
        (
            _operation("insert", "Patient.name[0].given", index=1, value=_string("B")),
            {
                "name": [
                    {"given": ["A", "B", None, "C"], "_given": [None, None, {"id": "b"}, None]},
                    {"text": "T"},
                ]
            },
        ),
        (
            _operation(
                "insert", "Patient.identifier", index=0, value={"valueIdentifier": {"value": "i"}}
            ),
            {"identifier": [{"value": "i"}]},
        ),
        (
            _operation("insert", "Patient.name", index=2, value={"valueHumanName": {"text": "N"}}),
            {"name": [*PATIENT["name"], {"text": "N"}]},
        ),
        (_operation("delete", "Patient.maritalStatus"), {"maritalStatus": None}),
        (_operation("delete", "Patient.maritalStatus.text"), {"maritalStatus": None}),
        (_operation("delete", "Patient.birthDate"), {"birthDate": None, "_birthDate": None}),
        (_operation("delete", "Patient.birthDate.extension"), {"_birthDate": None}),
        (_operation("delete", "Patient.multipleBirth"), {"multipleBirthBoolean": None}),
        (_operation("delete", "Patient.name.where(text = 'T')"), {"name": [PATIENT["name"][0]]}),
        (
            _operation("delete", "Patient.name[0].given[1]"),
            {"name": [{"given": ["A", "C"]}, {"text": "T"}]},
        ),
        (_operation("delete", "Patient.photo"), {}),
        (
            _operation("replace", "Patient.birthDate", value={"valueDate": "1930"}),
            {"birthDate": "1930", "_birthDate": None},
        ),
        (
            _operation("replace", "Patient.multipleBirth", value={"valueInteger": 2}),
            {"multipleBirthBoolean": None, "multipleBirthInteger": 2},
        ),
        (
            _operation("replace", "Patient.name[0].given[2]", value=_string("D")),
            {
                "name": [
                    {"given": ["A", None, "D"], "_given": [None, {"id": "b"}, None]},
                    {"text": "T"},
                ]
            },
        ),
        (
            _operation("replace", "Patient.name[1]", value={"valueHumanName": {"text": "U"}}),
            {"name": [PATIENT["name"][0], {"text": "U"}]},
        ),
        (
            _operation("move", "Patient.name[0].given", source=1, destination=0),
            {
                "name": [
                    {"given": [None, "A", "C"], "_given": [{"id": "b"}, None, None]},
                    {"text": "T"},
                ]
            },
        ),
        (
            _operation("move", "Patient.name", source=0, destination=1),
            {"name": PATIENT["name"][::-1]},
        ),
    ],
)
def test_an_operation_changes_what_its_path_names(operation: Json, changed: Json) -> None:
    expected = {key: value for key, value in {**PATIENT, **changed}.items() if value is not None}
    before = repr(PATIENT)
    assert _patched(operation) == expected
    assert repr(PATIENT) == before


def test_operations_see_what_those_before_them_did() -> None:
    patched = _patched(
        _operation("delete", "Patient.maritalStatus.text"),
        _operation("add", "Patient.maritalStatus", name="text", value=_string("married")),
        _operation("add", "Patient", name="gender", value={"valueCode": "male"}),
        _operation("replace", "Patient.gender", value={"valueCode": "female"}),
    )
    assert (patched["maritalStatus"], patched["gender"]) == ({"text": "married"}, "female")


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (
            _operation("add", "Patient.photo", name="url", value=_string("u")),
            "one element, not none",
        ),
        (_operation("add", "Patient.name", name="text", value=_string("u")), "one element, not 2"),
        (_operation("add", "Patient", name="birthDate", value=_string("u")), "a birthDate already"),
        (_operation("add", "Patient", name="multipleBirth", value={"valueInteger": 1}), "already"),
        (_operation("add", "Patient", name="town", value=_string("u")), "Patient has no town"),
        (_operation("insert", "Patient.name", index=3, value=_string("u")), "no place 3"),
        (_operation("insert", "Patient.birthDate", index=0, value=_string("u")), "is no list"),
        (_operation("insert", "Patient.name[0]", index=0, value=_string("u")), "name of a list"),
        (_operation("delete", "Patient.name"), "one element can be deleted, not 2"),
        (_operation("delete", "Patient"), "the whole resource"),
        (_operation("delete", "1"), "what is not in the resource"),
        (_operation("delete", "'#o'.resolve().name"), "what is not in the resource"),
        (_operation("delete", "Patient.name.single()"), "single() found 2 items"),
        (_operation("replace", "Patient.photo", value=_string("u")), "one element, not none"),
        (_operation("move", "Patient.name", source=2, destination=0), "no element 2"),
        (_operation("move", "Patient.name", source=0, destination=-1), "no element -1"),
    ],
)
def test_what_does_not_fit_tells_operation_and_path(operation: Json, words: str) -> None:
    with pytest.raises(PatchFailed) as caught:
        _patched(_operation("delete", "Patient.photo"), operation)
    path = operation["part"][1]["valueString"]
    type_ = operation["part"][0]["valueCode"]
    begin = f"FHIRPath Patch, operation 1 ({type_} {path!r}): "
    assert caught.value.message.startswith(begin)
    assert words in caught.value.message
    assert caught.value.expression == (path,)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"resourceType": "Patient"}, "is a Parameters resource"),
        ({"resourceType": "Parameters", "parameter": {}}, "are an array"),
        (_patch({"name": "operation"}), "parameter 0 is no operation"),
        (_patch({"name": "other", "part": []}), "parameter 0 is no operation"),
        (_patch(_operation("change", "Patient")), "has no type of add, insert"),
        (_patch({"name": "operation", "part": []}), "has no text in type"),
        (_patch(_operation("add", "Patient")), "needs name, value"),
        (_patch(_operation("move", "Patient.name", source=1)), "needs destination"),
        (_patch(_operation("delete", "Patient..name")), "has a path that cannot be used"),
        (_patch(_operation("delete", "nothing()")), "has a path that cannot be used"),
        (
            _patch(_operation("move", "Patient.name", source="1", destination=0)),
            "no integer in source",
        ),
        (_patch(_operation("add", "Patient", name="gender", value={})), "neither a value[x]"),
        (_patch(_operation("add", "Patient", name="name", value=_string("u"))), "not a string"),
        (_patch(_operation("add", "Patient", name="deceased", value=_string("u"))), "not a string"),
        (_patch(_operation("add", "Patient", name="name", value={"resource": {}})), "no resource"),
        (
            _patch(
                _operation("add", "Patient", name="contact", value={"part": [{"name": "town"}]})
            ),
            "Patient.contact has no town",
        ),
        (
            _patch(_operation("add", "Patient", name="gender", value={"part": []})),
            "gender cannot be made of parts",
        ),
    ],
)
def test_what_is_no_patch_is_a_bad_request(parameters: Any, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        apply_patch(PATIENT, parameters, elements())
    assert words in caught.value.message


def test_a_patch_has_a_bounded_number_of_operations() -> None:
    with pytest.raises(TooCostly):
        _patched(*[_operation("delete", "Patient.photo")] * 1001)


def test_a_patch_without_operations_changes_nothing() -> None:
    assert apply_patch(PATIENT, {"resourceType": "Parameters"}, elements()) == PATIENT
