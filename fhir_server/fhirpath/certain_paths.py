"""Collections on their way into Python: what surely is in them, and what may be.

http://hl7.org/fhirpath/N1/#path-selection

See `acquitting`. A path becomes `for` clauses over JSON.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, ClassVar, Final

from fhir_server.definitions.elements import ElementTable
from fhir_server.fhirpath import tree
from fhir_server.fhirpath.certain import (
    ALWAYS,
    NEVER,
    UNKNOWN,
    Items,
    Truth,
    all_of,
    any_of,
)

FOCUS: Final = "o"
ROOT: Final = "r"
TEXTS: Final = frozenset(
    {
        "code",
        "string",
        "id",
        "uri",
        "url",
        "canonical",
        "oid",
        "uuid",
        "markdown",
        "base64Binary",
    }
)
"""Types whose values are Strings as they stand."""

_ROOT_TYPE: Final = "DomainResource"
"""What is asked of the outermost resource is what is contained in it."""
_KEEPS_EMPTY: Final = frozenset(
    {
        "where",
        "select",
        "first",
        "last",
        "tail",
        "skip",
        "take",
        "single",
        "trace",
        "as",
        "ofType",
        "resolve",
        "descendants",
        "children",
        "extension",
        "repeat",
        "distinct",
    }
)
"""Functions that find nothing in nothing."""
_FEW: Final = 3
"""Members that are looked for one by one."""


class Paths(ABC):
    """The collections of one expression."""

    def __init__(self, type_: str, elements: ElementTable, names: dict[str, Any]) -> None:
        self._names = names
        self._elements = elements
        self._numbers = count(1)
        self._context = focus(FOCUS, type_)
        self._focus = self._context

    @abstractmethod
    def truth(self, node: tree.Node) -> Truth:
        """What is certain of a node as a Boolean."""

    def items(self, node: tree.Node | None) -> Items:
        """What is certain of a node as a collection."""
        match node:
            case None | tree.This():
                return self._focus
            case tree.ExternalConstant(name="context"):
                return self._context
            case tree.ExternalConstant(name="rootResource"):
                return focus(ROOT, _ROOT_TYPE)
            case tree.ExternalConstant(name="resource") if self._is_about_a_resource():
                return self._context
            case tree.Member():
                return self._member(node)
            case tree.Binary(operator="|"):
                one, other = self.items(node.left), self.items(node.right)
                return Items(any_of(one.present, other.present), all_of(one.absent, other.absent))
            case tree.TypeOperation(operator="as"):
                return self._as(self.items(node.operand), node.type.name)
            case tree.Function(name=name) if name in self._collections:
                return self._collections[name](self, node)
            case tree.Function(name=name) if name in _KEEPS_EMPTY:
                return Items(absent=self.items(node.source).absent)
        return UNKNOWN

    def _is_about_a_resource(self) -> bool:
        known = self._elements.types.get(self._context.type or "")
        return known is not None and known.kind == "resource"

    def _within(self, focus: Items, node: tree.Node) -> Truth:
        """A criterion, for one item of a collection."""
        outer, self._focus = self._focus, focus
        found = self.truth(node)
        self._focus = outer
        return found

    def _member(self, node: tree.Member) -> Items:
        if node.source is None and node.name in self._elements.types and node.name[0].isupper():
            return self._focus if self._focus.type == node.name else UNKNOWN
        if isinstance(node.source, tree.Function) and node.source.name == "descendants":
            return self._anywhere(self.items(node.source.source), node.name)
        source = self.items(node.source)
        type_, element = source.type or "", None
        if type_ in self._elements.types and type_ not in self._elements.primitives:
            element = self._elements.child(type_, node.name)
        if element is None and type_ == "Resource":
            element = self._elements.child("DomainResource", node.name)
        if element is None or source.sure is None or source.maybe is None:
            return Items(absent=source.absent)
        return self._step(source, element.keys, many=element.many)

    def _anywhere(self, source: Items, name: str) -> Items:
        """`descendants().name`, where the name is that of texts."""
        if source.sure != "":
            return Items(absent=source.absent)
        item = self._name()
        loop = f"for {item} in texts_below({source.item}, {name!r})"
        return Items(absent=source.absent, sure=loop, item=item, types={name: "string"})

    def _step(self, source: Items, keys: Mapping[str, str], *, many: bool) -> Items:
        above, item = source.item, self._name()
        kinds = self._elements.primitives
        beside = [f"_{key}" for key, kind in keys.items() if kind in kinds]
        present, missing = self._any_in(above, [*keys]), self._none_in(above, [*keys, *beside])
        found = Items(
            present,
            missing,
            _loop(item, above, keys, frozenset(), many=many),
            _loop(item, above, keys, frozenset(beside), many=many),
            item,
            keys,
            single=source.single and not many,
            holder="" if source.sure else above,
        )
        if not source.sure:
            return found
        return replace(
            found,
            present=all_of(source.present, f"any({present} {source.sure})"),
            absent=any_of(source.absent, f"all({missing} {source.maybe})"),
            sure=f"{source.sure} {found.sure}",
            maybe=f"{source.maybe} {found.maybe}",
        )

    def _any_in(self, above: str, keys: list[str]) -> str:
        if len(keys) > _FEW:
            return f"not {self._none_in(above, keys)}"
        return any_of(*(f"{key!r} in {above}" for key in keys))

    def _none_in(self, above: str, keys: list[str]) -> str:
        if len(keys) <= _FEW:
            return all_of(*(f"{key!r} not in {above}" for key in keys))
        name = f"none_{len(self._names)}"
        self._names[name] = frozenset(keys).isdisjoint
        return f"{name}({above})"

    def _where(self, node: tree.Function) -> Items:
        source = self.items(node.source)
        if not source.sure or not source.maybe or source.type is None:
            return self._of_focus(node) if source is self._focus else Items(absent=source.absent)
        meets = self._within(focus(source.item, source.type), node.arguments[0])
        sure, maybe = f"{source.sure} if {meets.yes}", f"{source.maybe} if not ({meets.never})"
        present = all_of(source.present, f"any(True {sure})")
        absent = any_of(source.absent, f"not any(True {maybe})")
        return replace(source, present=present, absent=absent, sure=sure, maybe=maybe, holder="")

    def _of_focus(self, node: tree.Function) -> Items:
        """`where()` of the one item it is asked of."""
        meets = self.truth(node.arguments[0])
        return Items(meets.yes, meets.never)

    def _select(self, node: tree.Function) -> Items:
        source = self.items(node.source)
        if not source.sure or not source.maybe or source.type is None:
            return Items(absent=source.absent)
        outer, self._focus = self._focus, focus(source.item, source.type)
        found = self.items(node.arguments[0])
        self._focus = outer
        if not found.sure or not found.maybe:
            return Items(absent=source.absent)
        return replace(
            found,
            present=all_of(source.present, f"any({found.present} {source.sure})"),
            absent=any_of(source.absent, f"all({found.absent} {source.maybe})"),
            sure=f"{source.sure} {found.sure}",
            maybe=f"{source.maybe} {found.maybe}",
            single=source.single and found.single,
            holder="",
        )

    def _trace(self, node: tree.Function) -> Items:
        return self.items(node.source)

    def _as(self, source: Items, name: str) -> Items:
        keys = {key: kind for key, kind in (source.types or {}).items() if kind == name}
        if not source.holder or not keys:
            return Items(absent=source.absent)
        return self._step(focus(source.holder, ""), keys, many=False)

    def _name(self) -> str:
        return f"v{next(self._numbers)}"

    _collections: ClassVar[Mapping[str, Callable[..., Items]]] = {
        "where": _where,
        "select": _select,
        "trace": _trace,
    }


def focus(item: str, type_: str) -> Items:
    """One item that is there."""
    return Items(ALWAYS, NEVER, "", "", item, {"": type_}, single=True)


def _loop(
    item: str, above: str, keys: Mapping[str, str], beside: frozenset[str], *, many: bool
) -> str:
    """The clause that goes through the values of members, or of those beside them."""
    if many:
        (key,) = keys
        only = f"{above}.get({key!r})"
        return (
            f"for {item} in {only} or {above}.get('_{key}', ())"
            if beside
            else (f"for {item} in {only} or ()")
        )
    options = [
        f"({above}.get({key!r}),) if {key!r} in {above}"
        + (f" or '_{key}' in {above}" if f"_{key}" in beside else "")
        for key in keys
    ]
    return f"for {item} in ({' else '.join(options)} else ())"
