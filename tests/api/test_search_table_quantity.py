"""https://hl7.org/fhir/R4/search.html#quantity"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.support.search_tables import Loaded, Row, labelled, load
from tests.support.server import Server

pytestmark = pytest.mark.anyio

UCUM = "http://unitsofmeasure.org"
OWN = "http://example.org/units"


def quantity(value: str, code: str = "", system: str = UCUM, **members: Any) -> dict[str, Any]:
    coded = {"system": system, "code": code} if code else {}
    return {"value": Decimal(value), **coded, **members}


OBSERVATIONS: Mapping[str, Mapping[str, Any]] = {
    "mg": {"valueQuantity": quantity("5.4", "mg", unit="milligram")},
    "gram": {"valueQuantity": quantity("0.0054", "g")},
    "more-digits": {"valueQuantity": quantity("5.400", "mg")},
    "less": {"valueQuantity": quantity("5.34", "mg")},
    "lower": {"valueQuantity": quantity("5.35", "mg")},
    "upper": {"valueQuantity": quantity("5.45", "mg")},
    "annotated": {"valueQuantity": quantity("3", "{score}")},
    "own": {"valueQuantity": quantity("5.4", "drops", OWN)},
    "unit-only": {"valueQuantity": quantity("5.4", unit="mg")},
    "bare": {"valueQuantity": quantity("5.4")},
    "under": {"valueQuantity": quantity("5", "mg", comparator="<")},
    "at-most": {"valueQuantity": quantity("5", "mg", comparator="<=")},
    "at-least": {"valueQuantity": quantity("6", "mg", comparator=">=")},
    "over": {"valueQuantity": quantity("6", "mg", comparator=">")},
    "celsius": {"valueQuantity": quantity("37.0", "Cel")},
    "pressure": {"valueQuantity": quantity("120", "mm[Hg]")},
    "negative": {"valueQuantity": quantity("-1.5", "kPa")},
    "zero": {"valueQuantity": quantity("0", "kPa")},
    "sampled": {
        "valueSampledData": {
            "origin": quantity("100", "m"),
            "period": 10,
            "factor": Decimal("0.5"),
            "dimensions": 1,
            "data": "0 20 E -20",
        }
    },
    "escaped": {"valueQuantity": quantity("1", "a|b,c$d", OWN)},
    "no-value": {"valueQuantity": {"unit": "mg", "system": UCUM, "code": "mg"}},
    "text": {"valueString": "5.4 mg"},
    "nothing": {},
}
BARE: list[Row] = [
    # [5.35, 5.45) in whatever unit, as it is written
    ("Observation?value-quantity=5.4", "mg more-digits lower own unit-only bare"),
    ("Observation?value-quantity=5.40", "mg more-digits own unit-only bare"),
    ("Observation?value-quantity=0.0054", "gram"),
    ("Observation?value-quantity=3", "annotated"),
    ("Observation?value-quantity=-1.5", "negative"),
    ("Observation?value-quantity=0", "zero gram"),
    ("Observation?value-quantity=0.00", "zero"),
    ("Observation?value-quantity=gt100", "pressure sampled at-least over"),
]
UNITS: list[Row] = [
    (f"Observation?value-quantity=5.4|{UCUM}|mg", "mg gram more-digits lower"),
    (f"Observation?value-quantity=0.0054|{UCUM}|g", "mg gram more-digits lower"),
    (f"Observation?value-quantity=5400|{UCUM}|ug", "mg gram more-digits"),
    (f"Observation?value-quantity=5|{UCUM}|mg", "less lower mg gram more-digits upper"),
    (f"Observation?value-quantity=5.4|{UCUM}|mL", ""),
    (f"Observation?value-quantity=5.4|{UCUM}|MG", ""),
    (f"Observation?value-quantity=3|{UCUM}|" + "{score}", "annotated"),
    (f"Observation?value-quantity=3|{UCUM}|1", "annotated"),
    (f"Observation?value-quantity=5.4|{OWN}|drops", "own"),
    (f"Observation?value-quantity=5.4|{OWN}|mg", ""),
    (f"Observation?value-quantity=5.4|{UCUM}|drops", ""),
    ("Observation?value-quantity=5.4||mg", "mg more-digits lower unit-only"),
    ("Observation?value-quantity=5.4||milligram", "mg"),
    ("Observation?value-quantity=5.4||g", ""),
    ("Observation?value-quantity=0.0054||g", "gram"),
    ("Observation?value-quantity=5.4||drops", "own"),
    (f"Observation?value-quantity=310.15|{UCUM}|K", "celsius"),
    (f"Observation?value-quantity=37|{UCUM}|Cel", "celsius"),
    (f"Observation?value-quantity=98.6|{UCUM}|[degF]", "celsius"),
    (f"Observation?value-quantity=16.0|{UCUM}|kPa", "pressure"),
    (f"Observation?value-quantity=gt15.9|{UCUM}|kPa", "pressure"),
    (f"Observation?value-quantity=lt0|{UCUM}|mm[Hg]", "negative"),
    (rf"Observation?value-quantity=1|{OWN}|a\|b\,c\$d", "escaped"),
    (r"Observation?value-quantity=1||a\|b\,c\$d", "escaped"),
]
PREFIXES: list[Row] = [
    (f"Observation?value-quantity=lt5.35|{UCUM}|mg", "less under at-most"),
    (f"Observation?value-quantity=le5.35|{UCUM}|mg", "less lower under at-most"),
    (f"Observation?value-quantity=gt5.45|{UCUM}|mg", "at-least over"),
    (f"Observation?value-quantity=ge5.45|{UCUM}|mg", "upper at-least over"),
    (f"Observation?value-quantity=lt5|{UCUM}|mg", "under at-most"),
    (
        f"Observation?value-quantity=ge5|{UCUM}|mg",
        "mg gram more-digits less lower upper at-most at-least over",
    ),
    (f"Observation?value-quantity=eb5|{UCUM}|mg", "under"),
    (f"Observation?value-quantity=eb5.001|{UCUM}|mg", "under at-most"),
    (f"Observation?value-quantity=sa6|{UCUM}|mg", "over"),
    (f"Observation?value-quantity=sa5.999|{UCUM}|mg", "at-least over"),
    (
        f"Observation?value-quantity=le6|{UCUM}|mg",
        "mg gram more-digits less lower upper under at-most at-least",
    ),
    (f"Observation?value-quantity=ne5.4|{UCUM}|mg", "less upper under at-most at-least over"),
    (
        f"Observation?value-quantity=ap5.4|{UCUM}|mg",
        "mg gram more-digits less lower upper under at-most",
    ),
    (f"Observation?value-quantity=ap6.1|{UCUM}|mg", "at-least over"),
    # from 90 to 110
    (f"Observation?value-quantity=1e2|{UCUM}|m", "sampled"),
    (f"Observation?value-quantity=100|{UCUM}|m", ""),
    (f"Observation?value-quantity=gt109|{UCUM}|m", "sampled"),
    (f"Observation?value-quantity=gt110|{UCUM}|m", ""),
    (f"Observation?value-quantity=sa89|{UCUM}|m", "sampled"),
    (f"Observation?value-quantity=sa90|{UCUM}|m", ""),
]
SEVERAL: list[Row] = [
    (f"Observation?value-quantity=3,gt6|{UCUM}|mg", "annotated at-least over"),
    (f"Observation?value-quantity=gt5.34|{UCUM}|mg&value-quantity=lt5.4|{UCUM}|mg", "lower"),
    ("Observation?value-quantity:missing=true", "no-value text nothing"),
]
MONEY: Mapping[str, Mapping[str, Any]] = {
    "euro": {"totalNet": {"value": Decimal("12.50"), "currency": "EUR"}},
    "dollar": {"totalNet": {"value": Decimal("12.50"), "currency": "USD"}},
    "no-currency": {"totalNet": {"value": 12}},
}
CURRENCIES: list[Row] = [
    ("Invoice?totalnet=12.50", "euro dollar"),
    ("Invoice?totalnet=12.50|urn:iso:std:iso:4217|EUR", "euro"),
    ("Invoice?totalnet=12.50||USD", "dollar"),
    ("Invoice?totalnet=12", "no-currency"),
    ("Invoice?totalnet=gt12||EUR", "euro"),
    ("Invoice?totalnet=12.50|http://unitsofmeasure.org|EUR", ""),
]
REFUSED = [
    "Observation?value-quantity=",
    "Observation?value-quantity=a",
    "Observation?value-quantity=5.4|mg",
    "Observation?value-quantity=5.4|",
    "Observation?value-quantity=5.4||",
    f"Observation?value-quantity=5.4|{UCUM}|",
    f"Observation?value-quantity=5.4|{UCUM}|mg|x",
    f"Observation?value-quantity=|{UCUM}|mg",
    "Observation?value-quantity=5.4 mg",
    "Observation?value-quantity=gt",
    "Observation?value-quantity:exact=1",
    "Observation?value-quantity:not=1",
    "Observation?value-quantity:of-type=1",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    observations = {
        label: {"status": "final", "code": {"text": "x"}, **members}
        for label, members in OBSERVATIONS.items()
    }
    invoices = {label: {"status": "issued", **members} for label, members in MONEY.items()}
    return await load(
        server, [*labelled("Observation", observations), *labelled("Invoice", invoices)]
    )


@pytest.mark.parametrize(
    "row", BARE + UNITS + PREFIXES + SEVERAL + CURRENCIES, ids=lambda row: row[0]
)
async def test_a_quantity_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_a_quantity_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
