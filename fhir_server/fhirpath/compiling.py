"""From the tree to closures: each node becomes one Python function, made once.

A compiled expression takes the evaluation and `$this` as a list. What can only have one result
is compiled to give that result (or None) and not a list of it: most of what an invariant does
is logic on such values.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, ClassVar, Final

from fhir_server.fhirpath import code, navigation, tree
from fhir_server.fhirpath.calling import call, check_arity, kinds_of
from fhir_server.fhirpath.code import Code
from fhir_server.fhirpath.errors import FhirPathEvaluationError, FhirPathSemanticError, Unfit
from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.functions.rules import Kind, collection
from fhir_server.fhirpath.functions.subsetting import at
from fhir_server.fhirpath.functions.table import functions
from fhir_server.fhirpath.functions.types import as_type, is_type
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.model import Model, Steps
from fhir_server.fhirpath.operators import collections, equality
from fhir_server.fhirpath.operators.boolean_logic import LOGIC
from fhir_server.fhirpath.operators.comparison import COMPARISON
from fhir_server.fhirpath.operators.equal_text import equals_text, only_text
from fhir_server.fhirpath.operators.math import MATH, concatenate, div, mod, negative, positive
from fhir_server.fhirpath.operators.types import type_test
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.remembering import is_worth_remembering, remembered
from fhir_server.fhirpath.singletons import number, string
from fhir_server.fhirpath.temporal import read_date, read_date_time, read_time
from fhir_server.fhirpath.variables import variable


class Compiler:
    """Compiles any number of expressions for one model."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._functions = functions(model)
        self._remembers = False
        """Whether what is compiled is part of what is remembered anyway."""

    def compile(self, node: tree.Node) -> Code:
        """Raises FhirPathSemanticError."""
        compile_: Callable[..., Code] = self._table[type(node)]
        if self._remembers or not is_worth_remembering(node):
            return compile_(self, node)
        self._remembers = True
        compiled = compile_(self, node)
        self._remembers = False
        return compiled if compiled.scalar else Code(remembered(compiled.many))

    def _member(self, node: tree.Member) -> Code:
        """A whole path at once: `a.b.c` is one closure."""
        steps: list[Steps] = []
        current: tree.Node | None = node
        while isinstance(current, tree.Member) and not self._is_type(current):
            steps.append(self.model.steps(current.name))
            current = current.source
        source: navigation.Many = navigation.focus
        if isinstance(current, tree.Member):
            kinds = self.model.ancestry(current.name)
            source = navigation.of_type(navigation.focus, kinds)
        elif current is not None:
            source = self.compile(current).many
        return Code(navigation.path(source, steps[::-1]) if steps else source)

    def _is_type(self, node: tree.Member) -> bool:
        """Whether a path begins with the name of a type, which is the focus itself."""
        return (
            node.source is None
            and node.name in self.model.elements.types
            and (not self.model.is_primitive(node.name))
        )

    def _function(self, node: tree.Function) -> Code:
        row = self._functions.get(node.name)
        if row is None:
            near = get_close_matches(node.name[:_LONGEST_NAME], self._functions, 1)
            hint = f"; did you mean {near[0]}()?" if near else ""
            raise FhirPathSemanticError(f"there is no function {node.name}(){hint}", node.position)
        check_arity(node.name, row, len(node.arguments), node.position)
        quick = self._presence(node)
        if quick is not None:
            return code.of_scalar(quick, boolean=True)
        arguments = [
            self._argument(kind, argument)
            for kind, argument in zip(
                kinds_of(row, len(node.arguments)), node.arguments, strict=True
            )
        ]
        return call(row, self._source(node.source), arguments, node.position)

    def _presence(self, node: tree.Function) -> Callable[..., Any] | None:
        """`a.b.exists()` and `a.b.empty()`: nothing needs to be made to know that it is there."""
        member = node.source
        if node.arguments or node.name not in {"exists", "empty"}:
            return None
        if not isinstance(member, tree.Member) or self._is_type(member):
            return None
        present = navigation.present(
            self._source(member.source).many, self.model.steps(member.name)
        )
        if node.name == "exists":
            return present
        return lambda evaluation, items: not present(evaluation, items)

    def _argument(self, kind: Kind, node: tree.Node) -> Any:
        match kind:
            case Kind.CRITERION:
                return code.truth(self.compile(node), node.position)
            case Kind.PROJECTION:
                return self.compile(node).many
            case Kind.SORT_KEY:
                descending = isinstance(node, tree.Polarity) and node.operator == "-"
                operand = node.operand if isinstance(node, tree.Polarity) else node
                return self.compile(operand).many, descending
            case Kind.TYPE | Kind.ANY_TYPE:
                named = tree.type_specifier(node)
                if named is None:
                    raise FhirPathSemanticError("the name of a type is needed here", node.position)
                exact = kind is Kind.TYPE
                return type_test(self.model, named, node.position, exact=exact)
            case _:
                return self.compile(node)

    def _source(self, node: tree.Node | None) -> Code:
        return Code(navigation.focus) if node is None else self.compile(node)

    def _binary(self, node: tree.Binary) -> Code:
        left, right = self.compile(node.left), self.compile(node.right)
        operator, position = node.operator, node.position
        if operator in LOGIC:
            sides = code.truth(left, position), code.truth(right, position)
            return code.of_scalar(LOGIC[operator](*sides), boolean=True)
        if operator in _ON_COLLECTIONS:
            return _on_collections(operator, left, right, position)
        if operator == "&":
            return code.of_scalar(_concatenation(left, right, position))
        if operator in _ON_NUMBERS:
            sides = code.view(left, position, number), code.view(right, position, number)
            return code.of_scalar(_on_values(_ON_NUMBERS[operator], *sides, position))
        sides = code.value(left, position), code.value(right, position)
        run = _on_values(_ON_VALUES[operator], *sides, position)
        return code.of_scalar(run, boolean=operator in COMPARISON)

    def _polarity(self, node: tree.Polarity) -> Code:
        operand = self.compile(node.operand)
        sign = negative if node.operator == "-" else positive
        if operand.constant is not None:
            with suppress(Unfit):  # told when it is evaluated, which may be never
                known = [sign(each) for each in operand.constant]
                return code.literal(*(each for each in known if each is not None))
        value = code.value(operand, node.position)

        def run(evaluation: Evaluation, items: list[Item]) -> Item | None:
            found = value(evaluation, items)
            return None if found is None else sign(found)

        return code.of_scalar(code.guarded(run, node.position))

    def _type_operation(self, node: tree.TypeOperation) -> Code:
        exact = node.operator == "as"
        test = type_test(self.model, node.type, node.position, exact=exact)
        operand = self.compile(node.operand).many
        if exact:
            return Code(
                code.guarded(
                    lambda evaluation, items: as_type(operand(evaluation, items), test),
                    node.position,
                )
            )
        return code.of_scalar(
            code.guarded(
                lambda evaluation, items: is_type(operand(evaluation, items), test), node.position
            ),
            boolean=True,
        )

    def _indexer(self, node: tree.Indexer) -> Code:
        row = _INDEXER
        return call(row, self.compile(node.source), [self.compile(node.index)], node.position)

    def _this(self, node: tree.This | tree.Index | tree.Total) -> Code:
        """After a dot they ignore what is before it, as they belong to the lambda around."""
        return _VARIABLES[type(node)]

    def _constant(self, node: tree.ExternalConstant) -> Code:
        return variable(node.name, node.position)

    def _literal(self, node: Any) -> Code:
        return code.literal(node.value)

    def _moment(self, node: tree.DateLiteral | tree.DateTimeLiteral | tree.TimeLiteral) -> Code:
        value = _READERS[type(node)](node.text)
        if value is None:
            raise FhirPathSemanticError(f"there is no such day or time: {node}", node.position)
        return code.literal(value)

    def _quantity(self, node: tree.QuantityLiteral) -> Code:
        return code.literal(Quantity(node.value, node.unit, node.calendar))

    def _empty(self, _: tree.EmptyLiteral) -> Code:
        return code.literal()

    _table: ClassVar[Mapping[type[tree.Node], Callable[..., Code]]] = {
        tree.Member: _member,
        tree.Function: _function,
        tree.Binary: _binary,
        tree.Polarity: _polarity,
        tree.TypeOperation: _type_operation,
        tree.Indexer: _indexer,
        tree.This: _this,
        tree.Index: _this,
        tree.Total: _this,
        tree.ExternalConstant: _constant,
        tree.EmptyLiteral: _empty,
        tree.BooleanLiteral: _literal,
        tree.StringLiteral: _literal,
        tree.IntegerLiteral: _literal,
        tree.DecimalLiteral: _literal,
        tree.DateLiteral: _moment,
        tree.DateTimeLiteral: _moment,
        tree.TimeLiteral: _moment,
        tree.QuantityLiteral: _quantity,
    }


_INDEXER: Final = collection(at, Kind.INTEGER)

_ON_COLLECTIONS: Final[Mapping[str, Callable[[list[Item], list[Item]], Any]]] = {
    "=": equality.equal,
    "!=": equality.not_equal,
    "~": equality.equivalent,
    "!~": equality.not_equivalent,
    "|": collections.union,
    "in": collections.member_of,
    "contains": collections.contains,
}
_LONGEST_NAME: Final = 40
_FEW: Final = 16
"""Items that are not worth counting."""
_ON_NUMBERS: Final = {"div": div, "mod": mod}
_ON_VALUES: Final = {**COMPARISON, **MATH}

_READERS: Final[Mapping[type, Callable[[str], Any]]] = {
    tree.DateLiteral: read_date,
    tree.DateTimeLiteral: read_date_time,
    tree.TimeLiteral: read_time,
}

_VARIABLES: Final = {
    tree.This: Code(navigation.focus),
    tree.Index: code.of_scalar(lambda evaluation, _: evaluation.index),
    tree.Total: Code(lambda evaluation, _: evaluation.total or []),
}


def _on_collections(operator: str, left: Code, right: Code, position: int) -> Code:
    operate = _ON_COLLECTIONS[operator]
    ours, theirs = left.many, right.many
    if left.constant is not None and right.constant is not None and operator == "|":
        return code.literal(*operate(left.constant, right.constant))
    text = only_text(right) if operator in {"=", "!="} else None
    if text is not None:
        return code.of_scalar(equals_text(ours, text, operator == "="), boolean=True)

    without_order = operator in {"~", "!~"}  # each is looked for among all

    def run(evaluation: Evaluation, items: list[Item]) -> Any:
        one, other = ours(evaluation, items), theirs(evaluation, items)
        if len(one) + len(other) > _FEW:
            evaluation.spend(len(one) * len(other) if without_order else len(one) + len(other))
        try:
            return operate(one, other)
        except Unfit as error:
            raise FhirPathEvaluationError(str(error), position) from None

    return Code(run) if operator == "|" else code.of_scalar(run, boolean=True)


def _on_values(
    operate: Callable[[Any, Any], Any],
    left: Callable[..., Any],
    right: Callable[..., Any],
    position: int,
) -> Callable[..., Any]:
    """Empty when a side is."""

    def run(evaluation: Evaluation, items: list[Item]) -> Any:
        one, other = left(evaluation, items), right(evaluation, items)
        if one is None or other is None:
            return None
        try:
            return operate(one, other)
        except Unfit as error:
            raise FhirPathEvaluationError(str(error), position) from None

    return run


def _concatenation(left: Code, right: Code, position: int) -> Callable[..., Any]:
    ours, theirs = code.view(left, position, string), code.view(right, position, string)
    return code.guarded(
        lambda evaluation, items: concatenate(ours(evaluation, items), theirs(evaluation, items)),
        position,
    )
