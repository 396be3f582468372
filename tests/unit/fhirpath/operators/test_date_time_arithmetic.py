"""Date and time arithmetic: http://hl7.org/fhirpath/N1/#datetime-arithmetic."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.fhirpath.errors import FhirPathEvaluationError
from fhir_server.fhirpath.operators.date_time_arithmetic import shift
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.temporal import DateTime, compare, read_date_time
from tests.support.fhirpath import evaluate


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("@1973-12-25 + 7 days", ["1974-01-01"]),
        ("@1973-12-25 + 7.9 days", ["1974-01-01"]),
        ("@2020-01-31 + 1 month", ["2020-02-29"]),
        ("@2020-02-29 + 1 year", ["2021-02-28"]),
        ("@2020-03-31 - 1 month", ["2020-02-29"]),
        ("@2014 + 24 months", ["2016"]),
        ("@2014 + 23 months", ["2015"]),
        ("@2014 - 24 months", ["2012"]),
        ("@2014-05 + 40 days", ["2014-06"]),
        ("@2014 + 364 days", ["2014"]),
        ("@2014 + 1 week", ["2014"]),
        ("@2020-01-01 + 1 'wk'", ["2020-01-08"]),
        ("@2020-01-01 + 1 'd'", ["2020-01-02"]),
        ("@2020-01-01T10:00:00Z + 90 minutes", ["2020-01-01T11:30:00Z"]),
        ("@2019-12-31T23:59:59.500+02:00 + 1 second", ["2020-01-01T00:00:00.500+02:00"]),
        ("@2020-01-01T00:00:00 + 1.5 's'", ["2020-01-01T00:00:01.5"]),
        ("@2020-01-01T00:00:00.000 - 1 millisecond", ["2019-12-31T23:59:59.999"]),
        ("@2020-01-01T10 + 90 minutes", ["2020-01-01T11"]),
        ("@2020-01-01T10:30 + 90 seconds", ["2020-01-01T10:31"]),
        ("@T23:30 + 45 minutes", ["00:15"]),
        ("@T01:00:00 - 2 hours", ["23:00:00"]),
        ("@T10 + 90 minutes", ["11"]),
        ("@9999-12-31 + 1 day", []),
        ("@0001-01-01 - 1 day", []),
        ("@9999 + 1 year", []),
        ("@2020 + 99999999999999999 years", []),
        ("@2020 + {}", []),
        ("birthDate + 1 year", ["1975-12-25"]),
    ],
)
def test_dates_and_times_move_by_quantities(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("@2020-01-01 + 1 'mo'", 12),
        ("@2020-01-01 + 1 'a'", 12),
        ("@2020-01-01 + 1 hour", 12),
        ("@T10:00 + 1 day", 8),
        ("@2020 + 1 'cm'", 6),
        ("@2020 + 7", 6),
        ("7 days + @2020", 7),
        ("@2020 - @2019", 6),
    ],
)
def test_a_unit_that_moves_no_date_is_refused(expression: str, position: int) -> None:
    with pytest.raises(FhirPathEvaluationError) as caught:
        evaluate(expression)
    assert caught.value.position == position


moments = st.datetimes(datetime(1000, 1, 1), datetime(3000, 1, 1)).map(  # noqa: DTZ001 - no zone
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
amounts = st.integers(-(10**6), 10**6)
WORDS = {"weeks": 7 * 86_400, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}


@given(moments, amounts, st.sampled_from(sorted(WORDS)))
def test_fixed_units_move_as_the_standard_library_does(
    moment: datetime, amount: int, word: str
) -> None:
    try:
        expected = [_written(moment + timedelta(seconds=amount * WORDS[word]))]
    except OverflowError:
        expected = []
    found = shift(_read(moment), Quantity(Decimal(amount), word, calendar=True), 1)
    assert [str(found)] if found else expected == []


@given(moments, moments)
def test_moments_are_ordered_as_in_the_standard_library(one: datetime, other: datetime) -> None:
    assert compare(_read(one), _read(other)) == (one > other) - (one < other)


@given(moments, moments, st.integers(-720, 840), st.integers(-720, 840))
def test_zones_are_respected_as_in_the_standard_library(
    one: datetime, other: datetime, offset: int, other_offset: int
) -> None:
    left, right = _zoned(one, offset), _zoned(other, other_offset)
    ours = DateTime(_read(one).fields, offset), DateTime(_read(other).fields, other_offset)
    assert compare(*ours) == (left > right) - (left < right)


def _zoned(moment: datetime, offset: int) -> datetime:
    return moment.replace(tzinfo=timezone(timedelta(minutes=offset)))


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _read(moment: datetime) -> DateTime:
    found = read_date_time(_written(moment))
    assert found is not None
    return found
