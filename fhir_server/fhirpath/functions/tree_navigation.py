"""Tree navigation: http://hl7.org/fhirpath/N1/#tree-navigation.

Descendants come once for each place they stand at, equal or not.
"""

from collections.abc import Mapping

from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.functions.rules import Function, collection
from fhir_server.fhirpath.items import Element, Item
from fhir_server.fhirpath.model import Model


def tree_navigation(model: Model) -> Mapping[str, Function]:
    def children(evaluation: Evaluation, items: list[Item]) -> list[Item]:
        found: list[Item] = []
        for item in items:
            if isinstance(item, Element):
                found += model.children(item)
        evaluation.spend(len(found))
        return found

    def descendants(evaluation: Evaluation, items: list[Item]) -> list[Item]:
        found: list[Item] = []
        level = children(evaluation, items)
        while level:
            found += level
            level = children(evaluation, level)
        return found

    return {
        "children": collection(children, evaluation=True),
        "descendants": collection(descendants, evaluation=True),
    }
