"""The three public data sets made for search: they load, and are found as brute force finds them.

What is wrong in them on purpose is refused with a reason.
"""

import json
import os
from collections.abc import AsyncIterator
from decimal import Decimal
from functools import cache
from urllib.parse import quote

import httpx
import pytest

from tests.support.brute_force.elements import Elements
from tests.support.brute_force.evaluator import BruteForce
from tests.support.search_comparison import differences, told
from tests.support.search_data import Resource, archived, lines
from tests.support.search_generator import SearchGenerator
from tests.support.search_tables import Loaded, Row, definitions, load
from tests.support.server import BASE, Server, Start

pytestmark = pytest.mark.anyio

Answers = dict[str, list[httpx.Response]]
"""What the server said to a file: one answer, or one for each line."""

SEED = int(os.environ.get("FHIR_SERVER_SEARCH_SEED", "1"))
ROUNDS = int(os.environ.get("FHIR_SERVER_SEARCH_ROUNDS", "60"))


@cache
def of_test_data() -> list[Resource]:
    """Without the `context` that Condition and DiagnosticReport had in an earlier version."""
    found = list(lines("search/fhir-test-data-r4.ndjson.gz"))
    for each in found:
        if each["resourceType"] in {"Condition", "DiagnosticReport"}:
            each.pop("context", None)
    return found


@cache
def of_au_core() -> list[Resource]:
    return list(lines("search/au-core-test-data.ndjson.gz"))


@cache
def elements(_: str) -> Elements:
    """What is found in the resources of a data set is the same on every store."""
    return Elements(definitions())


@pytest.fixture(scope="module")
async def test_data(server: Server) -> Loaded:
    return await load(server, of_test_data(), elements=elements("test data"))


async def assert_alike(loaded: Loaded) -> None:
    generator = SearchGenerator(loaded.brute_force, SEED, BASE)
    by_parameter = list(generator.one_for_each_parameter())[SEED % 3 :: 3]
    compared, hits, found = await differences(loaded, [*by_parameter, *generator.several(ROUNDS)])
    assert found == [], told(found)
    assert hits > compared / 4


async def test_the_first_set_is_found_as_brute_force_finds_it(test_data: Loaded) -> None:
    await assert_alike(test_data)


@pytest.fixture(scope="module")
async def au_core(start: Start, anyio_backend: str) -> AsyncIterator[Loaded]:
    async with start() as server:
        yield await load(server, of_au_core(), elements=elements("au core"))


async def test_the_second_set_is_found_as_brute_force_finds_it(au_core: Loaded) -> None:
    await assert_alike(au_core)


ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
SOFIA = "Patient?identifier=IT1111111"
CANCELLED = (
    "bodyheight-cancelled bodytemp-cancelled bodyweight-cancelled heartrate-cancelled "
    "resprate-cancelled waistcircum-cancelled"
)
PRESSURES = (
    "bloodpressure-data-absent bloodpressure-diastolic-missing bloodpressure-missing "
    "bloodpressure-systolic-missing"
)
DATED = (
    "italia-sofia italia-sofia-missing-gender italia-sofia-missing-name "
    "italia-sofia-suppressed-gender italia-sofia-suppressed-name"
)
EDGES: list[Row] = [
    # a birth date, a name, a gender that is not told
    (
        f"{SOFIA}&birthdate:missing=true",
        "italia-sofia-missing-birthDate italia-sofia-suppressed-birthDate",
    ),
    (
        f"{SOFIA}&birthdate=1989-05-07",
        DATED,
    ),
    (
        "Patient?birthdate:missing=true",
        "italia-sofia-missing-birthDate italia-sofia-suppressed-birthDate",
    ),
    (f"{SOFIA}&name:missing=true", "italia-sofia-missing-name italia-sofia-suppressed-name"),
    (f"{SOFIA}&family:missing=true", "italia-sofia-missing-name italia-sofia-suppressed-name"),
    (f"{SOFIA}&gender=unknown", "italia-sofia-missing-gender italia-sofia-suppressed-gender"),
    ("Patient?family=italia&identifier=IT1111111&gender=female&birthdate=1989", "italia-sofia"),
    (
        "Patient?family=italia&birthdate=1989-05-07&gender=female",
        "italia-sofia italia-sofia-missing-identifier italia-sofia-suppressed-identifier",
    ),
    ("Organization?name:missing=true", "missing-name"),
    ("Practitioner?family:missing=true", "missing-name"),
    # what was not asked, not done or masked, told by a code
    (f"AllergyIntolerance?code={ABSENT}|unknown", "egg-missing-code"),
    (f"Condition?category={ABSENT}|", "condition-masked nailwound-missing-category"),
    (f"Condition?code={ABSENT}|masked", "condition-masked"),
    (f"Condition?code={ABSENT}|unknown", "nailwound-missing-code"),
    (f"Encounter?class={ABSENT}|unknown", "annualvisit-missing-class"),
    (f"Immunization?vaccine-code={ABSENT}|unknown", "zoster-missing-code"),
    (f"Medication?code={ABSENT}|unknown", "reaptan-missing-code"),
    (f"Procedure?code={ABSENT}|", "obstetric-missing-code"),
    (f"MedicationRequest?code={ABSENT}|", "reaptan-missing-medication"),
    (f"MedicationStatement?code={ABSENT}|", "missing-medication"),
    (f"Observation?code={ABSENT}|unknown", "pathresult-missing-code"),
    (f"Observation?code={ABSENT}|masked", "observation-masked pathresult-suppressed-code"),
    (
        f"Observation?combo-data-absent-reason={ABSENT}|masked",
        "pathresult-suppressed-dataAbsentReason",
    ),
    ("Observation?data-absent-reason:missing=false&status=cancelled", CANCELLED),
    ("Observation?component-data-absent-reason:missing=false&code=85354-9", PRESSURES),
    # a time that is not told
    ("Immunization?date:missing=true", "zoster-missing-occurrence"),
    ("MedicationRequest?authoredon:missing=true&status=active", "reaptan-missing-authoredOn"),
    ("Observation?date:missing=true", "observation-masked pathresult-missing-effective"),
    # a value that is not told is no value
    (
        "Observation?code=14647-2&value-quantity:missing=true",
        "pathresult-suppressed-valueQuantity",
    ),
    ("Observation?code=85354-9&component-value-quantity:missing=true", "bloodpressure-missing"),
    (
        "Observation?component-code-value-quantity=8480-6$gt0&component-code=8462-4",
        "bloodpressure-1 bloodpressure-data-absent bloodpressure-diastolic-missing",
    ),
    # a patient who is named by an identifier alone
    ("AllergyIntolerance?patient:identifier=29545410412", "dust-logical-refs"),
    ("Encounter?subject:identifier=69518252411", "covid-admin-1-logical-refs"),
    ("Condition?onset-date=2014", "aci aci-logical-refs"),
    # years alone
    ("Condition?onset-date=2014-01", ""),
    # days of Australia end before those of UTC
    ("Observation?_id=pathresult-missing-code&date=2021-02-15", "pathresult-missing-code"),
    (
        "Observation?_id=pathresult-missing-code&date=2021-02-15T02:00:00Z",
        "pathresult-missing-code",
    ),
    ("Observation?_id=pathresult-missing-code&date=gt2021-02-15T12:00:00", ""),
    # babies, temporary names, names with commas
    ("Patient?name=baby of", "baby-banks-john"),
    ("Patient?given:exact=Baby of Mia", "baby-banks-john"),
    ("Observation?patient.name=italia", ""),
    (
        "Condition?patient.family=howe&code=283680004",
        "nailwound nailwound-missing-category",
    ),
]


@pytest.mark.parametrize("row", EDGES, ids=lambda row: row[0])
async def test_edge_cases_are_found_by_name(au_core: Loaded, row: Row) -> None:
    await au_core.check(row)


@pytest.fixture(scope="module")
async def sent(start: Start, anyio_backend: str) -> AsyncIterator[tuple[Server, Answers]]:
    """A server with what it took of the third set, and how it answered to each file."""
    async with start() as server:
        files = archived("search/ms-fhir-server-testfiles.tar.gz")
        yield server, {path: await _sent(server, path, files[path]) for path in sorted(files)}


async def _sent(server: Server, path: str, content: bytes) -> list[httpx.Response]:
    bodies = content.splitlines() if path.endswith(".ndjson") else [content]
    return [await _send(server, path, body) for body in bodies if body.strip()]


async def _send(server: Server, path: str, body: bytes) -> httpx.Response:
    """A bundle to the base, a resource to its type; what has an id keeps it."""
    if path.endswith(".xml"):
        return await server.post("Observation", body, content_type="application/fhir+xml")
    try:
        resource = json.loads(body.decode("utf-8-sig"))
    except ValueError:
        resource = {}
    type_, id_ = resource.get("resourceType") or "Patient", resource.get("id")
    if type_ == "Bundle" and "request" in resource.get("entry", ({},))[0]:
        return await server.post("", body)
    if id_ is None:
        return await server.post(type_, body)
    return await server.put(f"{type_}/{quote(id_, safe='')}", body)


REFUSED_FILES = [
    ("Normative/Bundle-InvalidBundleType.json", 400, "not 'invalid-type'"),
    ("Normative/Bundle-TransactionForRollBackWithDelete.json", 412, "If-Match"),
    (
        "Normative/Bundle-TransactionWithConditionalReferenceInResourceBody.json",
        412,
        "matches nothing",
    ),
    (
        "Normative/Bundle-TransactionWithForeignReferenceInResourceBody.json",
        400,
        "No entry of the transaction has the fullUrl",
    ),
    (
        "Normative/Bundle-TransactionWithInvalidProcessingRecord.json",
        400,
        "must have the id of the URL",
    ),
    (
        "Normative/Bundle-TransactionWithMultipleResourcesWithSameFullUrl.json",
        400,
        "have the same fullUrl",
    ),
    ("Normative/Import-DupPatientTemplate.ndjson", 400, "##PatientID##"),
    ("Normative/Import-InvalidPatient.ndjson", 400, "##PatientID##"),
    ("Normative/Import-Observation.ndjson", 400, "##ObservationID##"),
    ("Normative/Import-SinglePatientTemplate.ndjson", 400, "##PatientID##"),
    ("Normative/MoneyWithWrongDecimal.json", 404, "'Money' is not a resource type"),
    ("Normative/PatientMissingResourceType.json", 400, "is not a resource type"),
    (
        "Normative/SearchParameterExpressionWrongProperty.json",
        422,
        "SearchParameter.expression: Encounter.diagnosis.foo leads to no element of Encounter",
    ),
    ("Normative/ObservationWithNoCode.json", 400, "Observation must have code."),
    ("Normative/ObservationWithTemperature.json", 400, "interpretation may repeat"),
    ("Normative/PatientWithUnknownElements.json", 400, "Patient has no element 'name1'"),
    ("Normative/ProvenanceHeader.json", 400, "Provenance must have target."),
    ("Normative/SearchParameterInvalidBase.json", 400, "base must be a code of "),
    ("Normative/SearchParameterInvalidType.json", 400, "type must be a code of "),
    ("Normative/SearchParameterMissingBase.json", 400, "An array is never empty"),
    ("Normative/SearchParameterMissingExpression.json", 400, "expression must be a string "),
    ("Normative/SearchParameterMissingType.json", 400, "type must be a code of "),
    ("R4/SmartPatientA.json", 400, "Appointment.participant must have status."),
    *(
        (f"Normative/CompositeCustom{parts}SearchParameterStu3.json", 400, "definition must be")
        for parts in (
            "ReferenceToken",
            "TokenDateTime",
            "TokenNumberNumber",
            "TokenOverflowToken",
            "TokenQuantity",
            "TokenString",
        )
    ),
]
"""What is wrong on purpose, and what its refusal says."""
REFUSED_ENTRIES = [
    (
        "Normative/Bundle-BatchWithConditionalUpdateByIdentifier.json",
        0,
        "400",
        "system must be a string that is not empty and has no blanks.",
    ),
    ("Normative/Bundle-MissingIdentifier.json", 0, "400", "At least one criterion is needed"),
    ("Normative/Bundle-Batch.json", 4, "412", "If-Match"),
    ("Normative/Includes-TestResources.json", 30, "400", "result may repeat"),
    ("rest-data/ExportDataBatch.json", 2, "400", "actual must be true or false"),
    ("rest-data/SearchDataBatch.json", 2, "400", "generalPractitioner may repeat"),
    ("rest-data/SearchDataBatch.json", 15, "400", "recorded must be a date"),
    ("rest-data/SmartCompartmentResources.json", 27, "400", "is not the id of the URL"),
    (
        "Normative/SearchParameter-USCoreIG.json",
        0,
        "422",
        "us-core-race').extension.value.code leads to no element of Person",
    ),
]


@pytest.mark.parametrize(("path", "status", "words"), REFUSED_FILES)
async def test_what_is_wrong_in_the_third_set_is_refused_with_a_reason(
    sent: tuple[Server, Answers], path: str, status: int, words: str
) -> None:
    for response in sent[1][path]:
        assert response.status_code == status
    told = [each.json()["issue"][0]["diagnostics"] for each in sent[1][path]]
    assert any(words in each for each in told), told


@pytest.mark.parametrize(("path", "at", "status", "words"), REFUSED_ENTRIES)
async def test_what_is_wrong_in_a_batch_is_refused_alone(
    sent: tuple[Server, Answers], path: str, at: int, status: str, words: str
) -> None:
    (response,) = sent[1][path]
    assert response.status_code == 200
    entry = response.json()["entry"][at]["response"]
    assert entry["status"].startswith(status)
    assert words in entry["outcome"]["issue"][0]["diagnostics"]


async def test_the_third_set_is_found_as_brute_force_finds_it(
    sent: tuple[Server, Answers],
) -> None:
    server, _ = sent
    resources = [each async for each in _stored(server)]
    assert len(resources) > 120
    brute_force = BruteForce(resources, definitions(), base_url=BASE)
    await assert_alike(Loaded(server, brute_force))


async def _stored(server: Server) -> AsyncIterator[Resource]:
    for type_ in sorted(definitions().resource_types):
        response = await server.get(f"{type_}?_count=1000")
        for entry in json.loads(response.content, parse_float=Decimal).get("entry", ()):
            yield entry["resource"]
