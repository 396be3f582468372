"""String manipulation: http://hl7.org/fhirpath/N1/#string-manipulation."""

import time
from typing import Any

import pytest

from fhir_server.fhirpath.errors import FhirPathEvaluationError
from fhir_server.fhirpath.regular_expressions import matcher, replace_matches
from tests.support.fhirpath import evaluate

MONTHS_BEFORE_DAYS = (
    r"'11/30/1972'.replaceMatches('\\b(?<month>\\d{1,2})/(?<day>\\d{1,2})/(?<year>\\d{2,4})\\b',"
    r" '${day}-${month}-${year}')"
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'abcdefg'.indexOf('bc')", [1]),
        ("'abc'.indexOf('x')", [-1]),
        ("'abc'.indexOf('')", [0]),
        ("{}.indexOf('a')", []),
        ("'a'.indexOf({})", []),
        ("'abcdefg'.substring(3)", ["defg"]),
        ("'abcdefg'.substring(1, 2)", ["bc"]),
        ("'abcdefg'.substring(6, 2)", ["g"]),
        ("'abcdefg'.substring(7, 1)", []),
        ("'abc'.substring(-1)", []),
        ("'abc'.substring(0, 0)", [""]),
        ("'abc'.startsWith('')", [True]),
        ("'abc'.startsWith('bc')", [False]),
        ("'abc'.endsWith('bc')", [True]),
        ("'abc'.contains('b')", [True]),
        ("'abc'.contains({})", []),
        ("'aß'.upper()", ["ASS"]),
        ("'ÄB'.lower()", ["äb"]),
        ("'abc'.replace('b', '')", ["ac"]),
        ("'abc'.replace('', 'x')", ["xaxbxcx"]),
        ("'abc'.matches('b')", [True]),
        ("'abc'.matches('^b')", [False]),
        ("'A\\nB'.matches('A.B')", [True]),
        ("'ü'.matches('^\\\\w$')", [True]),
        ("'abc'.matchesFull('b')", [False]),
        ("'a\\n'.matchesFull('a')", [False]),
        (MONTHS_BEFORE_DAYS, ["30-11-1972"]),
        ("'abc'.replaceMatches('(a)(b)', '$2$1')", ["bac"]),
        ("'abc'.replaceMatches('', 'x')", ["abc"]),
        ("''.length()", [0]),
        ("'äöü'.length()", [3]),
        ("{}.length()", []),
        ("'ab'.toChars()", ["a", "b"]),
        ("' a '.trim()", ["a"]),
        ("'a,,b'.split(',')", ["a", "", "b"]),
        ("name.given.join('-')", ["Peter-James-Jim-Peter"]),
        ("{}.join()", []),
        ("'ab'.encode('hex')", ["6162"]),
        ("'ab'.encode('base64').decode('base64')", ["ab"]),
        ("'x'.decode('hex')", []),
        ("'<a>'.escape('html').unescape('html')", ["<a>"]),
        ("'a\"b'.escape('json').unescape('json')", ['a"b']),
        ("id.startsWith('p')", [True]),
        ("gender.length()", [4]),
    ],
)
def test_strings_are_taken_apart_and_put_together(expression: str, expected: list[Any]) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("1.length()", 2),
        ("name.given.upper()", 11),
        ("'a'.substring('b')", 4),
        ("birthDate.startsWith('19')", 10),
        ("'a'.encode('rot13')", 4),
        ("('a' | 'b').contains('a')", 12),
    ],
)
def test_what_is_no_string_is_refused(expression: str, position: int) -> None:
    with pytest.raises(FhirPathEvaluationError) as caught:
        evaluate(expression)
    assert caught.value.position == position


@pytest.mark.parametrize(
    "expression",
    [
        "'a'.matches('(?=a)')",
        "'a'.matches('(a)\\\\1')",
        "'a'.matches('[')",
        "'a'.replaceMatches('(?=a)', '')",
        "'a'.replaceMatches('a', '$1')",
    ],
)
def test_a_pattern_that_is_none_or_needs_look_around_is_refused(expression: str) -> None:
    with pytest.raises(FhirPathEvaluationError):
        evaluate(expression)


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "(a|a)*b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y", "(.*)*=(.*)*"]
)
def test_no_pattern_takes_more_than_linear_time(pattern: str) -> None:
    text = "a" * 50_000 + "!"
    begin = time.process_time()
    matcher(pattern)(text)
    replace_matches(text, pattern, "")
    assert time.process_time() - begin < 2


def test_text_that_doubles_and_doubles_is_refused() -> None:
    doubled = "(1|2|3|4|5|6|7|8|9|10).aggregate($total & $total & $total & $total, 'abcdefgh')"
    with pytest.raises(FhirPathEvaluationError):
        evaluate(doubled)
    with pytest.raises(FhirPathEvaluationError):
        evaluate("'" + "a" * 3000 + "'.replace('a', '" + "b" * 3000 + "')")
