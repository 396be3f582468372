"""The codes that a required binding leaves to an element of type code.

https://hl7.org/fhir/R4/terminologies.html#required
"""

from fhir_server.definitions.elements import Element
from fhir_server.definitions.registry import Definitions
from fhir_server.terminology.expansion import codes_of


class RequiredCodes:
    """Codes by element, read from the published expansions when first asked for, then kept."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._by_value_set: dict[str, frozenset[str] | None] = {}

    def __call__(self, element: Element) -> frozenset[str] | None:
        """All codes the element may have; None when others are allowed or not all are known.

        Not all are known of value sets by rule, such as media types, which have no expansion.
        """
        binding = element.binding
        if binding is None or binding.strength != "required" or binding.value_set is None:
            return None
        canonical = binding.value_set
        if canonical not in self._by_value_set:
            self._by_value_set[canonical] = self._read(canonical)
        return self._by_value_set[canonical]

    def _read(self, canonical: str) -> frozenset[str] | None:
        expansion = self._definitions.expansion(canonical)
        coded = codes_of(expansion) if expansion else None
        return frozenset(each.code for each in coded) if coded else None
