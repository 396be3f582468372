"""JSON in and out. The oracle is the standard library's parser with `parse_float=Decimal`."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import MalformedContent
from fhir_server.fhir.json_format import parse, write, write_pretty


def exact(data: bytes) -> Any:
    """What the standard library reads, with every number as its text so that digits count."""
    return json.loads(data, parse_float=lambda text: ("number", str(Decimal(text))))


_NUMBERS = st.one_of(
    st.integers(min_value=-(2**200), max_value=2**200),
    st.decimals(allow_nan=False, allow_infinity=False),
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES)
def test_what_is_written_reads_back_as_it_was(value: Any) -> None:
    assert repr(parse(write(value))) == repr(value) or json.loads(
        write(value), parse_float=Decimal
    ) == parse(write(value))


@given(_VALUES)
def test_reading_and_writing_agree_with_the_standard_library(value: Any) -> None:
    written = write(value)
    assert exact(written) == exact(write(parse(written)))
    assert exact(write_pretty(written)) == exact(written)


@pytest.mark.parametrize(
    "number",
    ["1.00", "0.10", "-0.0", "1E+400", "1E-999999", "0.000010", "100000000000000000000000000000",
     "12345678901234567890.12345678901234567890", "18446744073709551616", "-9223372036854775809",
     "0E-10", "5.0"],
)  # fmt: skip
def test_numbers_keep_every_digit_and_do_not_grow(number: str) -> None:
    assert write(parse(f"[{number}]".encode())) == f"[{number}]".encode()


@pytest.mark.parametrize(
    ("number", "respelt"),
    [("1e5", "1E+5"), ("1.0E-5", "0.000010"), ("1.5e3", "1.5E+3"), ("1E-7", "1E-7")],
)
def test_exponents_may_be_respelt_with_the_same_precision(number: str, respelt: str) -> None:
    assert write(parse(number.encode())).decode() == respelt
    assert Decimal(number).as_tuple() == Decimal(respelt).as_tuple()


def test_members_keep_their_order_and_text_its_characters() -> None:
    data = '{"b":1,"a":{"z":"é😀\u2028/","y":[true,false,null]}}'.encode()
    assert write(parse(data)) == data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "There is no content where JSON was expected."),
        (b" \n", "There is no content where JSON was expected."),
        (b'{"a":1', "ends too early (line 1, column 6)"),
        (b'{"a":1,"a":2}', "The name 'a' occurs twice in one object (line 1, column 12)."),
        (b'{"x":{"b":1,"\\u0062":2}}', "The name 'b' occurs twice in one object"),
        (b"[NaN]", "a value was expected (line 1, column 2)"),
        (b"[Infinity]", "a value was expected"),
        (b"[-Infinity]", "number is not written as JSON asks"),
        (b'["\\ud800"]', "half of a surrogate pair stands alone"),
        (b'["\\ud800x"]', "half of a surrogate pair stands alone"),
        (b'["\\udc00"]', "half of a surrogate pair stands alone"),
        (b"[1, \xef\xbb\xbf2]", "a value was expected (line 1, column 5)"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "a value was expected"),
        (b"{}x", "something follows the end"),
        (b"{} {}", "something follows the end"),
        (b'["\xff"]', "not UTF-8"),
        (b'["\xed\xa0\x80"]', "not UTF-8"),
        (b'["\xc0\x80"]', "not UTF-8"),
        (b'["a\nb"]', "a control character in a text must be escaped (line 2, column 1)"),
        (b'["a\\xb"]', "a backslash is followed by something that is no escape"),
        (b"[01]", "number is not written as JSON asks"),
        (b"[1.]", "number is not written as JSON asks"),
        (b"[" + b"9" * 5000 + b"]", "too many digits"),
        (b"[1e99999999999999999999]", "too large an exponent"),
        (b"{a:1}", "a name in double quotes was expected"),
        (b'{"a":1,}', "a comma is followed by no value"),
        (b'{"a" 1}', "a colon was expected"),
        (b'{"a":1 "b":2}', "a comma or the end of the object"),
        (b"[1 2]", "a comma or the end of the array"),
        (b'\n\n{"a":\n  x}', "a value was expected (line 4, column 3)"),
        (b"[" * 65 + b"]" * 65, "nested 65 levels deep; at most 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested 65 levels deep; at most 64"),
        (b"[" * 300 + b"]" * 300, "nested more than 200 levels deep; at most 64"),
    ],
)  # fmt: skip
def test_wrong_content_is_refused_with_words_and_place(data: bytes, words: str) -> None:
    with pytest.raises(MalformedContent) as refused:
        parse(data)
    assert words in refused.value.message


def test_a_long_duplicate_name_is_cut_short() -> None:
    name = b"x" * 10_000
    with pytest.raises(MalformedContent) as refused:
        parse(b'{"' + name + b'":1,"' + name + b'":2}')
    assert len(refused.value.message) < 200


@pytest.mark.parametrize("depth", [1, 63, 64])
def test_the_depth_allowed_is_allowed(depth: int) -> None:
    assert parse(b"[" * depth + b"]" * depth) is not None
    assert parse(b'{"a":' * (depth - 1) + b"[1]" + b"}" * (depth - 1)) is not None


def test_brackets_and_blanks_in_text_are_not_depth() -> None:
    text = "\\n" + " " * 200 + "[" * 200
    assert parse(f'["{text}"]'.encode()) == ["\n" + " " * 200 + "[" * 200]


def test_a_byte_order_mark_in_front_is_passed_over() -> None:
    assert parse(b'\xef\xbb\xbf{"a":"\xef\xbb\xbf"}') == {"a": "\ufeff"}


def test_pretty_json_has_two_blanks_a_level_and_the_same_digits() -> None:
    assert write_pretty(b'{"a":[1.00,{}],"b":1E+400}') == (
        b'{\n  "a": [\n    1.00,\n    {}\n  ],\n  "b": 1E+400\n}'
    )
