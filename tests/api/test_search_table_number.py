"""https://hl7.org/fhir/R4/search.html#number"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.support.search_tables import Loaded, Row, labelled, load
from tests.support.server import Server

pytestmark = pytest.mark.anyio


def probability(*values: str) -> dict[str, Any]:
    return {"prediction": [{"probabilityDecimal": Decimal(value)} for value in values]}


def within(**ends: str) -> dict[str, Any]:
    percent = {"system": "http://unitsofmeasure.org", "code": "%"}
    range_ = {end: {"value": Decimal(value), **percent} for end, value in ends.items()}
    return {"prediction": [{"probabilityRange": range_}]}


ASSESSMENTS: Mapping[str, Mapping[str, Any]] = {
    "tenth": probability("0.1"),
    "digits": probability("0.100"),
    "lower": probability("0.05"),
    "upper": probability("0.15"),
    "half": probability("0.5"),
    "zero": probability("0"),
    "below-zero": probability("-1.5"),
    "hundred": probability("100"),
    "exponent": probability("1e2"),
    "tiny": probability("0.0000001"),
    "range": within(low="0.2", high="0.4"),
    "from": within(low="0.7"),
    "to": within(high="0.3"),
    "several": probability("0.1", "0.9"),
    "nothing": {},
    "empty": {"prediction": [{"rationale": "none"}]},
}
PRECISIONS: list[Row] = [
    # [0.05, 0.15)
    ("RiskAssessment?probability=0.1", "tenth digits lower several"),
    ("RiskAssessment?probability=eq0.1", "tenth digits lower several"),
    ("RiskAssessment?probability=.1", "tenth digits lower several"),
    ("RiskAssessment?probability=1e-1", "tenth digits lower several"),
    # [0.095, 0.105)
    ("RiskAssessment?probability=0.10", "tenth digits several"),
    ("RiskAssessment?probability=10e-2", "tenth digits several"),
    ("RiskAssessment?probability=0.15", "upper"),
    ("RiskAssessment?probability=0.2", "upper"),
    # [0.25, 0.35) contains no part of what is only partly in it
    ("RiskAssessment?probability=0.3", ""),
    # [-0.5, 0.5)
    ("RiskAssessment?probability=0", "zero tenth digits lower upper tiny range several"),
    ("RiskAssessment?probability=0.0", "zero tiny"),
    ("RiskAssessment?probability=-0", "zero tenth digits lower upper tiny range several"),
    ("RiskAssessment?probability=0.0000001", "tiny"),
    ("RiskAssessment?probability=0.0000002", ""),
    # [0.5, 1.5)
    ("RiskAssessment?probability=1", "half several"),
    ("RiskAssessment?probability=0.5", "half"),
    ("RiskAssessment?probability=-1.5", "below-zero"),
    ("RiskAssessment?probability=-2", ""),
    ("RiskAssessment?probability=100", "hundred exponent"),
    ("RiskAssessment?probability=100.00", "hundred exponent"),
    # R4 has [95, 105) here, which its own rule of digits does not give
    ("RiskAssessment?probability=1e2", "hundred exponent"),
    ("RiskAssessment?probability=1.00e2", "hundred exponent"),
    ("RiskAssessment?probability=99", ""),
]
PREFIXES: list[Row] = [
    (
        "RiskAssessment?probability=ne0.1",
        "upper half zero below-zero hundred exponent tiny range from to several",
    ),
    # with another prefix a number is exact
    ("RiskAssessment?probability=gt0.1", "upper half hundred exponent range from to several"),
    (
        "RiskAssessment?probability=ge0.1",
        "tenth digits upper half hundred exponent range from to several",
    ),
    ("RiskAssessment?probability=lt0.1", "lower zero below-zero tiny to"),
    ("RiskAssessment?probability=le0.1", "tenth digits lower zero below-zero tiny to several"),
    ("RiskAssessment?probability=sa0.1", "upper half hundred exponent range from several"),
    ("RiskAssessment?probability=sa0.2", "half hundred exponent from several"),
    (
        "RiskAssessment?probability=eb0.4",
        "tenth digits lower upper zero below-zero tiny to several",
    ),
    ("RiskAssessment?probability=eb0.3", "tenth digits lower upper zero below-zero tiny several"),
    ("RiskAssessment?probability=gt0.4", "half hundred exponent from several"),
    ("RiskAssessment?probability=ge0.4", "half hundred exponent range from several"),
    ("RiskAssessment?probability=lt-1", "below-zero to"),
    ("RiskAssessment?probability=gt1000", "from"),
    # a tenth of it, at least what it could be rounded from
    ("RiskAssessment?probability=ap105", "hundred exponent from"),
    ("RiskAssessment?probability=ap112", "from"),
    ("RiskAssessment?probability=ap0.30", "range to"),
    ("RiskAssessment?probability=ap0.1", "tenth digits lower upper to several"),
]
SEVERAL: list[Row] = [
    ("RiskAssessment?probability=0.5,100", "half hundred exponent"),
    ("RiskAssessment?probability=gt0.2&probability=lt0.45", "range to several"),
    ("RiskAssessment?probability=0.10&probability=0.9", "several"),
    ("RiskAssessment?probability:missing=true", "nothing empty"),
    (
        "RiskAssessment?probability:missing=false",
        "tenth digits lower upper half zero below-zero hundred exponent tiny range from to several",
    ),
]
REFUSED = [
    "RiskAssessment?probability=",
    "RiskAssessment?probability=a",
    "RiskAssessment?probability=1,2x",
    "RiskAssessment?probability=1.2.3",
    "RiskAssessment?probability=0x10",
    "RiskAssessment?probability=1e",
    "RiskAssessment?probability=1_0",
    "RiskAssessment?probability=inf",
    "RiskAssessment?probability=nan",
    "RiskAssessment?probability=gt",
    "RiskAssessment?probability=- 1",
    "RiskAssessment?probability=1|2",
    "RiskAssessment?probability=\u0661",
    "RiskAssessment?probability:exact=1",
    "RiskAssessment?probability:not=1",
    "RiskAssessment?probability:missing=1",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    assessments = {
        label: {"status": "final", "subject": {"reference": "Patient/1"}, **members}
        for label, members in ASSESSMENTS.items()
    }
    return await load(server, labelled("RiskAssessment", assessments))


@pytest.mark.parametrize("row", PRECISIONS + PREFIXES + SEVERAL, ids=lambda row: row[0])
async def test_a_number_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_a_number_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
