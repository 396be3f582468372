"""What a resource is found by: keys, intervals, drivers, main date."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.search.catalog import Catalog
from fhir_server.search.drivers import DriverTerms, long
from fhir_server.search.indexing import Indexer
from fhir_server.search.searching import Searching
from fhir_server.storage.versions import EARLIEST, KEY_BYTES, LATEST, Terms, Version
from tests.support.oracle import Row, holds
from tests.support.random_resources import RandomResources
from tests.support.searching import plain_criteria

BASE = "https://here.example/fhir"
CATALOG = Catalog(load_definitions())
INDEXER = Indexer(CATALOG.definitions, BASE, catalog=CATALOG)
SEARCHING = Searching(CATALOG.definitions, BASE, b"0" * 16, catalog=CATALOG)
DAY = 86_400_000
JANUARY_2020 = 1_577_836_800_000

OBSERVATION = {
    "resourceType": "Observation",
    "id": "o",
    "meta": {
        "profile": ["http://example.org/p|2"],
        "tag": [{"system": "s", "code": "t"}],
        "security": [{"system": "s", "code": "R"}],
        "source": "http://example.org/source",
        "lastUpdated": "2021-01-01T00:00:00Z",
    },
    "status": "final",
    "category": [{"coding": [{"system": "http://example.org/c", "code": "lab"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": "Systolic"},
    "subject": {"reference": "Patient/1"},
    "performer": [{"reference": "Practitioner/2"}, {"reference": f"{BASE}/Patient/3"}],
    "effectiveDateTime": "2020-01-01",
    "valueQuantity": {
        "value": Decimal("120.0"),
        "unit": "mmHg",
        "system": "http://unitsofmeasure.org",
        "code": "mm[Hg]",
    },
    "component": [
        {"code": {"coding": [{"code": "c1"}]}, "valueQuantity": {"value": 1, "unit": "x"}},
        {"code": {"coding": [{"code": "c2"}]}, "valueQuantity": {"value": 2, "unit": "x"}},
    ],
}
PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "active": True,
    "name": [{"family": "Müller", "given": ["Anna", "Lena"]}],
    "gender": "female",
    "birthDate": "1970-02",
    "deceasedDateTime": "2020-01-01",
    "telecom": [{"system": "email", "value": "a@b.c"}, {"system": "phone", "value": "1"}],
    "link": [{"other": {"reference": "Patient/q"}, "type": "seealso"}],
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/patient-extensions-Patient-mothersMaidenName",
            "valueString": "Smith",
        }
    ],
}
SEQUENCE = {
    "resourceType": "MolecularSequence",
    "id": "m",
    "coordinateSystem": 0,
    "referenceSeq": {
        "chromosome": {"coding": [{"system": "http://example.org/chr", "code": "1"}]},
        "windowStart": 1,
        "windowEnd": 100,
    },
    "variant": [{"start": 10, "end": 20}, {"start": 30, "end": 40}],
}
BUNDLE = {
    "resourceType": "Bundle",
    "id": "b",
    "type": "document",
    "entry": [
        {"resource": {"resourceType": "Composition", "id": "c"}},
        {"resource": {"resourceType": "Patient", "id": "p"}},
    ],
}

FOUND_BY = [
    (OBSERVATION, "status=final", True),
    (OBSERVATION, "status=http://hl7.org/fhir/observation-status|final", True),
    (OBSERVATION, "status=http://example.org|final", False),
    (OBSERVATION, "code=8480-6", True),
    (OBSERVATION, "code=http://loinc.org|8480-6", True),
    (OBSERVATION, "code=http://loinc.org|", True),
    (OBSERVATION, "code=|8480-6", False),
    (OBSERVATION, "combo-code=8480-6", True),
    (OBSERVATION, "combo-code=c1", True),
    (OBSERVATION, "component-code=8480-6", False),
    (OBSERVATION, "patient=1", True),
    (OBSERVATION, "patient=Patient/1", True),
    (OBSERVATION, f"patient={BASE}/Patient/1", True),
    (OBSERVATION, "patient=3", False),
    (OBSERVATION, "performer=Patient/3", True),
    (OBSERVATION, "date=2020", True),
    (OBSERVATION, "date=gt2020-01-01", False),
    (OBSERVATION, "value-quantity=120", True),
    (OBSERVATION, "value-quantity=gt15|http://unitsofmeasure.org|kPa", True),
    (OBSERVATION, "value-quantity=gt16.1|http://unitsofmeasure.org|kPa", False),
    (OBSERVATION, "code-value-quantity=8480-6$gt100||mm[Hg]", True),
    (OBSERVATION, "component-code-value-quantity=c1$1", True),
    (OBSERVATION, "component-code-value-quantity=c1$2", False),
    (OBSERVATION, "combo-code-value-quantity=c2$2||x", True),
    (OBSERVATION, "combo-code-value-quantity=8480-6$120", True),
    (OBSERVATION, "combo-code-value-quantity=8480-6$2", False),
    (OBSERVATION, "_tag=s|t", True),
    (OBSERVATION, "_security=R", True),
    (OBSERVATION, "_profile=http://example.org/p", True),
    (OBSERVATION, "_source=http://example.org/source", True),
    (OBSERVATION, "_id=o", True),
    (OBSERVATION, "value-date:missing=true", True),
    (OBSERVATION, "value-quantity:missing=true", False),
    (OBSERVATION, "combo-code-value-quantity:missing=true", False),
    (OBSERVATION, "combo-code-value-concept:missing=true", True),
    (PATIENT, "name=muller", True),
    (PATIENT, "name=lena", True),
    (PATIENT, "phonetic=Ann", True),
    (PATIENT, "given=muller", False),
    (PATIENT, "gender=female", True),
    (PATIENT, "gender=male,female", True),
    (PATIENT, "birthdate=1970", True),
    (PATIENT, "birthdate=1970-02-01", False),
    (PATIENT, "email=a@b.c", True),
    (PATIENT, "phone=a@b.c", False),
    (PATIENT, "telecom=1", True),
    (PATIENT, "deceased=true", True),
    (PATIENT, "death-date=2020", True),
    (PATIENT, "link=Patient/q", True),
    (PATIENT, "mothersMaidenName=smi", True),
    ({"resourceType": "Patient", "id": "x"}, "deceased=false", True),
    ({"resourceType": "Patient", "id": "x", "deceasedBoolean": False}, "deceased=false", True),
    ({"resourceType": "Patient", "id": "x", "deceasedBoolean": True}, "deceased=false", False),
    (SEQUENCE, "chromosome-variant-coordinate=1$ge10$le20", True),
    (SEQUENCE, "chromosome-variant-coordinate=1$ge20$le40", True),
    (SEQUENCE, "chromosome-variant-coordinate=1$ge15$le25", False),
    (SEQUENCE, "chromosome-variant-coordinate=2$ge10$le20", False),
    (SEQUENCE, "chromosome-window-coordinate=http://example.org/chr|1$1$100", True),
    (BUNDLE, "composition=c", True),
    (BUNDLE, "composition=Composition/c", True),
    (BUNDLE, "composition=Patient/p", False),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "query", "found"), FOUND_BY, ids=[c[1] for c in FOUND_BY])
def test_a_resource_is_found_by_what_it_says(
    resource: dict[str, Any], query: str, *, found: bool
) -> None:
    name, _, value = query.partition("=")
    (criterion,) = plain_criteria(SEARCHING, resource["resourceType"], [(name, value)])
    version = Version(resource["resourceType"], resource["id"], 1, 1, 1, "PUT", b"")
    assert holds(criterion.test, Row(version, INDEXER.terms(resource))) is found


def test_neither_id_nor_last_updated_has_entries() -> None:
    meta = {"lastUpdated": "2021-01-01T00:00:00Z", "versionId": "3"}
    for type_ in ("Patient", "Practitioner", "Basic"):
        with_meta = INDEXER.terms({"resourceType": type_, "id": "x", "meta": meta})
        without = INDEXER.terms({"resourceType": type_, "id": "x"})
        assert with_meta == without


def drivers(resource: dict[str, Any]) -> set[bytes]:
    found = INDEXER.terms(resource).drivers
    assert len(found) == len(set(found))
    return set(found)


def test_an_observation_is_driven_by_patient_code_category_and_all() -> None:
    terms = DriverTerms("Observation")
    code, category = (
        next(k for k in _keys(OBSERVATION, query) if isinstance(k, bytes))
        for query in ("code=http://loinc.org|8480-6", "category=http://example.org/c|lab")
    )
    patients = [terms.member("Patient", "1"), terms.member("Patient", "3")]
    assert drivers(OBSERVATION) == {
        terms.all,
        terms.single(code),
        *patients,
        *(terms.pair(patient, key) for patient in patients for key in (code, category)),
    }


def _keys(resource: dict[str, Any], query: str) -> Any:
    name, _, value = query.partition("=")
    (criterion,) = plain_criteria(SEARCHING, resource["resourceType"], [(name, value)])
    return criterion.test.keys  # type: ignore[union-attr] # a token's test is KeyIs


def test_a_long_main_date_doubles_the_drivers() -> None:
    lasting = {k: v for k, v in OBSERVATION.items() if k != "effectiveDateTime"}
    lasting["effectivePeriod"] = {"start": "2020-01-01", "end": "2020-01-02"}
    plain = drivers(OBSERVATION)
    assert drivers(lasting) == plain | {long(term) for term in plain}


MAIN_DATES: list[tuple[dict[str, Any], int, int]] = [
    (OBSERVATION, JANUARY_2020, JANUARY_2020 + DAY - 1),
    ({"resourceType": "Observation", "id": "x"}, EARLIEST, EARLIEST),
    ({"resourceType": "Observation", "effectiveDateTime": "soon"}, EARLIEST, EARLIEST),
    ({"resourceType": "Observation", "effectivePeriod": {"end": "2020-01-01"}},
     EARLIEST + 1, JANUARY_2020 + DAY - 1),
    ({"resourceType": "Observation", "effectivePeriod": {"start": "2020-01-01"}},
     JANUARY_2020, LATEST),
    ({"resourceType": "Organization", "id": "x", "name": "y"}, EARLIEST, EARLIEST),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "start", "end"), MAIN_DATES)
def test_the_main_date_is_from_its_first_to_its_last_millisecond(
    resource: dict[str, Any], start: int, end: int
) -> None:
    terms = INDEXER.terms(resource)
    assert (terms.start, terms.end) == (start, end)


MEMBERS: list[tuple[dict[str, Any], set[str]]] = [
    (PATIENT, {"p", "q"}),
    ({"resourceType": "Encounter", "subject": {"reference": "Patient/1"}}, {"1"}),
    ({"resourceType": "Encounter", "subject": {"reference": "Group/1"}}, set()),
    ({"resourceType": "Encounter", "subject": {"reference": f"{BASE}/Patient/1"}}, {"1"}),
    ({"resourceType": "Encounter", "subject": {"reference": "Patient/1/_history/2"}}, {"1"}),
    ({"resourceType": "Encounter", "subject": {"reference": "https://a.b/fhir/Patient/1"}}, set()),
    ({"resourceType": "Encounter", "subject": {"reference": "#p"}}, set()),
    ({"resourceType": "Encounter", "subject": {"reference": "urn:uuid:1"}}, set()),
    ({"resourceType": "Encounter", "subject": {"identifier": {"value": "1"}}}, set()),
    ({"resourceType": "Group", "member": [{"entity": {"reference": f"Patient/{n}"}}
                                          for n in range(50)]}, {str(n) for n in range(50)}),
    ({"resourceType": "Organization", "id": "o"}, set()),
    ({"resourceType": "AuditEvent",
      "agent": [{"who": {"reference": "Patient/1"}}, {"who": {"reference": "Practitioner/2"}}],
      "entity": [{"what": {"reference": "Patient/3"}}]}, {"1", "3"}),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "patients"), MEMBERS)
def test_a_resource_is_in_the_compartments_of_the_patients_it_names(
    resource: dict[str, Any], patients: set[str]
) -> None:
    terms = DriverTerms(resource["resourceType"])
    everyone = {*(str(n) for n in range(60)), "p", "q"}
    assert {
        id_ for id_ in everyone if terms.member("Patient", id_) in drivers(resource)
    } == patients


def test_terms_are_of_the_shape_a_store_asks_for() -> None:
    makers = RandomResources(CATALOG.definitions.elements, ("a", "email"), ("http://x",))
    for type_ in sorted(CATALOG.definitions.resource_types):
        terms = INDEXER.terms(makers.make(type_, 1))
        _assert_shape(terms)


def _assert_shape(terms: Terms) -> None:
    assert len(set(terms.keys)) == len(terms.keys)
    assert all(len(key) == KEY_BYTES for key in terms.keys if isinstance(key, bytes))
    assert all(len(driver) == KEY_BYTES for driver in terms.drivers)
    assert all(0 < each[0] < 2**63 for each in terms.intervals)
    assert terms.start <= terms.end


MALFORMED: list[Any] = [
    None,
    True,
    3,
    "text",
    [],
    {},
    [[]],
    [None],
    [[{}]],
    {"": 1},
    "\ud800",
    "\0",
]


@pytest.mark.parametrize("type_", ["Patient", "Observation", "Encounter", "Bundle", "Claim"])
def test_malformed_resources_are_indexed_without_complaint(type_: str) -> None:
    elements = CATALOG.definitions.elements
    for wrong in MALFORMED:
        everything = dict.fromkeys(elements.by_key(type_), wrong)
        _assert_shape(INDEXER.terms({**everything, "resourceType": type_}))
        for element in elements.children(type_).values():
            for key, kind in element.keys.items():
                if kind != "Resource":
                    inner = dict.fromkeys(elements.by_key(kind), wrong)
                    for shape in (inner, [inner], {"coding": [inner]}, {"coding": inner}):
                        INDEXER.terms({"resourceType": type_, key: shape})


def test_an_unknown_type_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        INDEXER.terms({"resourceType": "Nothing"})
