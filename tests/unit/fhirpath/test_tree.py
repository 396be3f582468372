"""Trees write themselves as expressions, and parse back to themselves."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.fhirpath.parser import parse
from fhir_server.fhirpath.tree import (
    CALENDAR_UNITS,
    PRECEDENCE,
    Binary,
    BooleanLiteral,
    DateLiteral,
    DateTimeLiteral,
    DecimalLiteral,
    EmptyLiteral,
    ExternalConstant,
    Function,
    Index,
    Indexer,
    IntegerLiteral,
    Member,
    Node,
    Polarity,
    QuantityLiteral,
    StringLiteral,
    This,
    TimeLiteral,
    Total,
    TypeOperation,
    TypeSpecifier,
    type_specifier,
    walk,
)

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_NAMES = st.sampled_from(["a", "Patient", "as", "is", "in", "contains", "div", "year"]) | _TEXTS
_DECIMALS = st.decimals(0, 10**12, places=3)
_TYPES = st.builds(TypeSpecifier, st.lists(_NAMES, min_size=1, max_size=3).map(tuple))
_LEAVES: st.SearchStrategy[Node] = st.one_of(
    st.just(EmptyLiteral()),
    st.builds(BooleanLiteral, st.booleans()),
    st.builds(StringLiteral, _TEXTS),
    st.builds(IntegerLiteral, st.integers(0)),
    st.builds(DecimalLiteral, _DECIMALS),
    st.builds(DateLiteral, st.sampled_from(["2015", "2015-02", "2015-02-04"])),
    st.builds(DateTimeLiteral, st.sampled_from(["2015T", "2015-02-04T14:34:28.1+10:00"])),
    st.builds(TimeLiteral, st.sampled_from(["14", "14:34:28.123"])),
    st.builds(QuantityLiteral, _DECIMALS, _TEXTS, calendar=st.just(value=False)),
    st.builds(
        QuantityLiteral,
        _DECIMALS,
        st.sampled_from(sorted(CALENDAR_UNITS)),
        calendar=st.just(value=True),
    ),
    st.builds(ExternalConstant, _NAMES),
    st.builds(Member, st.none(), _NAMES),
    st.builds(This, st.none()),
)


def _branches(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    arguments = st.lists(inner, max_size=3).map(tuple)
    operators = st.sampled_from(sorted(PRECEDENCE.keys() - {"is", "as"}))
    return st.one_of(
        st.builds(Member, inner, _NAMES),
        st.builds(Function, st.none() | inner, _NAMES, arguments),
        st.builds(This, inner),
        st.builds(Index, inner),
        st.builds(Total, inner),
        st.builds(Indexer, inner, inner),
        st.builds(Polarity, st.sampled_from(["+", "-"]), inner),
        st.builds(Binary, operators, inner, inner),
        st.builds(TypeOperation, st.sampled_from(["is", "as"]), inner, _TYPES),
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(_LEAVES, _branches, max_leaves=25))
def test_a_written_tree_parses_to_an_equal_tree(tree: Node) -> None:
    again = parse(str(tree))
    assert again == tree
    # Equality of numbers overlooks digits and classes; the representation does not.
    assert repr(again) == repr(tree)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a.b [ 1 ]", "a.b[1]"),
        ("(a)", "a"),
        ("((a or b)) and c", "(a or b) and c"),
        ("(a and b) or c", "a and b or c"),
        ("a or (b or c)", "a or (b or c)"),
        ("a - (b - c)", "a - (b - c)"),
        ("(a is b).c", "(a is b).c"),
        ("a is b.c", "a is b.c"),
        ("(-a).b", "(-a).b"),
        ("-(a + b)", "-(a + b)"),
        ("`a`.`div`", "a.`div`"),
        ("'\\u0041\\n\\'`'", "'A\\n\\'\\`'"),
        ("%'a b'", "%`a b`"),
        ("1.50", "1.50"),
        ("1 'mg' // why", "1 'mg'"),
        ("a.where( b=1 ,c )", "a.where(b = 1, c)"),
    ],
)
def test_trees_are_written_plainly(text: str, written: str) -> None:
    assert str(parse(text)) == written


def test_trees_are_equal_and_hash_alike_wherever_they_stood() -> None:
    assert parse("a . b") == parse("a.b")
    assert hash(parse(" a . b")) == hash(parse("a.b"))
    assert parse("a.b") != parse("a.c")
    assert parse("1").position == 0


@pytest.mark.parametrize(
    ("text", "namespace", "name"),
    [
        ("Patient", None, "Patient"),
        ("FHIR.Patient", "FHIR", "Patient"),
        ("System.`String`", "System", "String"),
        ("a.b.c", "a.b", "c"),
    ],
)
def test_an_argument_may_name_a_type(text: str, namespace: str | None, name: str) -> None:
    specifier = type_specifier(parse(text))
    assert specifier is not None
    assert (specifier.namespace, specifier.name) == (namespace, name)


@pytest.mark.parametrize("text", ["'Patient'", "a()", "a().b", "$this.a", "%a.b", "a[0]", "a | b"])
def test_other_arguments_name_no_type(text: str) -> None:
    assert type_specifier(parse(text)) is None


def test_walking_visits_each_node_before_its_children_from_left_to_right() -> None:
    assert [str(node) for node in walk(parse("a.b(c) + -d[1]"))] == [
        "a.b(c) + -d[1]",
        "a.b(c)",
        "a",
        "c",
        "-d[1]",
        "d[1]",
        "d",
        "1",
    ]


def test_decimals_are_never_written_with_an_exponent() -> None:
    assert str(DecimalLiteral(Decimal("0.00000001"))) == "0.00000001"
