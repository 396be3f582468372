"""The syntax tree of FHIRPath: one frozen node per production of the grammar.

http://hl7.org/fhirpath/N1/#grammar

`str(node)` writes an expression that parses to an equal tree. Trees are equal when they mean
the same, wherever they stood: positions are not compared.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

CALENDAR_UNITS = frozenset(
    word + ending
    for word in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
    for ending in ("", "s")
)
"""Units of quantities that are written as words."""
_OPERATOR_WORDS = frozenset({"div", "mod", "and", "or", "xor", "implies", "in", "contains"})
NAMES_TOO = frozenset({"as", "is", "in", "contains"})
"""Keywords that may stand as names without backticks."""
KEYWORDS = CALENDAR_UNITS | _OPERATOR_WORDS | NAMES_TOO | {"true", "false"}
RESERVED = KEYWORDS - NAMES_TOO
"""Keywords that are names only in backticks."""

PRECEDENCE = {
    operator: level
    for level, operators in enumerate(
        (
            ("implies",),
            ("or", "xor"),
            ("and",),
            ("in", "contains"),
            ("=", "~", "!=", "!~"),
            ("<", ">", "<=", ">="),
            ("|",),
            ("is", "as"),
            ("+", "-", "&"),
            ("*", "/", "div", "mod"),
        ),
        start=1,
    )
    for operator in operators
}
"""Binary operators, the loosest 1; all of them group from the left."""
POLARITY = 11
POSTFIX = 12
TERM = 13

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED = re.compile(r"[\\'`\x00-\x1f\x7f]")
_ESCAPES = {"\\": r"\\", "'": r"\'", "`": r"\`", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


@dataclass(frozen=True, slots=True)
class Node:
    """Any part of an expression."""

    position: int = field(default=0, compare=False, repr=False, kw_only=True)
    """Offset in characters of what makes the node: its name, its operator, its bracket."""

    @property
    def precedence(self) -> int:
        """How tightly it holds together when written: below its neighbour's, it needs brackets."""
        return TERM

    @property
    def children(self) -> tuple["Node", ...]:
        """Its operands, in the order they are written."""
        return ()


@dataclass(frozen=True, slots=True)
class EmptyLiteral(Node):
    """`{}`, the empty collection."""

    def __str__(self) -> str:
        return "{}"


@dataclass(frozen=True, slots=True)
class BooleanLiteral(Node):
    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(frozen=True, slots=True)
class StringLiteral(Node):
    value: str
    """Without quotes, escapes resolved."""

    def __str__(self) -> str:
        return f"'{_escape(self.value)}'"


@dataclass(frozen=True, slots=True)
class IntegerLiteral(Node):
    value: int

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class DecimalLiteral(Node):
    value: Decimal
    """With the digits as written: 1.00 is not 1.0 to functions that ask for precision."""

    def __str__(self) -> str:
        return f"{self.value:f}"


@dataclass(frozen=True, slots=True)
class DateLiteral(Node):
    text: str
    """Without the `@`: YYYY, YYYY-MM or YYYY-MM-DD. Its form is checked, not the calendar."""

    def __str__(self) -> str:
        return f"@{self.text}"


@dataclass(frozen=True, slots=True)
class DateTimeLiteral(Node):
    text: str
    """Without the `@`, always with the `T`, which may be the end."""

    def __str__(self) -> str:
        return f"@{self.text}"


@dataclass(frozen=True, slots=True)
class TimeLiteral(Node):
    text: str
    """Without the `@T`: hh, hh:mm, hh:mm:ss or hh:mm:ss.fff."""

    def __str__(self) -> str:
        return f"@T{self.text}"


@dataclass(frozen=True, slots=True)
class QuantityLiteral(Node):
    value: Decimal
    unit: str
    """A UCUM code, or a calendar word as written."""
    calendar: bool
    """Whether the unit is a calendar word: `1 year` is not `1 'a'`."""

    def __str__(self) -> str:
        unit = self.unit if self.calendar else f"'{_escape(self.unit)}'"
        return f"{self.value:f} {unit}"


@dataclass(frozen=True, slots=True)
class ExternalConstant(Node):
    """`%name`, which the environment gives."""

    name: str

    def __str__(self) -> str:
        return f"%{_name(self.name)}"


@dataclass(frozen=True, slots=True)
class Invocation(Node):
    """What may follow a dot; without a source it begins an expression."""

    source: Node | None

    @property
    def precedence(self) -> int:
        return POSTFIX

    @property
    def children(self) -> tuple[Node, ...]:
        return () if self.source is None else (self.source,)

    def after_source(self, text: str) -> str:
        """The text behind the source and its dot, if there is one."""
        return text if self.source is None else f"{_at_least(POSTFIX, self.source)}.{text}"


@dataclass(frozen=True, slots=True)
class Member(Invocation):
    name: str

    def __str__(self) -> str:
        return self.after_source(_name(self.name))


@dataclass(frozen=True, slots=True)
class Function(Invocation):
    name: str
    arguments: tuple[Node, ...] = ()

    @property
    def children(self) -> tuple[Node, ...]:
        return self.arguments if self.source is None else (self.source, *self.arguments)

    def __str__(self) -> str:
        arguments = ", ".join(str(each) for each in self.arguments)
        return self.after_source(f"{_name(self.name)}({arguments})")


@dataclass(frozen=True, slots=True)
class This(Invocation):
    def __str__(self) -> str:
        return self.after_source("$this")


@dataclass(frozen=True, slots=True)
class Index(Invocation):
    def __str__(self) -> str:
        return self.after_source("$index")


@dataclass(frozen=True, slots=True)
class Total(Invocation):
    def __str__(self) -> str:
        return self.after_source("$total")


@dataclass(frozen=True, slots=True)
class Indexer(Node):
    """`source[index]`."""

    source: Node
    index: Node

    @property
    def precedence(self) -> int:
        return POSTFIX

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.source, self.index)

    def __str__(self) -> str:
        return f"{_at_least(POSTFIX, self.source)}[{self.index}]"


@dataclass(frozen=True, slots=True)
class Polarity(Node):
    operator: Literal["+", "-"]
    operand: Node

    @property
    def precedence(self) -> int:
        return POLARITY

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.operand,)

    def __str__(self) -> str:
        return f"{self.operator}{_at_least(POLARITY, self.operand)}"


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Any operator between two expressions; `is` and `as` have a type on the right instead."""

    operator: str
    left: Node
    right: Node

    @property
    def precedence(self) -> int:
        return PRECEDENCE[self.operator]

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.left, self.right)

    def __str__(self) -> str:
        left = _at_least(self.precedence, self.left)
        return f"{left} {self.operator} {_at_least(self.precedence + 1, self.right)}"


@dataclass(frozen=True, slots=True)
class TypeSpecifier:
    """The name of a type, such as `Patient`, `FHIR.Patient` or `System.String`."""

    parts: tuple[str, ...]

    @property
    def namespace(self) -> str | None:
        return ".".join(self.parts[:-1]) or None

    @property
    def name(self) -> str:
        return self.parts[-1]

    def __str__(self) -> str:
        return ".".join(_name(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class TypeOperation(Node):
    """`operand is type` or `operand as type`."""

    operator: Literal["is", "as"]
    operand: Node
    type: TypeSpecifier

    @property
    def precedence(self) -> int:
        return PRECEDENCE["is"]

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.operand,)

    def __str__(self) -> str:
        return f"{_at_least(self.precedence, self.operand)} {self.operator} {self.type}"


def walk(root: Node) -> Iterator[Node]:
    """Every node of a tree, each before its children, from left to right."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def type_specifier(node: Node) -> TypeSpecifier | None:
    """The type an argument names, as in `ofType(FHIR.Quantity)`; None if it is not a name."""
    parts: list[str] = []
    current: Node | None = node
    while isinstance(current, Member):
        parts.append(current.name)
        current = current.source
    return TypeSpecifier(tuple(reversed(parts))) if current is None else None


def _at_least(level: int, node: Node) -> str:
    return str(node) if node.precedence >= level else f"({node})"


def _name(name: str) -> str:
    plain = _PLAIN_NAME.fullmatch(name) and name not in RESERVED
    return name if plain else f"`{_escape(name)}`"


def _escape(text: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[0], f"\\u{ord(found[0]):04x}"), text)
