"""The grammar of `_filter`: https://hl7.org/fhir/R4/search_filter.html"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import BadRequest, TooCostly
from fhir_server.search.filter_syntax import (
    LONGEST,
    MOST_NESTED,
    MOST_TESTS,
    OPERATORS,
    Both,
    Comparison,
    Either,
    Filter,
    Link,
    Negated,
    parse_filter,
)


def compared(name: str, operator: str = "eq", value: str = "1") -> Comparison:
    return Comparison((Link(name, None),), operator, value)


A, B, C = (compared(name) for name in "abc")

TREES: list[tuple[str, Filter]] = [
    ("a eq 1", A),
    ("  a   eq\t1 ", A),
    ('a eq "1"', A),
    ("(a eq 1)", A),
    ("((a eq 1))", A),
    ("a eq 1 and b eq 1", Both(A, B)),
    ("a eq 1 or b eq 1", Either(A, B)),
    # no precedence: from the left
    ("a eq 1 or b eq 1 and c eq 1", Both(Either(A, B), C)),
    ("a eq 1 and b eq 1 or c eq 1", Either(Both(A, B), C)),
    ("a eq 1 or (b eq 1 and c eq 1)", Either(A, Both(B, C))),
    ("(a eq 1 or b eq 1)and(c eq 1)", Both(Either(A, B), C)),
    ("not (a eq 1)", Negated(A)),
    ("not(a eq 1 and b eq 1) or c eq 1", Either(Negated(Both(A, B)), C)),
    # values
    ('name co "pet"', compared("name", "co", "pet")),
    ('name eq "a b) ] and c"', compared("name", "eq", "a b) ] and c")),
    (r'name eq "say \"x\" \\ \u00fc"', compared("name", "eq", 'say "x" \\ ü')),
    ("birthdate ge 2014-10-10", compared("birthdate", "ge", "2014-10-10")),
    ("code eq http://loinc.org|1234-5", compared("code", "eq", "http://loinc.org|1234-5")),
    ("a eq and", compared("a", "eq", "and")),
    ("a pr true", compared("a", "pr", "true")),
    ("address-city sw x,y", compared("address-city", "sw", "x,y")),
    ("_lastUpdated gt 2020", compared("_lastUpdated", "gt", "2020")),
    # paths
    ("subject.name co x", Comparison((Link("subject", None), Link("name", None)), "co", "x")),
    ("subject:Patient.name co x",
     Comparison((Link("subject:Patient", None), Link("name", None)), "co", "x")),
    ("related[type eq comp].target pr false",
     Comparison((Link("related", compared("type", "eq", "comp")), Link("target", None)),
                "pr", "false")),
    ("a[b eq 1 or c eq 1].d[not(a eq 1)].e eq 1",
     Comparison((Link("a", Either(B, C)), Link("d", Negated(A)), Link("e", None)), "eq", "1")),
    ("_has:Observation:patient:code eq 1", compared("_has:Observation:patient:code")),
    ("_has:A:b:_has:C:d:e eq 1", compared("_has:A:b:_has:C:d:e")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), TREES, ids=[text for text, _ in TREES])
def test_a_filter_is_read_as_the_grammar_says(text: str, tree: Filter) -> None:
    assert parse_filter(text) == tree


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_every_operator_is_read(operator: str) -> None:
    assert parse_filter(f"a {operator} 1") == compared("a", operator)


WRONG = [
    ("", 1, "the name of a search parameter", "the filter ends there"),
    ("  ", 3, "the name of a search parameter", "the filter ends there"),
    ("1a eq 1", 1, "the name of a search parameter", "'1a eq 1'"),
    ("a", 2, "an operator", "the filter ends there"),
    ("a equals 1", 3, "an operator, one of ap, co, eb, eq", "'equals 1'"),
    ("a EQ 1", 3, "an operator", "'EQ 1'"),
    ("a eq", 5, "a value", "the filter ends there"),
    ("a eq )", 6, "a value", "')'"),
    ('a eq "x', 6, "a closing quote", "'\"x'"),
    (r'a eq "\x"', 10, "a JSON string before this place", "ends there"),
    ("a eq 1 b eq 1", 8, "`and`, `or` or the end", "'b eq 1'"),
    ("a eq 1 and", 11, "the name of a search parameter", "the filter ends there"),
    ("(a eq 1", 8, "`and`, `or` or )", "the filter ends there"),
    ("a eq 1)", 7, "`and`, `or` or the end", "')'"),
    ("not a eq 1", 5, "( after not", "'a eq 1'"),
    ("a. eq 1", 7, "an operator", "'1'"),
    ("a..b eq 1", 3, "the name of a search parameter", "'.b eq 1'"),
    ("a[b eq 1 eq 1", 10, "`and`, `or` or ]", "'eq 1'"),
    ("a[b eq 1] eq 1", 10, "a dot and a name after ]", "' eq 1'"),
    ("a[] eq 1", 3, "the name of a search parameter", "'] eq 1'"),
]


@pytest.mark.parametrize(("text", "place", "expected", "met"), WRONG, ids=[c[0] for c in WRONG])
def test_what_is_no_filter_is_refused_with_its_place(
    text: str, place: int, expected: str, met: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_filter(text)
    message = caught.value.message
    assert message.startswith(f"at character {place} ")
    assert expected in message
    assert met in message
    assert len(message) < 250


_PIECES = [
    "a",
    "not",
    "and",
    "or",
    "eq",
    "pr",
    "true",
    "(",
    ")",
    "[",
    "]",
    ".",
    '"',
    "\\\\",
    " ",
    ":",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=25).map("".join))
def test_any_text_is_read_or_refused_at_a_place_in_it(text: str) -> None:
    try:
        parse_filter(text)
    except BadRequest as refused:
        found = re.match(r"at character (\d+) ", refused.message)
        assert found
        assert 1 <= int(found[1]) <= len(text) + 1


def test_a_filter_has_bounds() -> None:
    deep = MOST_NESTED - 1
    assert parse_filter("(" * deep + "a eq 1" + ")" * deep) == A
    with pytest.raises(TooCostly, match="at character 32 the filter is nested deeper than 32"):
        parse_filter("(" * MOST_NESTED + "a eq 1" + ")" * MOST_NESTED)
    with pytest.raises(TooCostly, match="nested"):
        parse_filter("a[" * 5000)
    parse_filter(" or ".join(["a eq 1"] * MOST_TESTS))
    with pytest.raises(TooCostly, match="over 100 tests"):
        parse_filter(" or ".join(["a eq 1"] * (MOST_TESTS + 1)))
    long = LONGEST - len("a eq ")
    assert parse_filter("a eq " + "1" * long) == compared("a", "eq", "1" * long)
    with pytest.raises(TooCostly, match="may have 16000 characters; this one has 16001"):
        parse_filter("a eq " + "1" * (long + 1))


def test_every_part_knows_its_place() -> None:
    text = 'not ( subject[ active  eq true].name   co "é x")'
    tree = parse_filter(text)
    assert isinstance(tree, Negated)
    outer = tree.filter
    assert isinstance(outer, Comparison)
    first, second = outer.path
    inner = first.condition
    assert isinstance(inner, Comparison)
    places = [
        (first.at, "subject"),
        (inner.path[0].at, "active"),
        (inner.operator_at, "eq"),
        (inner.value_at, "true"),
        (second.at, "name"),
        (outer.operator_at, "co"),
        (outer.value_at, '"é x"'),
    ]
    for at, part in places:
        assert text[at - 1 :].startswith(part)
