"""Tokens to a tree, by precedence.

http://hl7.org/fhirpath/N1/#operator-precedence

Depth is bounded, so that whoever walks a tree may do so by recursion.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal, NoReturn, cast

from fhir_server.fhirpath.errors import FhirPathSyntaxError
from fhir_server.fhirpath.lexer import END, Token, tokens
from fhir_server.fhirpath.tree import (
    CALENDAR_UNITS,
    NAMES_TOO,
    POLARITY,
    PRECEDENCE,
    RESERVED,
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
)

MAX_NESTING = 100
"""Expressions within expressions: brackets, arguments, right sides."""
MAX_DEPTH = 200
"""Nodes from the root of a tree to its farthest leaf."""

_NAMES = NAMES_TOO | {"identifier", "delimited"}
_VARIABLES = {"$this": This, "$index": Index, "$total": Total}
_OPERAND = "a value, a name or an opening bracket"


def parse(text: str) -> Node:
    """The tree of an expression. Raises FhirPathSyntaxError."""
    parser = _Parser(tokens(text))
    tree = parser.whole()
    # A tree is never deeper than its text has tokens: most need no look.
    if parser.count > MAX_DEPTH and _depth(tree) > MAX_DEPTH:
        raise FhirPathSyntaxError(f"the expression is deeper than {MAX_DEPTH} operations", 0)
    return tree


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self.count = len(found)
        self._tokens = iter(found)
        self._token = next(self._tokens)
        self._nesting = 0

    def whole(self) -> Node:
        tree = self._expression(0)
        if self._token.kind != END:
            self._fail("an operator or the end")
        return tree

    def _expression(self, loosest: int) -> Node:
        """An expression whose operators are no looser than this."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise FhirPathSyntaxError(
                f"more than {MAX_NESTING} expressions within each other", self._token.position
            )
        left = self._operand()
        while (level := PRECEDENCE.get(self._token.kind, -1)) >= loosest:
            operator = self._advance()
            if operator.kind in {"is", "as"}:
                word = cast(Literal["is", "as"], operator.kind)
                kind = self._type_specifier()
                left = TypeOperation(word, left, kind, position=operator.position)
            else:
                right = self._expression(level + 1)
                left = Binary(operator.kind, left, right, position=operator.position)
        self._nesting -= 1
        return left

    def _operand(self) -> Node:
        if self._token.kind in {"+", "-"}:
            sign = self._advance()
            operator = cast(Literal["+", "-"], sign.kind)
            return Polarity(operator, self._expression(POLARITY), position=sign.position)
        node = self._term()
        while self._token.kind in {".", "["}:
            opening = self._advance()
            if opening.kind == ".":
                node = self._invocation(node)
            else:
                node = Indexer(node, self._expression(0), position=opening.position)
                self._expect("]", "an operator or ]")
        return node

    def _term(self) -> Node:
        kind = self._token.kind
        if kind == "(":
            self._advance()
            inner = self._expression(0)
            self._expect(")", "an operator or )")
            return inner
        if kind in _NAMES or kind == "variable":
            return self._invocation(None)
        if kind == "%":
            return self._external_constant()
        return self._literal()

    def _invocation(self, source: Node | None) -> Node:
        position = self._token.position
        if self._token.kind == "variable":
            return _VARIABLES[self._advance().text](source, position=position)
        # After a dot only a name can follow: FHIR's own `text.div` needs no backticks there.
        follows = source is not None and self._token.kind in RESERVED
        name = self._advance().text if follows else self._name()
        if self._token.kind != "(":
            return Member(source, name, position=position)
        self._advance()
        return Function(source, name, self._arguments(), position=position)

    def _arguments(self) -> tuple[Node, ...]:
        """What stands between the brackets, and the closing one."""
        arguments: list[Node] = []
        if self._token.kind != ")":
            arguments.append(self._expression(0))
            while self._token.kind == ",":
                self._advance()
                arguments.append(self._expression(0))
        self._expect(")", "an operator, a comma or )")
        return tuple(arguments)

    def _external_constant(self) -> Node:
        position = self._advance().position
        name = self._advance().text if self._token.kind == "string" else self._name()
        return ExternalConstant(name, position=position)

    def _type_specifier(self) -> TypeSpecifier:
        parts = [self._name()]
        while self._token.kind == ".":
            self._advance()
            parts.append(self._name())
        return TypeSpecifier(tuple(parts))

    def _name(self) -> str:
        kind, text, _ = self._token
        if kind not in _NAMES:
            self._fail(f"a name; as a name, write `{text}`" if kind in RESERVED else "a name")
        return self._advance().text

    def _literal(self) -> Node:
        kind, text, position = self._token
        if kind == "number":
            return self._number()
        if kind == "{":
            self._advance()
            self._expect("}", "}")
            return EmptyLiteral(position=position)
        if kind not in _LITERALS:
            self._fail(_OPERAND)
        self._advance()
        return _LITERALS[kind](text, position)

    def _number(self) -> Node:
        _, text, position = self._advance()
        if self._token.kind == "string" or self._token.kind in CALENDAR_UNITS:
            unit = self._advance()
            calendar = unit.kind != "string"
            return QuantityLiteral(Decimal(text), unit.text, calendar, position=position)
        if "." in text:
            return DecimalLiteral(Decimal(text), position=position)
        return IntegerLiteral(int(text), position=position)

    def _advance(self) -> Token:
        token = self._token
        self._token = next(self._tokens)
        return token

    def _expect(self, kind: str, expected: str) -> None:
        if self._token.kind != kind:
            self._fail(expected)
        self._advance()

    def _fail(self, expected: str) -> NoReturn:
        kind, text, position = self._token
        found = f"{kind} {text!r}" if kind not in {END, text} else kind
        raise FhirPathSyntaxError(f"expected {expected}, found {found}", position)


_LITERALS: Mapping[str, Callable[[str, int], Node]] = {
    "true": lambda _, position: BooleanLiteral(value=True, position=position),
    "false": lambda _, position: BooleanLiteral(value=False, position=position),
    "string": lambda text, position: StringLiteral(text, position=position),
    "date": lambda text, position: DateLiteral(text, position=position),
    "datetime": lambda text, position: DateTimeLiteral(text, position=position),
    "time": lambda text, position: TimeLiteral(text, position=position),
}


def _depth(root: Node) -> int:
    depth = 0
    level = [root]
    while level:
        depth += 1
        level = [child for node in level for child in node.children]
    return depth
