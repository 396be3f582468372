"""The grammar of http://hl7.org/fhirpath/N1/, by precedence."""

from decimal import Decimal

import pytest

from fhir_server.errors import BadRequest
from fhir_server.fhirpath.errors import FhirPathSyntaxError
from fhir_server.fhirpath.parser import MAX_DEPTH, MAX_NESTING, parse
from fhir_server.fhirpath.tree import (
    CALENDAR_UNITS,
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
    walk,
)

A, B, C, D = (Member(None, name) for name in "abcd")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("{}", EmptyLiteral()),
        ("{ }", EmptyLiteral()),
        ("true", BooleanLiteral(value=True)),
        ("false", BooleanLiteral(value=False)),
        ("'it\\'s'", StringLiteral("it's")),
        ("0", IntegerLiteral(0)),
        ("42", IntegerLiteral(42)),
        ("@2015-02-04", DateLiteral("2015-02-04")),
        ("@2015T", DateTimeLiteral("2015T")),
        ("@2015-02-04T14:34:28Z", DateTimeLiteral("2015-02-04T14:34:28Z")),
        ("@T14:34", TimeLiteral("14:34")),
        ("4 'mg'", QuantityLiteral(Decimal(4), "mg", calendar=False)),
        ("1 year", QuantityLiteral(Decimal(1), "year", calendar=True)),
        ("1.5 days", QuantityLiteral(Decimal("1.5"), "days", calendar=True)),
        ("%resource", ExternalConstant("resource")),
        ("%`vs-a`", ExternalConstant("vs-a")),
        ("%'vs-a'", ExternalConstant("vs-a")),
        ("$this", This(None)),
        ("$index", Index(None)),
        ("$total", Total(None)),
    ],
)
def test_terms(text: str, tree: Node) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize("unit", sorted(CALENDAR_UNITS))
def test_calendar_words_are_units(unit: str) -> None:
    assert parse(f"3 {unit}") == QuantityLiteral(Decimal(3), unit, calendar=True)


def test_decimals_keep_their_digits() -> None:
    tree = parse("1.500")
    assert isinstance(tree, DecimalLiteral)
    assert str(tree.value) == "1.500"
    quantity = parse("0.10 'mg'")
    assert isinstance(quantity, QuantityLiteral)
    assert str(quantity.value) == "0.10"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a.b", Member(A, "b")),
        ("a . b", Member(A, "b")),
        ("a.`b c`", Member(A, "b c")),
        ("a.as.is.in.contains", Member(Member(Member(Member(A, "as"), "is"), "in"), "contains")),
        ("is", Member(None, "is")),
        ("contains", Member(None, "contains")),
        ("a()", Function(None, "a", ())),
        ("a.b(c, d)", Function(A, "b", (C, D))),
        ("a.is(b)", Function(A, "is", (B,))),
        ("a.contains('b')", Function(A, "contains", (StringLiteral("b"),))),
        ("`a b`(c)", Function(None, "a b", (C,))),
        ("a[0]", Indexer(A, IntegerLiteral(0))),
        ("a[b][c].d", Member(Indexer(Indexer(A, B), C), "d")),
        ("$this.a", Member(This(None), "a")),
        ("a.$this", This(A)),
        ("(a).b", Member(A, "b")),
        ("1.a()", Function(IntegerLiteral(1), "a", ())),
        ("@2015.a()", Function(DateLiteral("2015"), "a", ())),
        ("'a'.b()", Function(StringLiteral("a"), "b", ())),
        ("%a.b", Member(ExternalConstant("a"), "b")),
        ("1 year.a()", Function(QuantityLiteral(Decimal(1), "year", calendar=True), "a", ())),
    ],
)
def test_invocations(text: str, tree: Node) -> None:
    assert parse(text) == tree


_LEVELS = [
    ["*", "/", "div", "mod"],
    ["+", "-", "&"],
    ["|"],
    ["<", ">", "<=", ">="],
    ["=", "~", "!=", "!~"],
    ["in", "contains"],
    ["and"],
    ["or", "xor"],
    ["implies"],
]
"""Binary operators as the specification ranks them, the tightest first."""
_RANKED = [(sign, rank) for rank, signs in enumerate(_LEVELS) for sign in signs]


@pytest.mark.parametrize(("first", "first_rank"), _RANKED)
@pytest.mark.parametrize(("second", "second_rank"), _RANKED)
def test_the_tighter_operator_groups_and_equals_group_from_the_left(
    first: str, first_rank: int, second: str, second_rank: int
) -> None:
    from_left = Binary(second, Binary(first, A, B), C)
    from_right = Binary(first, A, Binary(second, B, C))
    expected = from_left if first_rank <= second_rank else from_right
    assert parse(f"a {first} b {second} c") == expected


def _type(name: str) -> TypeSpecifier:
    return TypeSpecifier((name,))


_STRING = _type("string")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("-a", Polarity("-", A)),
        ("+a", Polarity("+", A)),
        ("--a", Polarity("-", Polarity("-", A))),
        ("-a * b", Binary("*", Polarity("-", A), B)),
        ("a * -b", Binary("*", A, Polarity("-", B))),
        ("a - -b", Binary("-", A, Polarity("-", B))),
        ("-a.b", Polarity("-", Member(A, "b"))),
        ("-a[0]", Polarity("-", Indexer(A, IntegerLiteral(0)))),
        ("(-a).b", Member(Polarity("-", A), "b")),
        ("a is string", TypeOperation("is", A, _STRING)),
        ("a as FHIR.string", TypeOperation("as", A, TypeSpecifier(("FHIR", "string")))),
        ("a is `string`", TypeOperation("is", A, _STRING)),
        ("a + b is string", TypeOperation("is", Binary("+", A, B), _STRING)),
        ("a | b as string", Binary("|", A, TypeOperation("as", B, _STRING))),
        ("a > b is string", Binary(">", A, TypeOperation("is", B, _STRING))),
        ("a is string is b", TypeOperation("is", TypeOperation("is", A, _STRING), _type("b"))),
        ("a is string = true", Binary("=", parse("a is string"), BooleanLiteral(value=True))),
        ("(a as string).b", Member(TypeOperation("as", A, _STRING), "b")),
        ("is is is", TypeOperation("is", Member(None, "is"), _type("is"))),
        ("contains contains contains", Binary("contains", parse("contains"), parse("contains"))),
        ("(a or b) and c", Binary("and", Binary("or", A, B), C)),
        ("a(b or c)", Function(None, "a", (Binary("or", B, C),))),
        ("a[b or c]", Indexer(A, Binary("or", B, C))),
        ("1 'a' + 1", Binary("+", parse("1 'a'"), IntegerLiteral(1))),
    ],
)
def test_polarity_types_and_brackets(text: str, tree: Node) -> None:
    assert parse(text) == tree


def test_nodes_know_where_they_stand() -> None:
    text = "a.bc[1] = -d.e(%f) as g"
    marks = {type(node).__name__: node.position for node in walk(parse(text))}
    assert marks == {
        "Binary": text.index("="),
        "Indexer": text.index("["),
        "Member": text.index("d."),
        "IntegerLiteral": text.index("1"),
        "TypeOperation": text.index("as"),
        "Polarity": text.index("-"),
        "Function": text.index("e("),
        "ExternalConstant": text.index("%"),
    }


_OPERAND = "expected a value, a name or an opening bracket"


@pytest.mark.parametrize("word", ["div", "true", "day", "and"])
def test_after_a_dot_a_reserved_word_is_a_name(word: str) -> None:
    """FHIR itself writes `Patient.text.div`; the grammar of N1 wants backticks."""
    assert parse(f"text.{word}") == parse(f"text.`{word}`")
    assert parse(f"text.{word}()") == parse(f"text.`{word}`()")
    assert str(parse(f"text.{word}")) == f"text.`{word}`"


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, f"{_OPERAND}, found the end"),
        ("2 + 2 /", 7, f"{_OPERAND}, found the end"),
        ("2 + * 2", 4, f"{_OPERAND}, found *"),
        ("a.", 2, "expected a name, found the end"),
        ("a..b", 2, "expected a name, found ."),
        ("a.1", 2, "expected a name, found number '1'"),
        ("a.'b'", 2, "expected a name, found string 'b'"),
        ("and", 0, f"{_OPERAND}, found and"),
        ("year", 0, f"{_OPERAND}, found year"),
        (".a", 0, f"{_OPERAND}, found ."),
        ("a b", 2, "expected an operator or the end, found identifier 'b'"),
        ("a 'b'", 2, "expected an operator or the end, found string 'b'"),
        ("a)", 1, "expected an operator or the end, found )"),
        ("(a", 2, "expected an operator or ), found the end"),
        ("()", 1, f"{_OPERAND}, found )"),
        ("(a]", 2, "expected an operator or ), found ]"),
        ("a[", 2, f"{_OPERAND}, found the end"),
        ("a[]", 2, f"{_OPERAND}, found ]"),
        ("a[1", 3, "expected an operator or ], found the end"),
        ("a(b", 3, "expected an operator, a comma or ), found the end"),
        ("a(,b)", 2, f"{_OPERAND}, found ,"),
        ("a(b,)", 4, f"{_OPERAND}, found )"),
        ("{a}", 1, "expected }, found identifier 'a'"),
        ("{", 1, "expected }, found the end"),
        ("a is", 4, "expected a name, found the end"),
        ("a is 'b'", 5, "expected a name, found string 'b'"),
        ("a is (b)", 5, "expected a name, found ("),
        ("a as b.", 7, "expected a name, found the end"),
        ("%", 1, "expected a name, found the end"),
        ("a is day", 5, "expected a name; as a name, write `day`, found day"),
        ("%1", 1, "expected a name, found number '1'"),
        ("a == b", 3, f"{_OPERAND}, found ="),
        ("a not b", 2, "expected an operator or the end, found identifier 'not'"),
        ("1.5.2", 4, "expected a name, found number '2'"),
        (".5", 0, f"{_OPERAND}, found ."),
        ("5.", 2, "expected a name, found the end"),
        ("a = @T10Z", 4, "a time has no time zone"),
    ],
)
def test_what_is_no_expression_is_told_with_its_place(
    text: str, position: int, message: str
) -> None:
    with pytest.raises(FhirPathSyntaxError) as caught:
        parse(text)
    assert caught.value.position == position
    assert caught.value.message == f"FHIRPath, at offset {position}: {message}"
    assert isinstance(caught.value, BadRequest)


@pytest.mark.parametrize(
    "text",
    [
        "(" * MAX_NESTING + "a" + ")" * MAX_NESTING,
        "-" * MAX_NESTING + "a",
        "a(" * MAX_NESTING + "a" + ")" * MAX_NESTING,
        "a" + "[a" * MAX_NESTING + "]" * MAX_NESTING,
        "(a or a and a implies " * MAX_NESTING + "a" + ")" * MAX_NESTING,
    ],
)
def test_expressions_within_each_other_have_a_limit(text: str) -> None:
    with pytest.raises(FhirPathSyntaxError, match=f"more than {MAX_NESTING} expressions within"):
        parse(text)


@pytest.mark.parametrize("part", [".a", " + a", "[0]", " is a", " or a = a"])
def test_long_chains_have_a_limit_that_no_recursion_meets(part: str) -> None:
    longest = "a" + part * (MAX_DEPTH - 2)
    assert parse(str(parse(longest))) == parse(longest)
    with pytest.raises(FhirPathSyntaxError, match=f"deeper than {MAX_DEPTH} operations"):
        parse("a" + part * MAX_DEPTH)


def test_many_arguments_are_not_deep() -> None:
    tree = parse(f"a({', '.join(['b'] * 1000)})")
    assert isinstance(tree, Function)
    assert len(tree.arguments) == 1000
