"""The quick walk: whether everything in a resource surely is right, as far as tests can tell.

https://hl7.org/fhir/R4/conformance-rules.html

It goes by what is present. Each type becomes one Python function, with its tests and those of the
small types below it written into it; it is made when the type is first met, so that types that
never come cost nothing. The resource must have the structure of its type.

    def t7(o, r):                       a CodeableConcept, in an outermost resource
        if 'coding' in o:
            for v in o['coding']:
                if not (d8(v) or r8(v, r)): return False        a Coding with an extension, say
        if not (d7(o) or r7(o, r)): return False
        return True
"""

from collections.abc import Callable, Iterable, Iterator
from threading import RLock
from typing import Any, Final, Protocol

from fhir_server.definitions.elements import Element, ElementTable
from fhir_server.fhirpath.certain import all_of
from fhir_server.fhirpath.certain_paths import FOCUS, ROOT

Walked = Callable[[Any, Any], bool]
"""Whether a value, in an outermost resource, surely is right; when not, nothing is said."""

_RESOURCE: Final = "Resource"
_CONTAINED: Final = "contained"
_RARE: Final = frozenset({"extension", "modifierExtension"})
_FEW: Final = 3
"""Members of a type that are looked for one by one; of more, those present are gone through."""


class Tests(Protocol):
    """Where tests come from: Python texts about `o`, and what they call."""

    def texts_of_type(self, type_: str, names: dict[str, Any]) -> Iterable[str]:
        """Those of every object of a type."""
        ...

    def texts_of_element(
        self, within: str, element: Element, type_: str, names: dict[str, Any]
    ) -> Iterable[str]:
        """Further ones of values where they stand as an element."""
        ...


class Walk:
    """Safe to use from several threads: one at a time makes functions."""

    def __init__(self, table: ElementTable, *tests: Tests) -> None:
        self._table = table
        self._tests = tests
        self._numbers: dict[str, int] = {}
        self._names: dict[str, Any] = {"__builtins__": {}}
        self._by_type: dict[str, Walked] = {}
        self._lock = RLock()

    def resource(self, resource: dict[str, Any]) -> bool:
        """Whether all tests of a resource, and of what is in it, are passed."""
        return self._contained(resource, resource)

    def _contained(self, resource: dict[str, Any], outermost: dict[str, Any]) -> bool:
        type_ = resource["resourceType"]
        walked = self._by_type.get(type_)
        if walked is None:
            walked = self._by_type[type_] = self._made(type_, "t")
        return walked(resource, outermost)

    def _made(self, type_: str, kind: str) -> Walked:
        """The function of a type: `t` for one value, `e` for each of an array."""
        with self._lock:
            made: Walked = self._names[f"{kind}{self._number(type_)}"]
        return made

    def _number(self, type_: str) -> int:
        """The number in the names of a type's functions, which are made when it is first asked."""
        number = self._numbers.get(type_)
        if number is None:
            number = self._numbers[type_] = len(self._numbers)
            steps = _Steps(self._step, type_)
            self._names[f"s{number}"] = steps
            self._names[f"r{number}"] = _through(steps)
            self._names[f"d{number}"] = frozenset(self._rare(type_)).isdisjoint
            body = list(self._body(type_, number))
            single = [f"def t{number}({FOCUS}, {ROOT}):", *_indented(body), " return True"]
            every = [f" for {FOCUS} in all_:", *_indented(_indented(body)), " return True"]
            self._run([*single, f"def e{number}(all_, {ROOT}):", *every])
        return number

    def _run(self, lines: list[str]) -> None:
        # Made of names of elements and texts of `acquitting`, which hold nothing else of anybody.
        exec("\n".join(lines), self._names)  # noqa: S102

    def _body(self, type_: str, number: int) -> Iterator[str]:
        tests = self._texts(lambda each: each.texts_of_type(type_, self._names))
        if tests:
            yield f"if not {tests}: return False"
        usual = self._usual(type_)
        if len(usual) > _FEW:
            yield f"for k in {FOCUS}:"
            yield f" s = s{number}[k]"
            yield f" if s is not None and not s({FOCUS}[k], {ROOT}): return False"
            return
        for key, element in usual.items():
            yield f"if {key!r} in {FOCUS}:"
            yield from _indented(self._usual_member(type_, key, element))
        yield f"if not (d{number}({FOCUS}) or r{number}({FOCUS}, {ROOT})): return False"

    def _usual_member(self, type_: str, key: str, element: Element) -> list[str]:
        kind, value = element.keys[key], f"{FOCUS}[{key!r}]"
        tests = self._tests_of(type_, element, kind)
        if tests or kind == _RESOURCE or kind in self._table.primitives:
            return [f"if not s{self._numbers[type_]}[{key!r}]({value}, {ROOT}): return False"]
        number = self._number(kind)
        if not self._is_plain(kind):
            return [f"if not {'e' if element.many else 't'}{number}({value}, {ROOT}): return False"]
        if element.many:
            return [
                f"for v in {value}:",
                f" if not (d{number}(v) or r{number}(v, {ROOT})): return False",
            ]
        return [f"v = {value}", f"if not (d{number}(v) or r{number}(v, {ROOT})): return False"]

    def _is_plain(self, type_: str) -> bool:
        """Whether there is nothing to look at in a type but what is rare."""
        if type_ == _RESOURCE or type_ in self._table.primitives:
            return False
        return not self._usual(type_) and not self._texts(
            lambda each: each.texts_of_type(type_, self._names)
        )

    def _usual(self, type_: str) -> dict[str, Element]:
        """Members that lead to tests, without those that are rare."""
        return {
            key: element
            for key, element in self._table.by_key(type_).items()
            if key not in _RARE
            and (
                element.keys[key] not in self._table.primitives
                or self._tests_of(type_, element, element.keys[key])
            )
        }

    def _rare(self, type_: str) -> Iterator[str]:
        yield from _RARE
        for key, element in self._table.by_key(type_).items():
            if element.keys[key] in self._table.primitives:
                yield f"_{key}"

    def _texts(self, of: Callable[[Tests], Iterable[str]]) -> str:
        """All tests as one; empty when there are none."""
        texts = [text for each in self._tests for text in of(each)]
        return all_of(*texts) if texts else ""

    def _tests_of(self, within: str, element: Element, kind: str) -> str:
        return self._texts(lambda each: each.texts_of_element(within, element, kind, self._names))

    def _step(self, type_: str, key: str) -> Walked | None:
        """What to do with a member; None where nothing is to be done."""
        element = self._table.by_key(type_).get(key)
        if element is None:
            beside = self._table.by_key(type_).get(key.removeprefix("_"))
            return None if beside is None else self._beside(many=beside.many)
        kind = element.keys[key]
        below: Walked | None = None
        if kind == _RESOURCE:
            below = self._nested(contained=key == _CONTAINED, many=element.many)
        elif kind not in self._table.primitives:
            below = self._made(kind, "e" if element.many else "t")
        with self._lock:
            tests = self._tests_of(type_, element, kind)
        return self._tested(tests, below, many=element.many) if tests else below

    def _nested(self, *, contained: bool, many: bool) -> Walked:
        """Resources: contained ones have the one around them, others stand for themselves."""
        each: Walked = self._contained if contained else lambda value, _: self.resource(value)
        return each if not many else lambda values, root: all(each(one, root) for one in values)

    def _tested(self, tests: str, below: Walked | None, *, many: bool) -> Walked:
        with self._lock:
            name = f"x{len(self._names)}"
            self._run([f"def {name}({FOCUS}, {ROOT}):", f" return {tests}"])
            test: Walked = self._names[name]
        each: Walked = (lambda all_, root: all(test(o, root) for o in all_)) if many else test
        return each if below is None else lambda o, root: each(o, root) and below(o, root)

    def _beside(self, *, many: bool) -> Walked:
        """For what stands beside primitives, of which some have nothing."""
        walked = self._made("Element", "t")
        if not many:
            return walked
        return lambda values, root: all(each is None or walked(each, root) for each in values)


class _Steps(dict[str, Walked | None]):
    """Where the members of a type lead, filled as they are met."""

    def __init__(self, step: Callable[[str, str], Walked | None], type_: str) -> None:
        super().__init__()
        self._step = step
        self._type = type_

    def __missing__(self, key: str) -> Walked | None:
        found = self[key] = self._step(self._type, key)
        return found


def _through(steps: _Steps) -> Walked:
    """Goes through what is present."""

    def run(value: Any, root: Any) -> bool:
        for key in value:
            step = steps[key]
            if step is not None and not step(value[key], root):
                return False
        return True

    return run


def _indented(lines: Iterable[str]) -> list[str]:
    return [f" {line}" for line in lines]
