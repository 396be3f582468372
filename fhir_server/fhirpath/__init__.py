"""FHIRPath, Normative Release 1, with what R4 adds.

http://hl7.org/fhirpath/N1/ and https://hl7.org/fhir/R4/fhirpath.html

    expression = compile("name.given.first()", definitions.elements)
    expression.evaluate(patient)              # a list: Elements and System values
    expression.holds(patient, Environment(resolve=...))   # True, False, or None for empty

Resources are plain JSON. An Element is a piece of it with its type; `system` gives the value of
an item. `errors` has what can go wrong: a text that is no expression, one that can mean nothing
(both when it is compiled), and data it does not fit.
"""

from fhir_server.fhirpath.evaluation import Environment, Terminology
from fhir_server.fhirpath.expression import Expression, compile  # noqa: A004 - the word for it
from fhir_server.fhirpath.items import Element, Item
from fhir_server.fhirpath.singletons import system

__all__ = ["Element", "Environment", "Expression", "Item", "Terminology", "compile", "system"]
