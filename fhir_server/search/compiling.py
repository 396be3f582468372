"""Compiling: the FHIRPath of a search parameter becomes typed paths over plain JSON.

https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression and
https://hl7.org/fhirpath/N1/

Nothing is looked up when a resource is walked: a choice becomes the JSON members it may have,
`as`, `is` and `ofType` choose among them, `resolve() is Patient` becomes a look at the text of
the reference, and alternatives that begin at another type vanish. What a search expression has
no use for (arithmetic, functions on text) is refused by name, whoever wrote the parameter.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from fhir_server.definitions.elements import Element, ElementTable
from fhir_server.definitions.search_parameters import Component, SearchParameter
from fhir_server.fhirpath import tree
from fhir_server.fhirpath.parser import parse
from fhir_server.search.paths import (
    Both,
    Condition,
    Either,
    Equals,
    Exists,
    Found,
    Member,
    Nth,
    Only,
    Part,
    Path,
    RefersTo,
    Truth,
    Tuple,
)

Paths = tuple[Path, ...]


class NotCompiled(Exception):
    """The expression cannot be a search expression; the message says why."""


def compile_parameter(
    parameter: SearchParameter, type_: str, elements: ElementTable
) -> tuple[Found, ...]:
    """What a parameter finds in resources of a type: nothing when no alternative is about it.

    Raises NotCompiled, and FhirPathSyntaxError when the expression is none.
    """
    if parameter.expression is None:
        raise NotCompiled("it has no expression")
    return compile_node(parse(parameter.expression), parameter, type_, elements)


def alternatives(expression: str) -> list[tree.Node]:
    """What an expression unites; FhirPathSyntaxError when it is none."""
    found, waiting = [], [parse(expression)]
    while waiting:
        match waiting.pop():
            case tree.Binary(operator="|", left=left, right=right):
                waiting += [right, left]
            case node:
                found.append(node)
    return found


def compile_node(
    node: tree.Node, parameter: SearchParameter, type_: str, elements: ElementTable
) -> tuple[Found, ...]:
    """The same for the expression, or one of its alternatives, already parsed."""
    walk = _Walk(elements, type_)
    if parameter.type == "composite":
        return tuple(_tuples(walk, node, parameter.components))
    if _is_condition(node):
        condition = walk.condition(node, walk.root)
        return (Truth(condition),) if _mentions(node, type_) else ()
    paths = walk.paths(node, (walk.root,))
    return tuple(dict.fromkeys(end for path in paths for end in walk.ends(path)))


def _tuples(walk: "_Walk", node: tree.Node, components: tuple[Component, ...]) -> list[Found]:
    return [
        Tuple(base, tuple(_part(walk, base, component) for component in components))
        for base in walk.paths(node, (walk.root,))
    ]


def _part(walk: "_Walk", base: Path, component: Component) -> Part:
    node = parse(component.expression)
    from_root = any(isinstance(each, tree.ExternalConstant) for each in tree.walk(node))
    begin = walk.root if from_root else Path((), base.type)
    paths = [end for path in walk.paths(node, (begin,)) for end in walk.ends(path)]
    return Part(component.parameter.type, tuple(dict.fromkeys(paths)), from_root)


_CONDITIONS: Final = frozenset({"=", "!=", "and", "or"})
_CONDITION_FUNCTIONS: Final = frozenset({"exists", "empty", "not", "hasExtension", "is"})


def _is_condition(node: tree.Node) -> bool:
    match node:
        case tree.Binary(operator=operator):
            return operator in _CONDITIONS
        case tree.TypeOperation(operator=operator):
            return operator == "is"
        case tree.Function(name=name):
            return name in _CONDITION_FUNCTIONS
        case _:
            return False


def _mentions(node: tree.Node, type_: str) -> bool:
    """Whether a condition is about this type: it names it, or names no type at all."""
    firsts = {
        each.name
        for each in tree.walk(node)
        if isinstance(each, tree.Member) and each.source is None and each.name[:1].isupper()
    }
    return not firsts or type_ in firsts or bool(firsts & _ABSTRACT)


_ABSTRACT: Final = frozenset({"Resource", "DomainResource"})


class _Walk:
    """Evaluates expressions over paths as FHIRPath does over elements."""

    def __init__(self, elements: ElementTable, type_: str) -> None:
        self._elements = elements
        self.root = Path((), type_)

    def paths(self, node: tree.Node, context: Paths) -> Paths:
        """Where an expression leads from the paths it is evaluated on."""
        match node:
            case tree.Binary(operator="|", left=left, right=right):
                return self.paths(left, context) + self.paths(right, context)
            case tree.TypeOperation(operator="as", operand=operand, type=kind):
                return self._of_type(self.paths(operand, context), kind)
            case tree.Member(source=None, name=name) if self._names_type(name):
                return tuple(path for path in context if self._begins_at(path, name))
            case tree.Member(source=source, name=name):
                return self._members(self._source(source, context), name)
            case tree.This(source=source):
                return self._source(source, context)
            case tree.Indexer(source=source, index=tree.IntegerLiteral(value=index)):
                return tuple(self._nth(path, index) for path in self.paths(source, context))
            case tree.ExternalConstant(name="resource" | "context" | "rootResource"):
                return (self.root,)
            case tree.Function(source=source, name=name, arguments=arguments):
                function = _FUNCTIONS.get(name)
                if function is None:
                    raise NotCompiled(f"{name}() has no place in a search expression")
                return function(self, self._source(source, context), arguments)
        raise NotCompiled(f"{node} has no place in a search expression")

    def condition(self, node: tree.Node, element: Path) -> Condition:
        """A criterion about one element."""
        match node:
            case tree.Binary(operator="and" | "or" as operator, left=left, right=right):
                both = (self.condition(left, element), self.condition(right, element))
                return Both(both) if operator == "and" else Either(both)
            case tree.Binary(operator="=" | "!=" as operator, left=left, right=right):
                return self._comparison(left, right, element, differs=operator == "!=")
            case tree.TypeOperation(operator="is", operand=operand, type=kind):
                return self._is(operand, kind, element)
            case tree.Function(name="is", source=tree.Node() as operand, arguments=(argument,)):
                return self._is(operand, _type_named(argument), element)
            case tree.Function(name="exists", source=source, arguments=arguments):
                return Exists(self.where(self._source(source, (element,)), arguments))
            case tree.Function(name="hasExtension", source=source, arguments=(argument,)):
                return Exists(self.extension(self._source(source, (element,)), (argument,)))
            case tree.BooleanLiteral(value=value):
                return Both(()) if value else Either(())
        return Equals(self.paths(node, (element,)), literal=True)

    def ends(self, path: Path) -> Paths:
        """What is indexed at a path: an extension is what it is for, its value."""
        return self._members((path,), "value") if path.type == "Extension" else (path,)

    def _names_type(self, name: str) -> bool:
        return name[:1].isupper() and name in self._elements.types

    def _begins_at(self, path: Path, name: str) -> bool:
        return not path.steps and self._elements.is_a(path.type, name)

    def _source(self, source: tree.Node | None, context: Paths) -> Paths:
        return context if source is None else self.paths(source, context)

    def _members(self, parents: Paths, name: str) -> Paths:
        return tuple(path for parent in parents for path in self._below(parent, name))

    def _below(self, parent: Path, name: str) -> list[Path]:
        element = self._elements.child(parent.type, name)
        if element is None:
            return []
        steps = parent.steps
        if parent.type in self._elements.primitives and steps:
            *before, last = steps
            if not isinstance(last, Member):
                raise NotCompiled(f"{name} of a filtered {parent.type} has no place in JSON")
            steps = (*before, Member(f"_{last.key}"))
        return [
            Path((*steps, Member(key)), kind, _system(element, kind), _targets(element, kind))
            for key, kind in element.keys.items()
        ]

    def _of_type(self, paths: Paths, kind: tree.TypeSpecifier) -> Paths:
        name = kind.name
        if name not in self._elements.types:
            name = name[:1].lower() + name[1:]  # published ones say DateTime for dateTime
        if name not in self._elements.types:
            raise NotCompiled(f"{kind} is no type")
        return tuple(chosen for path in paths for chosen in self._chosen(path, name))

    def _chosen(self, path: Path, name: str) -> list[Path]:
        if self._elements.is_a(path.type, name):
            return [path]
        if path.type in _ABSTRACT and self._elements.is_a(name, path.type):
            is_type = Equals((Path((Member("resourceType"),), "code"),), literal=name)
            return [Path((*path.steps, Only(is_type)), name)]
        return []

    def where(self, paths: Paths, arguments: tuple[tree.Node, ...]) -> Paths:
        for criterion in arguments:
            paths = tuple(
                replace(
                    path,
                    steps=(*path.steps, Only(self.condition(criterion, Path((), path.type)))),
                )
                for path in paths
            )
        return paths

    def extension(self, paths: Paths, arguments: tuple[tree.Node, ...]) -> Paths:
        match arguments:
            case (tree.StringLiteral(value=url),):
                is_it = Equals((Path((Member("url"),), "uri"),), literal=url)
                return tuple(
                    replace(path, steps=(*path.steps, Only(is_it)))
                    for path in self._members(paths, "extension")
                )
        raise NotCompiled("extension() takes the url of the extension as a text")

    def as_type(self, paths: Paths, arguments: tuple[tree.Node, ...]) -> Paths:
        if len(arguments) != 1:
            raise NotCompiled("as() and ofType() take one type")
        return self._of_type(paths, _type_named(arguments[0]))

    def first(self, paths: Paths, _arguments: tuple[tree.Node, ...]) -> Paths:
        return tuple(self._nth(path, 0) for path in paths)

    def _nth(self, path: Path, index: int) -> Path:
        """FHIRPath counts through the whole collection, so only the last array may be one."""
        if not path.steps or not isinstance(path.steps[-1], Member):
            raise NotCompiled("only an element can be taken by its place")
        parent = Path((), self.root.type)
        for step in path.steps[:-1]:
            if not isinstance(step, Member):
                raise NotCompiled("a place behind a filter depends on the resource")
            element = self._elements.by_key(parent.type)[step.key]
            if element.many:
                raise NotCompiled(f"a place behind {element.name}, which repeats, is not its own")
            parent = Path((), element.keys[step.key])
        return replace(path, steps=(*path.steps, Nth(index)))

    def _comparison(
        self, left: tree.Node, right: tree.Node, element: Path, *, differs: bool
    ) -> Condition:
        for side, other in ((left, right), (right, left)):
            match other:
                case (
                    tree.StringLiteral(value=value)
                    | tree.BooleanLiteral(value=value)
                    | tree.IntegerLiteral(value=value)
                ):
                    return Equals(self.paths(side, (element,)), value, differs)
        raise NotCompiled(f"{left} is not compared with a text, a number or a truth value")

    def _is(self, operand: tree.Node, kind: tree.TypeSpecifier, element: Path) -> Condition:
        match operand:
            case tree.Function(name="resolve", source=None | tree.This()):
                return RefersTo(kind.name)
        return Exists(self._of_type(self.paths(operand, (element,)), kind))


_FUNCTIONS: Final[Mapping[str, Callable[[_Walk, Paths, tuple[tree.Node, ...]], Paths]]] = {
    "as": _Walk.as_type,
    "extension": _Walk.extension,
    "first": _Walk.first,
    "ofType": _Walk.as_type,
    "where": _Walk.where,
}


def _type_named(node: tree.Node) -> tree.TypeSpecifier:
    kind = tree.type_specifier(node)
    if kind is None:
        raise NotCompiled(f"{node} is no type")
    return kind


def _system(element: Element, kind: str) -> str | None:
    return element.system if kind == "code" else None


def _targets(element: Element, kind: str) -> tuple[str, ...]:
    return {
        "Reference": element.reference_targets,
        "canonical": element.canonical_targets,
    }.get(kind, ())
