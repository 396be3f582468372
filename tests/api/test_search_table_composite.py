"""https://hl7.org/fhir/R4/search.html#composite"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.support.search_tables import Loaded, Row, labelled, load
from tests.support.server import Server

pytestmark = pytest.mark.anyio

UCUM, LOINC = "http://unitsofmeasure.org", "http://loinc.org"


def concept(code: str, system: str = LOINC) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def pressure(value: int) -> dict[str, Any]:
    return {"value": value, "system": UCUM, "code": "mm[Hg]", "unit": "mmHg"}


OBSERVATIONS: Mapping[str, Mapping[str, Any]] = {
    "high": {
        "code": concept("bp"),
        "component": [
            {"code": concept("sys"), "valueQuantity": pressure(150)},
            {"code": concept("dia"), "valueQuantity": pressure(90)},
        ],
    },
    "low": {
        "code": concept("bp"),
        "component": [
            {"code": concept("sys"), "valueQuantity": pressure(110)},
            {"code": concept("dia"), "valueQuantity": pressure(60)},
            {"code": concept("note"), "valueCodeableConcept": concept("ok", "http://x")},
        ],
    },
    "weight": {
        "code": concept("w"),
        "valueQuantity": {"value": Decimal("70.5"), "system": UCUM, "code": "kg"},
    },
    "two-codes": {
        "code": {"coding": [{"system": LOINC, "code": "w"}, {"system": "http://x", "code": "kg"}]},
        "valueQuantity": {"value": 80, "system": UCUM, "code": "kg"},
    },
    "no-value": {"code": concept("w")},
    "text": {"code": concept("t"), "valueString": "Größe $5, a|b"},
    "date": {"code": concept("d"), "valueDateTime": "2020-02-29"},
    "concept": {"code": concept("c"), "valueCodeableConcept": concept("yes", "http://x")},
}
PRESSURES = "Observation?component-code-value-quantity="
QUANTITIES: list[Row] = [
    ("Observation?component-code-value-quantity=sys$gt120", "high"),
    (f"Observation?component-code-value-quantity={LOINC}|sys$gt120", "high"),
    ("Observation?component-code-value-quantity=SYS$gt120", "high"),
    ("Observation?component-code-value-quantity=http://x|sys$gt120", ""),
    # what belongs together, not what is somewhere
    ("Observation?component-code-value-quantity=dia$gt120", ""),
    ("Observation?component-code-value-quantity=dia$lt70", "low"),
    ("Observation?component-code-value-quantity=sys$150", "high"),
    ("Observation?component-code-value-quantity=sys$150||mmHg", "high"),
    (f"Observation?component-code-value-quantity=sys$gt15.0|{UCUM}|kPa", "high"),
    ("Observation?component-code-value-quantity=sys$lt100,dia$gt80", "high"),
    (f"{PRESSURES}sys$gt120&component-code-value-quantity=dia$ge90", "high"),
    (f"{PRESSURES}sys$gt120&component-code-value-quantity=dia$lt70", ""),
    ("Observation?code-value-quantity=w$gt60", "weight two-codes"),
    ("Observation?code-value-quantity=w$70", ""),
    ("Observation?code-value-quantity=w$70.5", "weight"),
    ("Observation?code-value-quantity=w$71", "weight"),
    ("Observation?code-value-quantity=http://x|kg$80", "two-codes"),
    ("Observation?code-value-quantity=kg$80||kg", "two-codes"),
    (f"Observation?code-value-quantity=w$80000|{UCUM}|g", "two-codes"),
    ("Observation?code-value-quantity=bp$gt1", ""),
    # the observation's own and those of its components
    ("Observation?combo-code-value-quantity=w$gt60,dia$gt80", "weight two-codes high"),
    ("Observation?combo-code-value-quantity=bp$gt1", ""),
    ("Observation?code-value-quantity=w$ne70.5", "two-codes"),
    ("Observation?code-value-quantity=w$ap75", "weight two-codes"),
    ("Observation?code-value-quantity=w$sa70.5", "two-codes"),
]
OTHERS: list[Row] = [
    ("Observation?code-value-string=t$gro", "text"),
    ("Observation?code-value-string=t$groß", "text"),
    ("Observation?code-value-string=t$grosse", "text"),
    (r"Observation?code-value-string=t$größe \$5\, a\|b", "text"),
    (r"Observation?code-value-string=t$größe \$6", ""),
    ("Observation?code-value-string=x$größe", ""),
    ("Observation?code-value-date=d$2020", "date"),
    ("Observation?code-value-date=d$2020-02-29", "date"),
    ("Observation?code-value-date=d$gt2020-02-28", "date"),
    ("Observation?code-value-date=d$lt2020-02-29", ""),
    ("Observation?code-value-date=c$2020", ""),
    ("Observation?code-value-concept=c$yes", "concept"),
    ("Observation?code-value-concept=c$http://x|yes", "concept"),
    (f"Observation?code-value-concept=c${LOINC}|yes", ""),
    (f"Observation?code-value-concept={LOINC}|c$http://x|YES", "concept"),
    ("Observation?component-code-value-concept=note$ok", "low"),
    ("Observation?component-code-value-concept=sys$ok", ""),
    ("Observation?combo-code-value-concept=note$ok,c$yes", "low concept"),
]
MISSING: list[Row] = [
    ("Observation?component-code-value-quantity:missing=false", "high low"),
    ("Observation?code-value-quantity:missing=false", "weight two-codes"),
    ("Observation?combo-code-value-quantity:missing=true", "no-value text date concept"),
    ("Observation?code-value-string:missing=false", "text"),
]
SEQUENCES: Mapping[str, Mapping[str, Any]] = {
    "both": {
        "variant": [{"start": 10, "end": 20}, {"start": 30, "end": 40}],
        "referenceSeq": {
            "chromosome": concept("1", "http://chr"),
            "windowStart": 1,
            "windowEnd": 9,
        },
    },
}
NUMBERS: list[Row] = [
    ("MolecularSequence?chromosome-variant-coordinate=1$ge10$le20", "both"),
    ("MolecularSequence?chromosome-variant-coordinate=http://chr|1$30$40", "both"),
    # from the one variant to the other is none
    ("MolecularSequence?chromosome-variant-coordinate=1$le10$ge40", ""),
    ("MolecularSequence?chromosome-variant-coordinate=1$gt10$lt40", ""),
    ("MolecularSequence?chromosome-variant-coordinate=2$ge10$le20", ""),
    ("MolecularSequence?chromosome-window-coordinate=1$1$9", "both"),
    ("MolecularSequence?chromosome-window-coordinate=1$ne1$9", ""),
]
GROUPS: Mapping[str, Mapping[str, Any]] = {
    "smokers": {
        "characteristic": [
            {"code": concept("smoker"), "valueBoolean": True, "exclude": False},
            {"code": concept("site"), "valueCodeableConcept": concept("a"), "exclude": False},
        ],
    },
}
PAIRS: list[Row] = [
    ("Group?characteristic-value=site$a", "smokers"),
    (f"Group?characteristic-value={LOINC}|site${LOINC}|a", "smokers"),
    ("Group?characteristic-value=smoker$true", "smokers"),
    ("Group?characteristic-value=smoker$false", ""),
    ("Group?characteristic-value=smoker$a", ""),
]
REFUSED = [
    "Observation?code-value-quantity=",
    "Observation?code-value-quantity=w",
    "Observation?code-value-quantity=w$",
    "Observation?code-value-quantity=$5",
    "Observation?code-value-quantity=w$5$6",
    "Observation?code-value-quantity=w$x",
    r"Observation?code-value-quantity=w\$5",
    "Observation?code-value-quantity=a|b|c$5",
    "Observation?code-value-date=d$yesterday",
    "Observation?code-value-quantity:not=w$5",
    "Observation?code-value-quantity:exact=w$5",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    observations = {label: {"status": "final", **each} for label, each in OBSERVATIONS.items()}
    sequences = {label: {"coordinateSystem": 0, **each} for label, each in SEQUENCES.items()}
    groups = {label: {"type": "person", "actual": False, **each} for label, each in GROUPS.items()}
    return await load(
        server,
        [
            *labelled("Observation", observations),
            *labelled("MolecularSequence", sequences),
            *labelled("Group", groups),
        ],
    )


@pytest.mark.parametrize(
    "row", QUANTITIES + OTHERS + MISSING + NUMBERS + PAIRS, ids=lambda row: row[0]
)
async def test_a_composite_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_a_composite_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
