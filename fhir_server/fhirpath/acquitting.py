"""Acquitting: constraints that surely hold are told from plain JSON, before anything is evaluated.

http://hl7.org/fhirpath/N1/

Nearly all data is right, and what most constraints ask is simple: whether members are there, and
what codes they have. Such forms are compiled to one Python expression over the JSON object. It is
true only where the constraint surely holds; where it is false, nothing is said, and the
evaluation, which alone refuses, has the word. Forms that are not known are never acquitted.

What it looks at must have the structure of its type.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final

from fhir_server.definitions.elements import ElementTable
from fhir_server.fhirpath import tree
from fhir_server.fhirpath.certain import (
    ALWAYS,
    NEVER,
    Items,
    Number,
    Truth,
    all_of,
    any_of,
    both,
    certain,
    differ,
    either,
    implies,
    negated,
)
from fhir_server.fhirpath.certain_calls import FUNCTIONS
from fhir_server.fhirpath.certain_paths import FOCUS, ROOT, TEXTS, Paths, focus
from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.parser import parse
from fhir_server.fhirpath.regular_expressions import matcher
from fhir_server.fhirpath.singletons import QUANTITIES
from fhir_server.fhirpath.variables import variable

Acquittal = Callable[[Any, Any], bool]
"""Of a JSON value and the outermost resource around it."""

_NUMBERS: Final = frozenset({"integer", "positiveInt", "unsignedInt", "decimal"})
_DATES: Final = frozenset({"date", "dateTime", "instant"})
_LOGIC: Final = {"and": both, "or": either, "implies": implies, "xor": differ}
_COMPARISONS: Final = frozenset({"<", "<=", ">", ">="})


def acquittal(text: str, type_: str, elements: ElementTable, names: dict[str, Any]) -> str | None:
    """The Python that tells that an expression surely holds for `o`, a JSON value of a type.

    `r` is the outermost resource around it. None if that cannot be told. What it calls is put
    into `names`. It is made of names of elements and of literals' representations only, whatever
    the expression is.
    """
    glance = _Glance(type_, elements, names)
    yes = glance.truth(parse(text)).yes
    names.update(FUNCTIONS)
    return None if yes == NEVER else yes


def tell(text: str, names: Mapping[str, Any]) -> Acquittal:
    """The function of `o` and `r` that a Python expression is which `acquittal` made."""
    made = f"lambda {FOCUS}, {ROOT}: {text}"
    told: Acquittal = eval(made, {"__builtins__": {}, **names})  # noqa: S307 - see `acquittal`
    return told


class _Glance(Paths):
    """One expression on its way into Python."""

    def truth(self, node: tree.Node) -> Truth:
        """What is certain of a node as a Boolean."""
        match node:
            case tree.BooleanLiteral(value=value):
                return certain(str(value), str(not value))
            case tree.Binary(operator=operator) if operator in _LOGIC:
                return _LOGIC[operator](self.truth(node.left), self.truth(node.right))
            case tree.Binary(operator=operator) if operator in self._operators:
                return self._operators[operator](self, node)
            case tree.Function(name=name) if name in self._truths:
                return self._truths[name](self, node)
            case tree.TypeOperation(operator="is"):
                return self._is(node)
            case tree.Member():
                found = self.items(node)
                return _equals(found, value=True) if found.type == "boolean" else Truth()
        return Truth()

    # Truths

    def _is(self, node: tree.TypeOperation) -> Truth:
        source = self.items(node.operand)
        if not source.holder or not source.single or node.type.namespace is not None:
            return Truth()
        is_a, holder, types = self._elements.is_a, source.holder, source.types or {}
        ours = [key for key, kind in types.items() if is_a(kind, node.type.name)]
        others = [key for key in types if key not in ours]
        yes = any_of(*(f"{key!r} in {holder}" for key in ours))
        never = all_of(*(f"({key!r} not in {holder} and '_{key}' not in {holder})" for key in ours))
        return Truth(yes, any_of(*(f"{key!r} in {holder}" for key in others)), never)

    def _exists(self, node: tree.Function) -> Truth:
        found = self._where(node) if node.arguments else self.items(node.source)
        return certain(found.present, found.absent)

    def _empty(self, node: tree.Function) -> Truth:
        found = self.items(node.source)
        return certain(found.absent, found.present)

    def _not(self, node: tree.Function) -> Truth:
        return Truth() if node.source is None else negated(self.truth(node.source))

    def _all(self, node: tree.Function) -> Truth:
        source = self.items(node.source)
        if not source.sure or not source.maybe or source.type is None:
            return Truth(source.absent)
        meets = self._within(focus(source.item, source.type), node.arguments[0])
        no = f"any({any_of(meets.no, meets.never)} {source.sure})"
        return certain(any_of(source.absent, f"all({meets.yes} {source.maybe})"), no)

    def _is_distinct(self, node: tree.Function) -> Truth:
        found = self.items(node.source)
        if found.maybe and found.type in TEXTS:
            return Truth(f"are_distinct([{found.item} {found.maybe}])")
        select = node.source
        if isinstance(select, tree.Function) and select.name == "select":
            source = self.items(select.source)
            if source.maybe and source.type is not None:
                outer, self._focus = self._focus, focus(source.item, source.type)
                text = self._text(select.arguments[0])
                self._focus = outer
                if text is not None:
                    return Truth(f"are_distinct([{text} {source.maybe}])")
        return Truth(found.absent)

    def _has_value(self, node: tree.Function) -> Truth:
        found = self.items(node.source)
        if found.key is None or not found.single or found.type not in self._elements.primitives:
            return Truth()
        return certain(found.present, f"{found.key!r} not in {found.holder}")

    def _html_checks(self, node: tree.Function) -> Truth:
        found = self.items(node.source)
        return Truth(f"is_narrative({found.item})") if found.type == "xhtml" else Truth()

    def _of_text(self, node: tree.Function) -> Truth:
        """`startsWith()`, `contains()`, `matches()` of one text."""
        wanted = _literal(node.arguments[0])
        if node.source is None or type(wanted) is not str:
            return Truth()
        there, value = self._one_text(node.source)
        match node.name:
            case "startsWith":
                test = f"{value}.startswith({wanted!r})"
            case "contains":
                test = f"{wanted!r} in {value}"
            case _:
                test = self._match(wanted, value)
        return certain(all_of(there, test), all_of(there, f"not {test}")) if test else Truth()

    def _match(self, pattern: str, value: str) -> str:
        """Empty when it is no pattern, which is told when it is evaluated."""
        name = f"matches_{len(self._names)}"
        try:
            self._names[name] = matcher(pattern)
        except Unfit:
            return ""
        return f"{name}({value})"

    # Operators

    def _equality(self, node: tree.Binary) -> Truth:
        equal = self._equal(node.left, node.right)
        if node.operator == "=":
            return equal
        absent = any_of(self.items(node.left).absent, self.items(node.right).absent)
        return Truth(equal.no, equal.yes, any_of(equal.yes, absent))

    def _equal(self, left: tree.Node, right: tree.Node) -> Truth:
        if _is_boolean(left) and _is_boolean(right):
            return negated(differ(self.truth(left), self.truth(right)))
        one, other = self._number(left), self._number(right)
        if one is not None and other is not None:
            return _compared(one, "==", other)
        wanted = _literal(right)
        return Truth() if wanted is None else _equals(self.items(left), value=wanted)

    def _membership(self, node: tree.Binary) -> Truth:
        there, value = self._one_text(node.left)
        wanted = _literals(node.right)
        if wanted is None:
            among = [f"any({value} == {each.item} {each.sure})" for each in self._parts(node.right)]
            return Truth(all_of(there, any_of(*among)))
        yes = all_of(there, f"{value} in {wanted!r}")
        never = NEVER if there == NEVER else f"not ({yes})"
        return Truth(yes, all_of(there, f"{value} not in {wanted!r}"), never)

    def _comparison(self, node: tree.Binary) -> Truth:
        one, other = self._number(node.left), self._number(node.right)
        if one is not None and other is not None:
            return _compared(one, node.operator, other)
        if node.operator not in {"<=", ">="}:
            return Truth()
        less, more = self.items(node.left), self.items(node.right)
        if node.operator == ">=":
            less, more = more, less
        if not less.single or not more.single or not less.key or not more.key:
            return Truth()
        kinds = {less.type, more.type}
        test = "is_in_order" if kinds <= _DATES else "is_not_more" if kinds <= QUANTITIES else ""
        values = f"{less.holder}[{less.key!r}], {more.holder}[{more.key!r}]"
        return Truth(all_of(less.present, more.present, f"{test}({values})") if test else NEVER)

    def _parts(self, node: tree.Node) -> Iterator[Items]:
        """The collections that a union is of, as far as there are texts to look for in them."""
        if isinstance(node, tree.Binary) and node.operator == "|":
            yield from self._parts(node.left)
            yield from self._parts(node.right)
            return
        found = self.items(node)
        if found.sure and found.type in TEXTS:
            yield found

    def _one_text(self, node: tree.Node) -> tuple[str, str]:
        """When there surely is one text, and it."""
        match node:
            case tree.Binary(operator="+", left=tree.StringLiteral(value=before)):
                there, value = self._one_text(node.right)
                return there, f"{before!r} + {value}"
            case tree.Function(name="substring", arguments=(tree.IntegerLiteral(value=start),)):
                there, value = self._one_text(node.source or tree.This(None))
                return all_of(there, f"len({value}) > {start}"), f"{value}[{start}:]"
        found = self.items(node)
        return _value(found) if found.single and found.type in TEXTS else (NEVER, "")

    def _number(self, node: tree.Node) -> Number | None:
        match node:
            case tree.IntegerLiteral(value=value):
                return Number(str(value), ALWAYS)
            case tree.Binary(operator="+"):
                one, other = self._number(node.left), self._number(node.right)
                if one is None or other is None:
                    return None
                return Number(f"({one.value} + {other.value})", all_of(one.sure, other.sure))
            case tree.Function(name="count"):
                return self._count(self.items(node.source))
            case tree.Member():
                found = self.items(node)
                if found.single and found.holder and found.type in _NUMBERS:
                    return Number(f"{found.holder}[{found.key!r}]", found.present)
        return None

    def _count(self, found: Items) -> Number | None:
        key, holder = found.key, found.holder
        if key is None:
            return None
        value = f"({key!r} in {holder})" if found.single else f"len({holder}.get({key!r}, ()))"
        primitive = found.type in self._elements.primitives
        return Number(value, f"'_{key}' not in {holder}" if primitive else ALWAYS)

    def _text(self, node: tree.Node) -> str | None:
        """A text, empty where there is none."""
        match node:
            case tree.Binary(operator="&"):
                one, other = self._text(node.left), self._text(node.right)
                return None if one is None or other is None else f"({one} + {other})"
            case tree.Member(source=source):
                found, above = self.items(node), self._object(source)
                if above is not None and found.single and found.type in TEXTS:
                    (key,) = found.types or ("",)
                    return f"({above}.get({key!r}) or '')"
        return None

    def _object(self, node: tree.Node | None) -> str | None:
        """An object, empty where there is none."""
        if node is None:
            return self._focus.item
        found = self.items(node)
        if not isinstance(node, tree.Member) or not found.single or len(found.types or ()) != 1:
            return None
        above, (key,) = self._object(node.source), found.types or ("",)
        return None if above is None else f"{above}.get({key!r}, {{}})"

    _truths: ClassVar[Mapping[str, Callable[..., Truth]]] = {
        "exists": _exists,
        "empty": _empty,
        "not": _not,
        "all": _all,
        "isDistinct": _is_distinct,
        "hasValue": _has_value,
        "htmlChecks": _html_checks,
        "startsWith": _of_text,
        "contains": _of_text,
        "matches": _of_text,
    }
    _operators: ClassVar[Mapping[str, Callable[..., Truth]]] = {
        "=": _equality,
        "!=": _equality,
        "in": _membership,
        **dict.fromkeys(_COMPARISONS, _comparison),
    }


def _value(found: Items) -> tuple[str, str]:
    """When the only item has a value, and that."""
    if found.key is not None:
        return f"{found.key!r} in {found.holder}", f"{found.holder}[{found.key!r}]"
    if not found.sure:
        return f"{found.item} is not None", found.item
    return NEVER, found.item


def _equals(found: Items, *, value: str | int | bool) -> Truth:
    """`path = literal`."""
    kinds = {"boolean"} if type(value) is bool else _NUMBERS if type(value) is int else TEXTS
    if found.type not in kinds:
        return Truth()
    same, other = ("is", "is not") if type(value) is bool else ("==", "!=")
    if found.single and found.key is not None:
        given = f"{found.holder}.get({found.key!r})"
        no = all_of(found.present, f"{given} {other} {value!r}")
        return Truth(f"{given} {same} {value!r}", no, f"{given} {other} {value!r}")
    item = found.item
    if found.sure == "":
        no = f"({item} is not None and {item} {other} {value!r})"
        return Truth(f"{item} {same} {value!r}", no, f"{item} {other} {value!r}")
    if found.sure is None or found.maybe is None:
        return Truth(never=found.absent)
    never = f"not any({item} {same} {value!r} {found.maybe})"
    if not found.single:
        return Truth(never=never)
    no = f"any({item} is not None and {item} {other} {value!r} {found.sure})"
    return Truth(f"any({item} {same} {value!r} {found.sure})", no, never)


def _compared(one: Number, operator: str, other: Number) -> Truth:
    sure, test = all_of(one.sure, other.sure), f"{one.value} {operator} {other.value}"
    return certain(all_of(sure, test), all_of(sure, f"not {test}"))


def _is_boolean(node: tree.Node) -> bool:
    """Whether a node gives nothing but Booleans."""
    return (isinstance(node, tree.Binary) and node.operator in {*_LOGIC, "=", "!=", "in"}) or (
        isinstance(node, tree.Function) and node.name in {"exists", "empty", "not", "all"}
    )


def _literal(node: tree.Node) -> str | int | bool | None:
    match node:
        case tree.StringLiteral() | tree.BooleanLiteral() | tree.IntegerLiteral():
            return node.value
        case tree.ExternalConstant(name=name):
            known = variable(name, 0).constant
            return known[0] if known and type(known[0]) is str else None
    return None


def _literals(node: tree.Node) -> tuple[str, ...] | None:
    """The texts of `'a' | 'b'`."""
    if isinstance(node, tree.Binary) and node.operator == "|":
        one, other = _literals(node.left), _literals(node.right)
        return None if one is None or other is None else (*one, *other)
    return (node.value,) if isinstance(node, tree.StringLiteral) else None
