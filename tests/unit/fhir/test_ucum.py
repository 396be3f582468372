"""UCUM against its published functional tests and table, and against arithmetic done by hand."""

import json
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from xml.etree import ElementTree as ET

import pytest

from fhir_server.fhir import ucum, ucum_packing
from fhir_server.fhir.quantity import canonical
from tests.support.data import data_folder


def _cases(section: str) -> list[dict[str, str]]:
    root = ET.parse(data_folder("fhir-test-cases/ucum/UcumFunctionalTests.xml")).getroot()
    cases = [case.attrib for case in root.findall(f"{section}/case")]
    assert cases
    return cases


def _rounded_like(value: Decimal, written: str) -> Decimal:
    """The value with as many significant digits as were written."""
    digits = len(Decimal(written).as_tuple().digits)
    return Decimal(f"{value:.{digits - 1}e}")


def test_all_published_validation_cases() -> None:
    wrong = {
        case["unit"]: case["valid"]
        for case in _cases("validation")
        if (ucum.unit(case["unit"]) is not None) != (case["valid"] == "true")
    }
    assert wrong == {}


def test_all_published_conversions() -> None:
    for case in _cases("conversion"):
        source = canonical(Decimal(case["value"]), case["srcUnit"])
        target = canonical(Decimal(1), case["dstUnit"])
        assert source is not None
        assert target is not None
        assert source[1] == target[1], case
        result = source[0] / target[0]
        assert _rounded_like(result, case["outcome"]) == Decimal(case["outcome"]), case


@pytest.mark.parametrize("operation", ["multiplication", "division"])
def test_all_published_products_and_quotients(operation: str) -> None:
    for case in _cases(operation):
        sign = "." if operation == "multiplication" else "/"
        one, two = Decimal(case["v1"]), Decimal(case["v2"])
        value = one * two if operation == "multiplication" else one / two
        result = canonical(value, f"({case['u1']}){sign}({case['u2']})")
        expected = canonical(Decimal(1), case["uRes"] or "1")
        assert result is not None
        assert expected is not None
        assert result[1] == expected[1], case
        assert _rounded_like(result[0] / expected[0], case["vRes"]) == Decimal(case["vRes"]), case


def test_the_packed_table_is_that_of_the_published_file() -> None:
    packed = json.loads(files("fhir_server.fhir").joinpath("ucum.json").read_text("utf-8"))
    assert packed == ucum_packing.pack(data_folder("fhir-test-cases/ucum/ucum-essence.xml"))


def test_every_unit_of_the_table_has_a_meaning() -> None:
    packed = json.loads(files("fhir_server.fhir").joinpath("ucum.json").read_text("utf-8"))
    assert [code for code in packed["units"] if ucum.unit(code) is None] == []
    metric = [code for code, unit in packed["units"].items() if unit[0]]
    assert [code for code in metric if ucum.unit(f"k{code}") is None] == []


@pytest.mark.parametrize(
    ("value", "code", "expected", "unit"),
    [
        ("5.4", "mg", "0.0054", "g"),
        ("0.0054", "g", "0.0054", "g"),
        ("60", "/min", "1", "s-1"),
        ("60", "{beats}/min", "1", "s-1"),
        ("120", "mm[Hg]", "15998640", "g.m-1.s-2"),
        ("37", "Cel", "310.15", "K"),
        ("98.6", "[degF]", "310.15", "K"),
        ("29.6", "[degRe]", "310.15", "K"),
        ("37000", "mCel", "310.15", "K"),
        ("0", "K", "0", "K"),
        ("1", "W/Cel", "1000", "K-1.g.m2.s-3"),
        ("5", "[iU]/mL", "5000000", "[iU].m-3"),
        ("5", "[IU]/mL", "5000000", "[iU].m-3"),
        ("7.4", "[pH]", "7.4", "[pH]"),
        ("3", "dB", "0.3", "B"),
        ("50", "%", "0.5", "1"),
        ("4", "10*3/uL", "4000000000000", "m-3"),
        ("4", "10^3/uL", "4000000000000", "m-3"),
        ("1", "g/g", "1", "1"),
        ("1", "m0", "1", "1"),
        ("1", "{score}", "1", "1"),
        ("1", "mmol/L", "602214076000000000000000", "m-3"),
        ("1", "kg/m2", "1000", "g.m-2"),
        ("1E+400", "kg", "1E+403", "g"),
    ],
)
def test_values_become_canonical(value: str, code: str, expected: str, unit: str) -> None:
    assert canonical(Decimal(value), code) == (Decimal(expected), unit)


@pytest.mark.parametrize(
    "code",
    ["", " ", "mg ", "m g", "mgs", "foo", "m//s", "m..s", "(m", "m)", "()", "m{", "{a{b}}", "m-",
     "k", "kk", "m9999", "k[in_i]", "é", "m\n", "m²", "µg", "1e3", "m." * 100, "(" * 500],
)  # fmt: skip
def test_what_is_not_ucum_is_not_converted(code: str) -> None:
    assert canonical(Decimal(1), code) is None


@pytest.mark.parametrize(
    ("one", "other"), [("Ym400", "ym-400"), ("10*300", "10*-300"), ("/" + "km999", "1")]
)
def test_large_exponents_stay_small_work(one: str, other: str) -> None:
    assert canonical(Decimal("1E-999999"), one) is not None
    assert canonical(Decimal("9E+999999"), other) is not None


def test_a_unit_keeps_its_factor_exactly() -> None:
    unit = ucum.unit("/min")
    assert unit is not None
    assert unit.factor == Fraction(1, 60)
