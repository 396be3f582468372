"""Is this resource what FHIR R4 says it must be? Yes at once, or what to mend.

https://hl7.org/fhir/R4/validation.html

The fast pass costs about as much as parsing did. What it does not accept, the slow pass judges:
its word is the truth, and it names each issue with its place.
"""

from collections.abc import Callable
from typing import Any, Final

from jsonschema_rs import Draft4Validator, RegexOptions

from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.outcome import Issue
from fhir_server.validation.codes import RequiredCodes
from fhir_server.validation.nested import Nested
from fhir_server.validation.schema import schema_of
from fhir_server.validation.structure import Structure

_TYPES_APART: Final = 24
"""Types compiled each by itself (12 ms and 1 MB each). When there are more, all are compiled as
one, which takes longer and in the end less memory (0.5 s and 38 MB)."""

_Compiled = tuple[Callable[[Any], bool], tuple[str, ...]]
"""The fast pass of a type, and its members in which further resources may stand."""


class Validator:
    """Judges resources by the base specification. Safe to use from several threads."""

    def __init__(self, definitions: Definitions) -> None:
        self._types = definitions.resource_types
        self._table = definitions.elements
        self._codes = RequiredCodes(definitions)
        self._nested = Nested(definitions.elements)
        self._structure = Structure(definitions.elements, definitions.resource_types, self._codes)
        self._compiled: dict[str, _Compiled] = {}

    def issues(self, resource: Any) -> list[Issue]:
        """What is wrong with a parsed resource, in the order of its elements; empty if nothing.

        Many issues are cut short, and the last one says so.
        """
        return [] if self.accepts(resource) else self.judge(resource)

    def judge(self, resource: Any) -> list[Issue]:
        """The same, of a resource that was not accepted; it may take a hundred times longer."""
        return self._structure.issues(resource)

    def accepts(self, resource: Any) -> bool:
        """Whether a resource is right for certain; if not, only `issues` knows."""
        type_ = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(type_, str) or type_ not in self._types:
            return False
        is_valid, holding = self._compiled.get(type_) or self._compile(type_)
        if not is_valid({type_: resource}):
            return False
        for member in holding:
            if member in resource:
                return all(map(self.accepts, self._nested.inside(resource, type_)))
        return True

    def _compile(self, type_: str) -> _Compiled:
        types = frozenset([type_])
        if len(self._compiled) >= _TYPES_APART:
            types, self._compiled = self._types, {}  # gone first, so that its memory serves anew
        schema = schema_of(sorted(types), self._table, self._codes)
        is_valid = Draft4Validator(schema, pattern_options=RegexOptions()).is_valid
        compiled = {name: (is_valid, self._nested.members(name)) for name in types}
        self._compiled = {**self._compiled, **compiled}
        return compiled[type_]
