"""What a search parameter looks at in a resource, found by walking the raw JSON.

https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_server.definitions.registry import Definitions
from fhir_server.definitions.search_parameters import SearchParameter
from tests.support.raw_fhirpath import Item, evaluate

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Element:
    value: Any
    line: tuple[str, ...]
    """The FHIR type and what it is derived from: `("Age", "Quantity", "Element")`."""
    system: str | None = None
    """The code system that a plain `code` is of, where the specification says one."""

    def is_a(self, *types: str) -> bool:
        return not set(types).isdisjoint(self.line)


class Elements:
    """Finds elements; what was found is remembered by the identity of the resource.

    Several evaluators of the same resources may share it.
    """

    def __init__(self, definitions: Definitions, own: Iterable[SearchParameter] = ()) -> None:
        self.definitions = definitions
        self._own = tuple(own)
        self._items: dict[tuple[int, str], list[Item]] = {}
        self._seen: dict[int, dict[str, Any]] = {}

    def parameter(self, type_: str, code: str) -> SearchParameter | None:
        for each in self._own:
            if each.code == code and type_ in each.base:
                return each
        return self.definitions.search_parameter(type_, code)

    def parameters(self, type_: str) -> list[SearchParameter]:
        own = {each.code: each for each in self._own if type_ in each.base}
        return [*({**self.definitions.search_parameters(type_), **own}).values()]

    def found(self, resource: dict[str, Any], parameter: SearchParameter) -> list[Element]:
        """Elements of a parameter that is no composite."""
        return [self._element(each) for each in self._ends(self._find(resource, parameter))]

    def tuples(
        self, resource: dict[str, Any], parameter: SearchParameter
    ) -> list[list[list[Element]]]:
        """For each base element of a composite, the elements of each of its parts."""
        return [
            [
                [
                    self._element(item)
                    for item in self._ends(evaluate(part.expression, resource, base))
                ]
                for part in parameter.components
            ]
            for base in self._find(resource, parameter)
        ]

    def _find(self, resource: dict[str, Any], parameter: SearchParameter) -> list[Item]:
        place = id(resource), parameter.url
        if place not in self._items:
            self._seen[id(resource)] = resource
            expression = parameter.expression
            self._items[place] = [] if expression is None else evaluate(expression, resource)
        return self._items[place]

    def _ends(self, items: list[Item]) -> list[Item]:
        """An extension is what it is for: its value."""
        found = []
        for item in items:
            is_extension = item.place[-1:] in {("extension",), ("modifierExtension",)}
            found += evaluate("value", {}, item) if is_extension else [item]
        return found

    def _element(self, item: Item) -> Element:
        table = self.definitions.elements
        if isinstance(item.value, bool):
            return Element(item.value, ("boolean",))
        if not item.place:
            raise AssertionError(f"nothing says of what type {item} is")
        type_, system = item.place[0], None
        for key in item.place[1:]:
            element = table.by_key(type_)[key]
            type_, system = element.keys[key], element.system
        line = [type_]
        while (known := table.types.get(line[-1])) and known.base:
            line.append(known.base)
        return Element(item.value, tuple(line), system if type_ == "code" else None)
