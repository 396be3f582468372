"""The quick walk: whether everything in a resource surely is right, as far as tests can tell.

https://hl7.org/fhir/R4/conformance-rules.html

It goes by what is present. What to test at a place, and where a member leads, is worked out when
the place is first met, then kept: types that never come cost nothing. The resource must have the
structure of its type.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from fhir_server.definitions.elements import Element, ElementTable

Test = Callable[[Any], bool]
"""Whether a value surely is right; when not, nothing is said."""
OfType = Callable[[str], Iterable[Test]]
"""The tests of every object of a type."""
OfElement = Callable[[str, Element, str], Iterable[Test]]
"""The tests of an element's values: by the type it is in, itself, and the type of the values."""

_RESOURCE: Final = "Resource"


class Walk:
    def __init__(self, table: ElementTable, of_type: OfType, of_element: OfElement) -> None:
        self._table = table
        self._of_type = of_type
        self._of_element = of_element
        self._by_type: dict[str, Test] = {}

    def resource(self, resource: dict[str, Any]) -> bool:
        """Whether all tests of a resource, and of what is in it, are passed."""
        type_ = resource["resourceType"]
        return (self._by_type.get(type_) or self._type(type_))(resource)

    def _type(self, type_: str) -> Test:
        known = self._by_type.get(type_)
        if known is None:
            tests = tuple(self._of_type(type_))
            known = self._by_type[type_] = _passing(tests, _Steps(self._step, type_))
        return known

    def _step(self, type_: str, key: str) -> Test | None:
        """What to do with a member; None where nothing is to be done."""
        element = self._table.by_key(type_).get(key)
        if element is None:
            beside = self._table.by_key(type_).get(key.removeprefix("_"))
            return None if beside is None else _each_or_none(self._type("Element"), beside.many)
        kind = element.keys[key]
        tests = list(self._of_element(type_, element, kind))
        if kind == _RESOURCE:
            tests.append(self.resource)
        elif kind not in self._table.primitives:
            tests.append(self._type(kind))
        if not tests:
            return None
        test = tests[0] if len(tests) == 1 else _all(tuple(tests))
        return _each(test) if element.many else test


class _Steps(dict[str, Test | None]):
    """Where the members of a type lead, filled as they are met."""

    def __init__(self, step: Callable[[str, str], Test | None], type_: str) -> None:
        super().__init__()
        self._step = step
        self._type = type_

    def __missing__(self, key: str) -> Test | None:
        found = self[key] = self._step(self._type, key)
        return found


def _passing(tests: tuple[Test, ...], steps: _Steps) -> Test:
    if not tests:

        def below(value: Any) -> bool:
            for key in value:
                step = steps[key]
                if step is not None and not step(value[key]):
                    return False
            return True

        return below

    test = tests[0] if len(tests) == 1 else _all(tests)

    def run(value: Any) -> bool:
        if not test(value):
            return False
        for key in value:
            step = steps[key]
            if step is not None and not step(value[key]):
                return False
        return True

    return run


def _all(tests: tuple[Test, ...]) -> Test:
    def run(value: Any) -> bool:
        for test in tests:  # noqa: SIM110 - a generator would cost more than most tests
            if not test(value):
                return False
        return True

    return run


def _each(test: Test) -> Test:
    def run(values: Any) -> bool:
        for value in values:  # noqa: SIM110 - as above
            if not test(value):
                return False
        return True

    return run


def _each_or_none(test: Test, many: bool) -> Test:  # noqa: FBT001 - of an element
    """For what stands beside primitives, of which some have nothing."""
    if not many:
        return test

    def run(values: Any) -> bool:
        return all(value is None or test(value) for value in values)

    return run
