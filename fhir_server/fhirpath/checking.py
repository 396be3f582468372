"""Strict evaluation: what an expression asks for that its type can never have.

http://hl7.org/fhirpath/N1/#type-safety-and-strict-evaluation

Follows types through the tree as far as they are known. A name that no possible type has is an
error here, where evaluation would find nothing; what is not known (`children()`, `resolve()`,
contained resources) may have any name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from fhir_server.fhirpath import tree
from fhir_server.fhirpath.errors import FhirPathSemanticError
from fhir_server.fhirpath.model import Model


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a collection before it is evaluated."""

    types: frozenset[str] | None = None
    """Type paths its items may have; None: not known, or System values."""
    ordered: bool = True
    """Whether the order of its items means anything."""


ANYTHING: Final = Known()

_ABSTRACT: Final = frozenset({"Resource", "DomainResource", "Element", "BackboneElement"})
_LIKE_INPUT: Final = frozenset(
    (
        "where", "single", "first", "last", "tail", "skip", "take", "intersect", "exclude",
        "distinct", "trace", "sort", "checkModifiers",
    )
)  # fmt: skip
"""Functions that give some of the items they are given."""
_NEED_ORDER: Final = frozenset({"first", "last", "tail", "skip", "take"})
_WITHOUT_ORDER: Final = frozenset({"children", "descendants"})
_LAMBDAS: Final = frozenset(
    {"where", "select", "repeat", "all", "exists", "sort", "aggregate", "trace", "iif"}
)


def check(expression: tree.Node, model: Model, type_: str, *, order: bool = False) -> None:
    """Raises FhirPathSemanticError with the place of what cannot be on an element of a type.

    With `order`, also where the first of something is asked that has no order.
    """
    context = Known(frozenset({type_}))
    _Checker(model, context, order=order).of(expression, context)


class _Checker:
    def __init__(self, model: Model, context: Known, *, order: bool) -> None:
        self._model = model
        self._context = context
        self._order = order

    def of(self, node: tree.Node, this: Known) -> Known:
        """What a node gives when `$this` is so."""
        match node:
            case tree.Member():
                return self._member(node, this)
            case tree.Function():
                return self._function(node, this)
            case tree.Indexer():
                self.of(node.index, this)
                return self._first(self.of(node.source, this), node)
            case tree.TypeOperation():
                self.of(node.operand, this)
                return self._typed(node.type) if node.operator == "as" else ANYTHING
            case tree.This():
                return this
            case tree.ExternalConstant():
                return self._context if node.name == "context" else ANYTHING
            case tree.Binary(operator="|"):
                return _either(self.of(node.left, this), self.of(node.right, this))
        for child in node.children:
            self.of(child, this)
        return ANYTHING

    def _member(self, node: tree.Member, this: Known) -> Known:
        elements = self._model.elements
        if node.source is None and node.name in elements.types and node.name[:1].isupper():
            return self._named(node, this)
        source = this if node.source is None else self.of(node.source, this)
        if source.types is None or source.types & _ABSTRACT:
            return Known(ordered=source.ordered)
        found = {
            kind for type_ in source.types for _, kind, _ in self._model.steps(node.name)[type_]
        }
        if not found:
            owners = " or ".join(sorted(source.types))
            raise FhirPathSemanticError(f"{owners} has no {node.name}", node.position)
        return Known(frozenset(found), source.ordered)

    def _named(self, node: tree.Member, this: Known) -> Known:
        """The name of a type, at the beginning: it must be that of the focus."""
        is_a = self._model.elements.is_a
        types = this.types
        if types is not None and not types & _ABSTRACT:
            types = frozenset(type_ for type_ in types if is_a(type_, node.name))
            if not types:
                raise FhirPathSemanticError(f"this is never a {node.name}", node.position)
            return replace(this, types=types)
        return replace(this, types=frozenset({node.name}))

    def _function(self, node: tree.Function, this: Known) -> Known:
        source = this if node.source is None else self.of(node.source, this)
        if node.name in {"ofType", "as", "is"}:
            kind = tree.type_specifier(node.arguments[0]) if node.arguments else None
            return self._typed(kind) if kind is not None and node.name != "is" else ANYTHING
        inner = source if node.name in _LAMBDAS else this
        if node.name in {"repeat", "aggregate"}:  # their lambdas meet their own results too
            inner = ANYTHING
        given = [self.of(argument, inner) for argument in node.arguments]
        if node.name in _NEED_ORDER:
            self._first(source, node)
        if node.name in _LIKE_INPUT:
            return source
        result = _RESULTS.get(node.name)
        if result is not None:
            return result(source, given)
        return Known(ordered=node.name not in _WITHOUT_ORDER)

    def _first(self, source: Known, node: tree.Node) -> Known:
        if self._order and not source.ordered:
            raise FhirPathSemanticError("what is asked for here has no order", node.position)
        return source

    def _typed(self, kind: tree.TypeSpecifier) -> Known:
        in_fhir = kind.namespace in {None, "FHIR"} and kind.name in self._model.elements.types
        return Known(frozenset({kind.name})) if in_fhir else ANYTHING


def _either(left: Known, right: Known) -> Known:
    if left.types is None or right.types is None:
        return ANYTHING
    return Known(left.types | right.types, left.ordered and right.ordered)


_RESULTS: Final[Mapping[str, Callable[[Known, list[Known]], Known]]] = {
    "select": lambda _, given: given[0] if given else ANYTHING,
    "union": lambda source, given: _either(source, given[0]) if given else source,
    "combine": lambda source, given: _either(source, given[0]) if given else source,
    "iif": lambda _, given: _either(given[1], given[2]) if len(given) > 2 else ANYTHING,
    "extension": lambda _, __: Known(frozenset({"Extension"})),
}
