"""`%name`: http://hl7.org/fhirpath/N1/#environment-variables.

https://hl7.org/fhir/R4/fhirpath.html#variables
"""

from collections.abc import Mapping
from typing import Final

from fhir_server.fhirpath import code
from fhir_server.fhirpath.code import Code
from fhir_server.fhirpath.errors import FhirPathEvaluationError
from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.items import Item

_TEXTS: Final[Mapping[str, str]] = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}
_CANONICALS: Final[Mapping[str, str]] = {
    "vs-": "http://hl7.org/fhir/ValueSet/",
    "ext-": "http://hl7.org/fhir/StructureDefinition/",
}


def variable(name: str, position: int) -> Code:
    if name in _TEXTS:
        return code.literal(_TEXTS[name])
    for prefix, canonical in _CANONICALS.items():
        if name.startswith(prefix):
            return code.literal(canonical + name.removeprefix(prefix))
    return _OF_RESOURCES.get(name) or _given(name, position)


_OF_RESOURCES: Final[Mapping[str, Code]] = {
    "context": Code(lambda evaluation, _: evaluation.context),
    "resource": Code(
        lambda evaluation, _: [] if evaluation.resource is None else [evaluation.resource]
    ),
    "rootResource": Code(
        lambda evaluation, _: [] if evaluation.root is None else [evaluation.root]
    ),
}


def _given(name: str, position: int) -> Code:
    """What only the caller knows; that nobody gave it is only known when it is asked for."""

    def many(evaluation: Evaluation, _: list[Item]) -> list[Item]:
        known = evaluation.environment.variables.get(name)
        if known is None:
            raise FhirPathEvaluationError(f"there is no variable %{name}", position)
        return list(known)

    return Code(many)
