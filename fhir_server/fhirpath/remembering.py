"""What is the same for every item is found once: `%resource.descendants()` within a `where()`.

http://hl7.org/fhir/R4/domainresource.html, whose constraint dom-3 asks for all references of the
whole resource, once for each contained one.

An expression is closed when nothing in it depends on the lambdas around it: it begins at `%name`
or a literal, and has no `$this`, `$index` or `$total` but those of its own lambdas.
"""

from typing import Final

from fhir_server.fhirpath import tree
from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.navigation import Many

_COSTLY: Final = frozenset({"descendants", "children", "repeat"})
_LAMBDAS: Final = frozenset({"where", "select", "repeat", "all", "exists"})
_WITH_EFFECTS: Final = frozenset({"trace"})


def is_worth_remembering(node: tree.Node) -> bool:
    """Whether an expression is closed, and takes a walk through a tree."""
    names = {each.name for each in tree.walk(node) if isinstance(each, tree.Function)}
    return bool(names & _COSTLY) and not names & _WITH_EFFECTS and _is_closed(node, inside=False)


def remembered(many: Many) -> Many:
    """The same, evaluated at most once in an evaluation."""
    key = object()

    def run(evaluation: Evaluation, items: list[Item]) -> list[Item]:
        found = evaluation.known.get(key)
        if found is None:
            evaluation.known[key] = found = many(evaluation, items)
        return found

    return run


def _is_closed(node: tree.Node, *, inside: bool) -> bool:
    """`inside`: within a lambda of its own, whose focus it may use."""
    match node:
        case tree.Total():
            return False
        case tree.This() | tree.Index():
            return inside
        case tree.Member(source=None):
            return inside
        case tree.Function(source=source, name=name, arguments=arguments):
            begins = inside if source is None else _is_closed(source, inside=inside)
            within = inside or name in _LAMBDAS
            return begins and all(_is_closed(each, inside=within) for each in arguments)
    return all(_is_closed(each, inside=inside) for each in node.children)
