"""Tokens of http://hl7.org/fhirpath/N1/#lexical-elements."""

import pytest

from fhir_server.fhirpath.errors import FhirPathSyntaxError
from fhir_server.fhirpath.lexer import END, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\r\n", []),
        ("Patient.name", [("identifier", "Patient"), (".", "."), ("identifier", "name")]),
        ("_a1", [("identifier", "_a1")]),
        ("`a b`", [("delimited", "a b")]),
        (r"`a\`b`", [("delimited", "a`b")]),
        ("``", [("delimited", "")]),
        ("and android", [("and", "and"), ("identifier", "android")]),
        ("1 12.50 007", [("number", "1"), ("number", "12.50"), ("number", "007")]),
        ("1.a", [("number", "1"), (".", "."), ("identifier", "a")]),
        ("<=<>=>!=!~=~", [(each, each) for each in ("<=", "<", ">=", ">", "!=", "!~", "=", "~")]),
        ("{}[]()", [(each, each) for each in "{}[]()"]),
        ("+-*/&|,%", [(each, each) for each in "+-*/&|,%"]),
        (
            "$this$index $total",
            [("variable", "$this"), ("variable", "$index"), ("variable", "$total")],
        ),
        ("'it''s'", [("string", "it"), ("string", "s")]),
        ("@2015", [("date", "2015")]),
        ("@2015-02", [("date", "2015-02")]),
        ("@2015-02-04", [("date", "2015-02-04")]),
        ("@2015T", [("datetime", "2015T")]),
        ("@2015-02T", [("datetime", "2015-02T")]),
        ("@2015-02-04T14", [("datetime", "2015-02-04T14")]),
        ("@2015-02-04T14:34:28Z", [("datetime", "2015-02-04T14:34:28Z")]),
        ("@2015-02-04T14:34:28.123+10:00", [("datetime", "2015-02-04T14:34:28.123+10:00")]),
        ("@T14", [("time", "14")]),
        ("@T14:34:28.1", [("time", "14:34:28.1")]),
        ("@2015-1", [("date", "2015"), ("-", "-"), ("number", "1")]),
        ("a // b\n c", [("identifier", "a"), ("identifier", "c")]),
        ("a /* b\n * / */ c", [("identifier", "a"), ("identifier", "c")]),
        ("a//", [("identifier", "a")]),
        ("a/**/b", [("identifier", "a"), ("identifier", "b")]),
        ("'/* a */'", [("string", "/* a */")]),
    ],
)
def test_text_becomes_tokens(text: str, expected: list[tuple[str, str]]) -> None:
    found = tokens(text)
    assert [(token.kind, token.text) for token in found[:-1]] == expected
    assert found[-1] == (END, "", len(text))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r"'\''", "'"),
        (r"'\"'", '"'),
        (r"'\`'", "`"),
        (r"'\\'", "\\"),
        (r"'\/'", "/"),
        (r"'\f\n\r\t'", "\f\n\r\t"),
        (r"'\u00e4\u00E4'", "ää"),
        (r"'\\u0041'", r"\u0041"),
        (r"'\ud83d\ude00'", "😀"),
        ("'😀 ä'", "😀 ä"),
        ("'a\nb'", "a\nb"),
    ],
)
def test_escapes_in_strings_are_resolved(written: str, value: str) -> None:
    assert tokens(written)[0] == ("string", value, 0)


def test_tokens_know_where_they_begin() -> None:
    found = tokens("ab  /* c */ . 'd'")
    assert [token.position for token in found] == [0, 12, 14, 17]


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("a = 'b", 4, "this string is not closed"),
        (r"'b\'", 0, "this string is not closed"),
        ("a.`b", 2, "this name in backticks is not closed"),
        ("a /* b", 2, "this comment is not closed"),
        ('"a"', 0, "strings stand in single quotes, names in backticks"),
        ("$that", 0, "expected $this, $index or $total"),
        ("$thisOne", 0, "expected $this, $index or $total"),
        ("@15", 0, "expected a date, a dateTime or a time after @"),
        ("a ! b", 2, "expected != or !~"),
        ("a # b", 2, "no expression contains the character '#'"),
        ("a\u00a0b", 1, "no expression contains the character '\\xa0'"),
        ("@T14:34Z", 0, "a time has no time zone"),
        ("1 + @T14:34-05:00", 4, "a time has no time zone"),
        (r"a = '1\d'", 6, r"there is no escape \d; a backslash itself is \\"),
        (r"'\u00g0'", 1, r"there is no escape \u; a backslash itself is \\"),
        (r"'\ud83d'", 0, "half a surrogate pair is not a character"),
    ],
)
def test_what_is_no_token_is_told_with_its_place(text: str, position: int, message: str) -> None:
    with pytest.raises(FhirPathSyntaxError) as caught:
        tokens(text)
    assert caught.value.position == position
    assert caught.value.message == f"FHIRPath, at offset {position}: {message}"
