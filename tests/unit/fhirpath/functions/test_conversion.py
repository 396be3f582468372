"""Conversion: http://hl7.org/fhirpath/N1/#conversion."""

from typing import Any

import pytest

from fhir_server.fhirpath.errors import FhirPathEvaluationError
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("iif(true, 1, 2)", [1]),
        ("iif({}, 1, 2)", [2]),
        ("iif(false, 1)", []),
        ("iif(true, 1, ('a' | 'b').lower())", [1]),
        ("'Yes'.toBoolean()", [True]),
        ("'F'.toBoolean()", [False]),
        ("'maybe'.toBoolean()", []),
        ("1.0.toBoolean()", [True]),
        ("2.toBoolean()", []),
        ("@2020.toBoolean()", []),
        ("'+12'.toInteger()", [12]),
        ("'1.0'.toInteger()", []),
        ("true.toInteger()", [1]),
        ("'99999999999'.toInteger()", []),
        ("1.5.toInteger()", []),
        ("'1.50'.toDecimal().toString()", ["1.50"]),
        ("'1.'.toDecimal()", []),
        ("'1e3'.toDecimal()", []),
        ("true.toDecimal().toString()", ["1.0"]),
        ("'4 days'.toQuantity()", ["4 days"]),
        ("'4 \\'mg\\''.toQuantity()", ["4 'mg'"]),
        ("'4 mg'.toQuantity()", []),
        ("'4 \\'nonsense\\''.toQuantity()", []),
        ("1.toQuantity()", ["1 '1'"]),
        ("1 'g'.toQuantity('mg') = 1000 'mg'", [True]),
        ("1 'g'.toQuantity('s')", []),
        ("1.toString()", ["1"]),
        ("1.0.toString()", ["1.0"]),
        ("true.toString()", ["true"]),
        ("@2020-01.toString()", ["2020-01"]),
        ("@T10:30.toString()", ["10:30"]),
        ("@2020-01-01T10:00:00.000+02:00.toString()", ["2020-01-01T10:00:00.000+02:00"]),
        ("name.first().toString()", []),
        ("'2020-02-30'.toDate()", []),
        ("'2020-02-29'.toDate()", ["2020-02-29"]),
        ("@2020-02-29T10:00.toDate()", ["2020-02-29"]),
        ("@2020.toDateTime() is DateTime", [True]),
        ("'2020-02-29T25:00'.toDateTime()", []),
        ("'10:30'.toTime()", ["10:30"]),
        ("'24:00'.toTime()", []),
        ("'a'.convertsToInteger()", [False]),
        ("{}.convertsToInteger()", []),
        ("1.convertsToQuantity()", [True]),
        ("name.first().convertsToString()", [False]),
        ("birthDate.toString()", ["1974-12-25"]),
        ("active.toInteger()", [1]),
        ("multipleBirth.toDecimal() = 2.0", [True]),
    ],
)
def test_conversion_gives_the_type_or_nothing(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("name.given.toInteger()", 11),
        ("(1|2).convertsToString()", 6),
        ("iif('a', 1)", 0),
        ("(1|2).iif(true, 1)", 6),
    ],
)
def test_one_item_is_converted_not_several(expression: str, position: int) -> None:
    with pytest.raises(FhirPathEvaluationError) as caught:
        evaluate(expression)
    assert caught.value.position == position
