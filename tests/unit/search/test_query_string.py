"""Query strings: https://hl7.org/fhir/R4/search.html#escaping"""

import pytest

from fhir_server.errors import BadRequest
from fhir_server.search.query_string import Limits, parse

SYNTAX = [
    ("code=a", ("code", None, (), ("a",))),
    ("code=a,b", ("code", None, (), ("a", "b"))),
    (r"code=a\,b,c", ("code", None, (), (r"a\,b", "c"))),
    (r"code=a\\,b", ("code", None, (), (r"a\\", "b"))),
    (r"code=s\|a\$b", ("code", None, (), (r"s\|a\$b",))),
    ("name:exact=Ö", ("name", "exact", (), ("Ö",))),
    ("subject:Patient.name:exact=x", ("subject", "Patient", ("name:exact",), ("x",))),
    ("subject.organization.name=x", ("subject", None, ("organization", "name"), ("x",))),
    (
        "_has:Observation:patient:code=x",
        ("_has", "Observation:patient:code", (), ("x",)),
    ),
    ("value= a ", ("value", None, (), (" a ",))),
]


@pytest.mark.parametrize(("pair", "expected"), SYNTAX)
def test_a_pair_becomes_a_clause(pair: str, expected: tuple[object, ...]) -> None:
    name, _, value = pair.partition("=")
    (clause,) = parse([(name, value)], Limits()).clauses
    assert (clause.name, clause.modifier, clause.chain, clause.values) == expected
    assert clause.text == name


WRONG = [
    ("", "x", "is not the name of a search parameter"),
    ("name:", "x", "is not the name of a search parameter"),
    ("subject.", "x", "is not the name of a search parameter"),
    (".name", "x", "is not the name of a search parameter"),
    ("name", "", "name has an empty value"),
    ("name", "a,,b", "name has an empty value"),
    ("name", "a,", "name has an empty value"),
    ("name", "a\\", "escapes nothing"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_wrong_syntax_is_refused_by_name(name: str, value: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        parse([(name, value)], Limits())


def test_controls_are_kept_apart_from_clauses() -> None:
    query = parse([("_count", "3"), ("name", "x"), ("_include:iterate", "a:b")], Limits())
    assert [clause.name for clause in query.clauses] == ["name"]
    assert query.controls == (("_count", "3"), ("_include:iterate", "a:b"))


def test_a_repeated_name_is_two_clauses() -> None:
    query = parse([("name", "x"), ("name", "y")], Limits())
    assert [clause.values for clause in query.clauses] == [("x",), ("y",)]


def test_more_parameters_than_allowed_are_refused_with_both_numbers() -> None:
    with pytest.raises(BadRequest, match="may have 2 parameters; this one has 3"):
        parse([("a", "1"), ("_count", "1"), ("b", "1")], Limits(parameters=2))


def test_more_values_than_allowed_are_refused_with_both_numbers() -> None:
    assert parse([("a", "1,2")], Limits(values=2)).clauses
    with pytest.raises(BadRequest, match="a may have 2 values; this one has 3"):
        parse([("a", "1,2,3")], Limits(values=2))


def test_a_long_name_is_cut_in_messages() -> None:
    with pytest.raises(BadRequest) as caught:
        parse([("x" * 5000, "")], Limits())
    assert len(caught.value.message) < 200
