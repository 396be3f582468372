"""Queries of URLs and forms: what they say, and what of it may be logged."""

from urllib.parse import parse_qsl

import pytest

from fhir_server.api.query import NO_QUERY, of_pairs, read_query
from fhir_server.errors import BadRequest

QUERIES = [
    "a=1",
    "a=1&b=2",
    "a=&b",
    "a==&=b",
    "&&a=1&",
    "code=http%3A%2F%2Floinc.org%7C8302-2&date=ge2015",
    "name=J%C3%BCrgen+M%C3%BCller",
    "name=a%2Bb+c%20d",
    "%6Eame=x",
    "na+me=x",
    "a=%zz&b=%4",
    "a=1;b=2",
    "name=" + "x" * 1000,
]


@pytest.mark.parametrize("text", QUERIES, ids=range(len(QUERIES)))
def test_pairs_are_those_of_the_standard(text: str) -> None:
    expected = parse_qsl(text, keep_blank_values=True, errors="strict")
    for _ in range(2):
        assert list(read_query(text.encode()).pairs) == expected


def test_the_last_form_counts() -> None:
    query = read_query(b"_format=xml&_pretty=false&_format=json&_pretty=true&name=x")
    assert (query.format, query.pretty) == ("json", "true")
    assert (NO_QUERY.format, NO_QUERY.pretty) == (None, None)


def test_only_names_may_be_logged() -> None:
    assert read_query(b"name=Chalmers&Chal%20mers=x").names == "name&?"
    assert of_pairs((("name", "Chalmers"),)).names == "name"


WRONG = [b"name=%ff", b"%C3=x", "name=ü".encode(), b"a&" * 10_001]


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_no_query_is_refused(text: bytes) -> None:
    for _ in range(2):
        with pytest.raises(BadRequest):
            read_query(text)
