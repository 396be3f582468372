"""Combining: http://hl7.org/fhirpath/N1/#combining."""

from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.functions.rules import Function, Kind, collection
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.operators.collections import union


def combine(evaluation: Evaluation, items: list[Item], other: list[Item]) -> list[Item]:
    evaluation.spend(len(items) + len(other))
    return [*items, *other]


COMBINING: dict[str, Function] = {
    "union": collection(union, Kind.COLLECTION),
    "combine": collection(combine, Kind.COLLECTION, evaluation=True),
}
